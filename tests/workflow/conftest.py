"""A copy of the workflow to run and to edit, and whole tiny studies in it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

COPIED = ("Snakefile", "config", "profiles", "slurm", "src", "workflow")
#: Of a run that hangs; the longest one, of the smoke study, takes five minutes on two slow cores.
TIME_LIMIT_S = 900

TINY: dict[str, Any] = {
    "name": "tiny",
    "country": "CHE",
    "repeats": 1,
    "data": {"toy": {"source": "toy", "shard_rows": 500}},
    "design": "factorial",
    "axes": {"rows": [400], "epochs": [1]},
    "measurement": {
        "meters": ["codecarbon", "process"],
        "min_window_s": 0.2,
        "idle_s": 0.2,
        "idle_lifetime_s": 3600,
        "sample_interval_s": 0.05,
        "calibrate_s": 1,
    },
}


@dataclass(frozen=True)
class Workspace:
    """A folder with the workflow's own files, whose copy of the package is the one that runs."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which this copy of the package comes first."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {"PYTHONPATH": str(self.root / "src"), "PATH": path, "COLUMNS": "200"}

    def study(self, **changes: Any) -> Path:
        """Write the tiny study with changes at the top level."""
        path = self.root / "study.yaml"
        path.write_text(yaml.safe_dump(TINY | changes, sort_keys=False))
        return path

    def run(
        self, *words: str | Path, cwd: Path | None = None, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment in the folder, or in another one; its output is one text."""
        return subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            cwd=cwd or self.root,
            env=self.environment | (variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )

    def snakemake(self, configfile: Path, *words: str) -> str:
        """Run Snakemake, which has to succeed; return what it said."""
        done = self.run("snakemake", "--cores", "all", "--configfile", configfile, *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, configfile: Path) -> list[tuple[str, str]]:
        """Jobs of a dry run: rule and wildcards."""
        said = self.snakemake(configfile, "--dry-run")
        blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .+\n)*)", said, flags=re.MULTILINE)
        jobs = []
        for rule, block in blocks:
            wildcards = re.search(r"^    wildcards: (.+)$", block, flags=re.MULTILINE)
            jobs.append((rule, wildcards[1] if wildcards else ""))
        assert jobs or "Nothing to be done" in said, said
        return sorted(job for job in jobs if job[0] != "all")


@pytest.fixture(scope="module")
def make_workspace(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workspace]:
    """Return a function that makes a fresh workspace."""

    def make() -> Workspace:
        root = tmp_path_factory.mktemp("workspace")
        for name in COPIED:
            source = repository / name
            if source.is_symlink():
                (root / name).symlink_to(source.readlink())
            elif source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root / name)
        return Workspace(root)

    return make


@pytest.fixture(scope="module")
def workspace(make_workspace: Callable[[], Workspace]) -> Workspace:
    """Give a workspace that the tests of a module share."""
    return make_workspace()
