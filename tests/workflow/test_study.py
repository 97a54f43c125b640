"""The outputs of a finished study: its dataset with profiler results, its tables and its figures."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from rule_names import OPERATIONS

from baler_energy.config.study import load_study
from baler_energy.stages import collect

#: Kinds of rows that each profiler gives per operation, and the files that it writes.
PROFILERS = {"cprofile": {"function", "call"}, "torch": {"operator"}}
FILES = {"cprofile": "profile.pstats", "torch": "trace.json"}


@pytest.fixture(scope="module")
def results(done):
    return done.root / "results" / "tiny"


@pytest.fixture(scope="module")
def hotspots(results):
    return pd.read_parquet(results / "dataset" / "hotspots.parquet")


def test_every_operation_of_every_point_is_in_the_dataset(results):
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    assert set(zip(runs["epochs"], runs["operation"], strict=True)) == {
        (n, name) for n in (1, 2) for name in OPERATIONS
    }
    assert len(runs) == 2 * len(OPERATIONS)
    assert set(runs[runs["at_centre"]]["epochs"]) == {1} and runs["at_centre"].sum() == len(OPERATIONS)
    assert (runs["duration_s"] > 0).all() and (runs["energy_j"] > 0).all()
    assert runs["mean_rms_over_range"].between(0, 1).all()


def test_what_profilers_found_is_in_the_dataset_as_shares(hotspots):
    assert set(hotspots["profiler"]) == set(PROFILERS) and set(hotspots["epochs"]) == {2}
    found = hotspots.groupby(["profiler", "operation"])["kind"].agg(set).to_dict()
    assert found == {(profiler, name): kinds for profiler, kinds in PROFILERS.items() for name in OPERATIONS}
    shares = hotspots[hotspots["kind"] != "call"].groupby(["profiler", "operation"])["self_share"].sum()
    assert shares.between(0, 1 + 1e-9).all() and len(shares) == len(found)


def test_the_profilers_own_files_are_kept(results):
    (profiles,) = {path.parent.parent for path in (results / "profiles").rglob("cprofile/train")}
    for profiler, name in FILES.items():
        for operation in OPERATIONS:
            assert (profiles / profiler / operation / name).stat().st_size > 1000, (profiler, operation)


def test_processes_collect_the_same_dataset(results, tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "_PIECE_POINTS", 1)
    monkeypatch.setattr("baler_energy.processes._FEW", 1)
    collect.collect(load_study(results / "study.yaml"), results, tmp_path, processes=2)
    for path in (results / "dataset").glob("*.parquet"):
        assert pq.read_table(tmp_path / path.name).equals(pq.read_table(path)), path.name


def test_figures_and_tables_show_them(results):
    for chapter, names in {
        "cost": {"cost_epochs", "loss_epochs"},
        "hotspots": {"calls", "functions", "operators"},
    }.items():
        drawn = {path.stem for path in (results / "figures" / chapter).glob("*.svg")}
        assert drawn >= names, chapter
    metrics = pd.read_csv(results / "tables" / "metrics.csv")
    assert set(metrics["operation"]) >= set(OPERATIONS)
    assert (results / "tables" / "glossary.html").is_file()
