"""A copy of the workflow to run and edit, and whole tiny studies in it."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from compared_sources import Files
from warm_snakemake import WarmSnakemake

COPIED = ("Snakefile", "config", "htcondor", "profiles", "slurm", "src", "workflow")
#: Timeout of a run that hangs. The smoke study takes five minutes on two slow cores, 15 if others run at the same time.
TIME_LIMIT_S = 3600

#: Windows just long enough for the meters: the tests check what runs when, not what it costs.
TINY: dict[str, Any] = {
    "name": "tiny",
    "country": "CHE",
    "repeats": 1,
    "data": {"toy": {"source": "toy", "shard_rows": 500}},
    "design": "factorial",
    "axes": {"rows": [400], "epochs": [1]},
    "measurement": {
        "meters": ["codecarbon", "process"],
        "min_window_s": 0.1,
        "idle_s": 0.05,
        "idle_lifetime_s": 3600,
        "sample_interval_s": 0.05,
        "calibrate_s": 0.05,
    },
}
#: The study that runs once for all tests that read a finished study or rerun a part of it.
FINISHED: dict[str, Any] = TINY | {
    "axes": {"rows": [400], "epochs": [1, 2]},
    "profile": {"points": [{"epochs": 2}], "profilers": ["cprofile", "torch"], "max_batches": 2},
}


@dataclass(frozen=True)
class Workspace:
    """A folder with the workflow's own files and the copy of the package that runs."""

    root: Path
    warm: WarmSnakemake | None = None
    """Runs Snakemake faster than a new process does; None: a new process runs it."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which this copy of the package comes first."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {"PYTHONPATH": str(self.root / "src"), "PATH": path, "COLUMNS": "200"}

    @property
    def measurement(self) -> dict[str, Any]:
        """The measurement settings of the tiny study."""
        return dict(TINY["measurement"])

    def study(self, **changes: Any) -> Path:
        """Write the tiny study with changes at the top level."""
        return self._write(TINY | changes)

    def finished_study(self, **changes: Any) -> Path:
        """Write the finished study, with changes at the top level."""
        return self._write(FINISHED | changes)

    def _write(self, study: dict[str, Any]) -> Path:
        path = self.root / "study.yaml"
        path.write_text(yaml.safe_dump(study, sort_keys=False))
        return path

    def run(
        self, *words: str | Path, cwd: Path | None = None, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment in the folder, or in `cwd`; stdout and stderr are one text.

        With another search path for modules, Snakemake is imported again.
        """
        environment = self.environment | (variables or {})
        if self.warm and words[0] == "snakemake" and environment["PYTHONPATH"] == self.environment["PYTHONPATH"]:
            return self.warm.run([*map(str, words[1:])], cwd or self.root, environment, TIME_LIMIT_S)
        return subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            cwd=cwd or self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )

    def snakemake(self, configfile: Path, *words: str | Path) -> str:
        """Run Snakemake, which must succeed; return its output."""
        # A target directly after the file would be read as another file.
        done = self.run("snakemake", "--cores", "all", *words, "--configfile", configfile)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, configfile: Path) -> list[tuple[str, str]]:
        """Jobs of a dry run: rule and wildcards."""
        return self.jobs_in(self.snakemake(configfile, "--dry-run"))

    @staticmethod
    def jobs_in(said: str) -> list[tuple[str, str]]:
        """Jobs in the output of a dry run: rule and wildcards."""
        blocks = re.findall(r"^(?:localrule|rule|checkpoint) (\w+):\n((?:    .+\n)*)", said, flags=re.MULTILINE)
        jobs = []
        for rule, block in blocks:
            wildcards = re.search(r"^    wildcards: (.+)$", block, flags=re.MULTILINE)
            jobs.append((rule, wildcards[1] if wildcards else ""))
        assert jobs or "Nothing to be done" in said, said
        return sorted(job for job in jobs if job[0] != "all")


def fill(root: Path, repository: Path) -> Workspace:
    """Copy the workflow's own files into a folder, with compiled modules, so that they need not be compiled again."""
    # Modules that another process is compiling have temporary names.
    unfinished = shutil.ignore_patterns("*.pyc.*")
    for name in COPIED:
        source = repository / name
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            shutil.copytree(source, root / name, ignore=unfinished)
        else:
            shutil.copy(source, root / name)
    return Workspace(root)


@pytest.fixture(scope="session")
def warm_snakemake() -> Iterator[WarmSnakemake]:
    """Return a process that has imported Snakemake."""
    warm = WarmSnakemake()
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory, warm_snakemake: WarmSnakemake) -> Path:
    """Run the finished study once for all test processes; return its folder, which tests may only copy."""
    base = tmp_path_factory.getbasetemp()
    # Processes of pytest-xdist have folders side by side.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    complete = folder.with_suffix(".complete")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            workspace = replace(fill(folder, repository), warm=warm_snakemake)
            workspace.snakemake(workspace.finished_study())
            complete.touch()
    return folder


@pytest.fixture(scope="module")
def done(finished: Path, tmp_path_factory: pytest.TempPathFactory, warm_snakemake: WarmSnakemake) -> Workspace:
    """Return a copy of the finished study, with the times and records from which Snakemake decides what to run."""
    root = tmp_path_factory.mktemp("done")
    shutil.copytree(finished, root, symlinks=True, dirs_exist_ok=True)
    return Workspace(root, warm_snakemake)


@pytest.fixture
def made(finished: Path, tmp_path: Path, stand_in_baler: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Return the finished study, with the stand-in for upstream Baler."""
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.upstream import files

    made = Files(finished, tmp_path / "out")
    files.write_model(tmp_path / "model.pt", Checkpoint.read(made.checkpoint))
    monkeypatch.setenv("STAND_IN_MODEL", str(tmp_path / "model.pt"))
    return Files(finished, tmp_path / "out", dict(os.environ))


@pytest.fixture(scope="module")
def make_workspace(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workspace]:
    """Return a function that makes a fresh workspace."""
    return lambda: fill(tmp_path_factory.mktemp("workspace"), repository)


@pytest.fixture(scope="module")
def workspace(make_workspace: Callable[[], Workspace], warm_snakemake: WarmSnakemake) -> Workspace:
    """Return a workspace that the tests of a module share."""
    return replace(make_workspace(), warm=warm_snakemake)
