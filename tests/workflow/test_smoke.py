"""The smoke study, unchanged: every profiler runs for real, and its results reach dataset, tables and report."""

import pandas as pd
import pytest
from rule_names import OPERATIONS

pytestmark = pytest.mark.slow

PROFILERS = {"cprofile", "torch", "scalene", "pyspy", "copies", "perf", "parts"}
#: Kinds of rows per operation and profiler on a CPU; perf needs counters, which virtual machines lack.
KINDS = {
    "cprofile": {"function", "call"},
    "torch": {"operator"},
    "scalene": {"line"},
    "pyspy": {"function", "call"},
    "copies": {"copy"},
    "parts": {"whole", "data", "layer", "overhead", "latency", "operator"},
}


@pytest.fixture(scope="module")
def results(make_workspace):
    # As users run it: jobs that other tests fork hold another copy of the package, whose lines Scalene does not see.
    workspace = make_workspace()
    done = workspace.run("baler_energy.cli", "study", "--configfile", "config/studies/smoke.yaml")
    assert done.returncode == 0, done.stdout
    return workspace.root / "results" / "smoke"


@pytest.fixture(scope="module")
def hotspots(results):
    return pd.read_parquet(results / "dataset" / "hotspots.parquet")


def test_every_profiler_gave_rows_of_every_operation(hotspots):
    assert set(hotspots["profiler"]) == PROFILERS
    for profiler, kinds in KINDS.items():
        for operation in OPERATIONS:
            found = hotspots[(hotspots["profiler"] == profiler) & (hotspots["operation"] == operation)]
            assert set(found["kind"]) >= kinds, (profiler, operation, found["reason"].dropna().tolist())
    perf = hotspots[hotspots["profiler"] == "perf"]
    assert (perf["kind"].eq("counter") | perf["reason"].notna()).all()
    assert set(hotspots.loc[hotspots["kind"] == "peak", "name"]) == {"matrix product", "memory copy"}


def test_shares_are_shares(hotspots):
    whole = {"function": 1.0, "operator": 1.0, "line": 1.0, "copy": 1.0}
    sums = hotspots.groupby(["engine", "profiler", "operation", "kind"])["self_share"].sum()
    for (engine, profiler, operation, kind), share in sums.items():
        if kind in whole and profiler != "parts":
            assert 0 < share <= whole[kind] + 0.02, (engine, profiler, operation, kind)
    parts = hotspots[
        (hotspots["profiler"] == "parts") & hotspots["kind"].isin(["data", "layer", "optimizer", "overhead"])
    ]
    closed = parts[parts["operation"].isin(OPERATIONS)].groupby("operation")["self_share"].sum()
    assert closed.to_dict() == pytest.approx(dict.fromkeys(OPERATIONS, 1.0))


def test_the_profilers_own_files_are_kept(results):
    (profiles,) = {path.parent.parent for path in (results / "profiles").rglob("scalene/train")}
    kept = {
        "cprofile": ["profile.pstats"],
        "torch": ["trace.json"],
        "scalene": ["scalene.html", "scalene.json"],
        "pyspy": ["flamegraph.svg", "speedscope.json"],
    }
    for profiler, files in kept.items():
        for operation in OPERATIONS:
            for name in files:
                assert (profiles / profiler / operation / name).stat().st_size > 1000, (profiler, operation, name)


def test_figures_and_tables_show_them(results):
    drawn = {path.stem for path in (results / "figures" / "hotspots").glob("*.svg")}
    assert drawn >= {"components", "whole", "parts", "roofline", "calls", "functions", "sampled", "operators", "lines"}
    assert drawn >= {"copies", "parallel"} and not drawn & {"gpu", "gpu_timeline"}
    metrics = pd.read_csv(results / "tables" / "metrics.csv")
    profiled = metrics[(metrics["epochs"] == 2) & metrics["latency_p50_s"].notna()]
    assert set(profiled["operation"]) == set(OPERATIONS)
    assert (profiled["latency_p50_s"] <= profiled["latency_p99_s"]).all()
    assert profiled["fraction_of_peak"].between(0, 2).all()
    assert (results / "tables" / "glossary.html").is_file()


def test_the_networks_are_measured_and_counted(results):
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    passed = runs[runs["operation"] == "forward"].set_index("model")
    assert passed["parameters"].to_dict() == {"baler": 61_536, "baler-small": 1_696}
    assert (passed["duration_s"] > 0).all()
    counted = pd.read_csv(results / "tables" / "models.csv")
    assert counted["tool"].nunique() == 4 and len(counted) == 8
    assert counted["agrees"].eq("yes").all(), counted["reason"].tolist()
    drawn = {path.stem for path in (results / "figures" / "savings").glob("*.svg")}
    assert drawn >= {"forward", "error_flops"}
