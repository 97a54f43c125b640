"""A finished study of a user's file: what happens to its results if the file is touched, gone, misnamed or changed."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rule_names import DOWNSTREAM, MEASURING

pytestmark = pytest.mark.long


class Own:
    """A study of the file own.parquet, and its results."""

    def __init__(self, workspace: Any) -> None:
        self.workspace = workspace
        self.path = workspace.root / "own.parquet"
        self.away = workspace.root / "away.parquet"
        self.results = workspace.root / "results" / "tiny"
        values = np.random.default_rng(1).normal(size=(200, 4))
        pd.DataFrame(values, columns=list("abcd")).to_parquet(self.path)

    def study(self, **keys: Any) -> Path:
        """Write the study, with changed keys of its dataset."""
        own = {"source": "file", "path": self.path.name} | keys
        measurement = self.workspace.measurement | {"meters": ["process"]}
        axes = {"rows": [50, 100], "epochs": [1], "transform": ["identity"], "packing": ["zstd"]}
        return self.workspace.study(data={"own": own}, axes=axes, measurement=measurement)

    def made(self) -> dict[Path, int]:
        """Tables, records and compressed files, with their times."""
        found = [path for pattern in ("table.npz", "measurement.json", "table.baler") for path in self.rglob(pattern)]
        return {path: path.stat().st_mtime_ns for path in found}

    def rglob(self, pattern: str) -> list[Path]:
        """Files of the results."""
        return sorted(self.results.rglob(pattern))

    def refused(self, study: Path, *words: str) -> str:
        """Run the study, which must be refused before any job; return what it says."""
        done = self.workspace.run("snakemake", "--cores", "all", *words, "--configfile", study)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stdout and "nothing was run" in done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def own(workspace):
    """Return a finished study."""
    own = Own(workspace)
    workspace.snakemake(own.study())
    assert len(own.made()) == 2 * (1 + 2 + 1)
    assert workspace.planned(own.study()) == []
    return own


def test_a_file_that_is_touched_measures_nothing_again(own):
    os.utime(own.path)
    said = own.workspace.snakemake(own.study(), "--dry-run")
    assert own.workspace.jobs_in(said) == [] and said.count("its time or folder has changed") == 1
    said = own.workspace.snakemake(own.study(), "--dry-run")
    assert own.workspace.jobs_in(said) == [] and "its time or folder has changed" not in said, "it is read once"


def test_a_file_that_is_moved_measures_nothing_again(own):
    folder = own.path.parent / "elsewhere"
    folder.mkdir()
    own.path.rename(folder / own.path.name)
    planned = own.workspace.planned(own.study(path=f"elsewhere/{own.path.name}"))
    (folder / own.path.name).rename(own.path)
    assert {rule for rule, _ in planned} == DOWNSTREAM | {"study"}, "the study names another path"


@pytest.mark.parametrize("words", [["--dry-run"], []])
def test_a_file_that_is_gone_for_a_moment_costs_nothing(own, words):
    before = own.made()
    own.path.rename(own.away)
    said = own.workspace.snakemake(own.study(), *words)
    own.away.rename(own.path)
    assert "Nothing to be done" in said
    assert "own.parquet: cannot be read now" in said
    assert own.made() == before
    assert own.workspace.planned(own.study()) == []


@pytest.mark.parametrize("words", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"path": "onw.parquet"}, "data.own: onw.parquet: cannot be read: no such file"),
        ({"columns": ["a", "x"]}, "data.own: own.parquet: has no column 'x'"),
    ],
)
def test_a_mistake_removes_nothing(own, keys, reason, words):
    before = own.made()
    assert reason in own.refused(own.study(**keys), *words)
    assert own.made() == before
    assert own.workspace.planned(own.study()) == []


def test_a_table_that_has_to_change_waits_for_its_file(own):
    before = own.made()
    own.path.rename(own.away)
    assert "own.parquet: cannot be read: no such file" in own.refused(own.study(seed=2))
    own.away.rename(own.path)
    assert own.made() == before
    assert "prepare" in {rule for rule, _ in own.workspace.planned(own.study(seed=2))}
    assert own.workspace.planned(own.study()) == []


@pytest.mark.parametrize("name", ["dataset/runs.parquet", "dataset/datapackage.json", "overview.rst"])
def test_what_is_deleted_comes_back(own, name):
    path, before = own.results / name, own.made()
    path.unlink()
    rules = {rule for rule, _ in own.workspace.planned(own.study())}
    assert rules == ({"report"} if name == "overview.rst" else DOWNSTREAM)
    own.workspace.snakemake(own.study())
    assert path.is_file() and own.made() == before
    assert own.workspace.planned(own.study()) == []


def test_a_file_that_has_changed_is_measured_again(own):
    (pd.read_parquet(own.path) + 1).to_parquet(own.path)
    rules = {rule for rule, _ in own.workspace.planned(own.study())}
    assert "prepare" in rules and rules & MEASURING
