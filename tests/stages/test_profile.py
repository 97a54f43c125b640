"""Stage profile."""

import json
import pstats
import subprocess
from functools import partial

import pandas as pd
import psutil
import pytest

from baler_energy.errors import InputError
from baler_energy.profilers import cprofile, pyspy
from baler_energy.profilers.base import Profiler
from baler_energy.profilers.running import repeat
from baler_energy.profilers.torch_profiler import TRACED_BATCHES

COLUMNS = [
    "operation",
    "profiler",
    "kind",
    "name",
    "file",
    "line",
    "stack",
    "calls",
    "self_share",
    "total_share",
    "self_time_s",
    "total_time_s",
    "memory_bytes",
    "bytes",
    "flops",
    "energy_j",
    "energy_evidence",
    "energy_scope",
    "flags",
    "reason",
]


def _profile(stage, pipeline, out, operation, profiler, *options):
    files = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", out)
    stage("profile", *files, "--operation", operation, "--profiler", profiler, *options)
    return pd.read_parquet(out / operation / "hotspots.parquet")


@pytest.mark.parametrize("operation", ["train", "compress", "decompress"])
def test_cprofile(stage, pipeline, tmp_path, operation):
    hotspots = _profile(stage, pipeline, tmp_path, operation, "cprofile", "--run-id", "p/1")
    stats = pstats.Stats(str(tmp_path / operation / "profile.pstats")).get_stats_profile()
    linears = next(entry for name, entry in stats.func_profiles.items() if name.endswith("_nn.linear>"))
    # 300 rows are five batches of 64; a training step passes through eight layers, the others through four.
    assert int(str(linears.ncalls)) == 5 * (8 if operation == "train" else 4)
    assert hotspots.columns.tolist()[-len(COLUMNS) :] == COLUMNS
    assert (hotspots["run_id"] == "p/1").all() and (hotspots["operation"] == operation).all()
    functions = hotspots[hotspots["kind"] == "function"]
    assert functions["self_time_s"].is_monotonic_decreasing and len(functions) <= 40
    assert hotspots["flops"].isna().all() and hotspots["memory_bytes"].isna().all()
    calls = hotspots[hotspots["kind"] == "call"].set_index("stack")
    assert calls["total_share"].max() == pytest.approx(1.0, rel=0.01)
    if operation == "train":
        assert any(stack.endswith("train;fit_and_prune;fit;train_epochs;pass_over;backward") for stack in calls.index)
    assert not hotspots["file"].dropna().str.startswith("/").any()


def test_training_is_profiled_for_one_epoch_whatever_the_point_has(stage, pipeline, tmp_path):
    hotspots = _profile(stage, pipeline, tmp_path, "train", "torch", "--epochs", 3).set_index("name")
    assert hotspots.loc["aten::addmm", "calls"] == 5 * 8 and (hotspots["epochs"] == 3).all()


@pytest.mark.parametrize(("operation", "layers"), [("train", 8), ("compress", 4), ("decompress", 4)])
def test_torch(stage, pipeline, tmp_path, operation, layers):
    hotspots = _profile(stage, pipeline, tmp_path, operation, "torch").set_index("name")
    macs = {"train": 60_800, "compress": 30_400, "decompress": 30_400}[operation]
    assert hotspots.loc["aten::addmm", "calls"] == 5 * layers
    assert hotspots.loc["aten::addmm", "flops"] == 2 * macs * 300
    assert hotspots["file"].isna().all()
    assert (hotspots["flops"].dropna() > 0).all()
    events = json.loads((tmp_path / operation / "trace.json").read_text())["traceEvents"]
    assert sum(event.get("name") == "aten::addmm" for event in events) == TRACED_BATCHES * layers
    assert (tmp_path / operation / "trace.json").stat().st_size < 10_000_000


# Half a minute each: training, where Scalene loads torch and fails most often, represents the others.
@pytest.mark.long
@pytest.mark.parametrize(
    "operation",
    ["train", pytest.param("compress", marks=pytest.mark.slow), pytest.param("decompress", marks=pytest.mark.slow)],
)
def test_scalene(stage, pipeline, tmp_path, operation, monkeypatch):
    # All lines: the sum of the largest ones depends on where the samples fell.
    monkeypatch.setattr("baler_energy.profilers.scalene._KEPT", 10_000)
    hotspots = _profile(stage, pipeline, tmp_path, operation, "scalene")
    lines = hotspots[hotspots["kind"] == "line"]
    assert 0.9 < lines["self_share"].sum() <= 1.01
    assert lines["file"].str.startswith("baler_energy/").all() and lines["line"].notna().all()
    split = hotspots[hotspots["kind"].isin(["python", "native", "system"])]
    assert split["self_share"].sum() == pytest.approx(lines["self_share"].sum())
    # Memory is missing, with the reason, if no sample had it or if Scalene's run with memory failed.
    assert (lines[["memory_bytes", "bytes"]].notna().any(axis=1) | lines["reason"].notna()).all()
    page = (tmp_path / operation / "scalene.html").read_text(encoding="utf-8")
    assert "training.py" in page if operation == "train" else "model.py" in page
    assert json.loads((tmp_path / operation / "scalene.json").read_text())["files"]


@pytest.mark.parametrize("operation", ["train", "compress", "decompress"])
def test_pyspy(stage, pipeline, tmp_path, operation, monkeypatch):
    monkeypatch.setattr(pyspy, "repeat", partial(repeat, at_least_s=0.5))
    hotspots = _profile(stage, pipeline, tmp_path, operation, "pyspy")
    stacks = set(hotspots.loc[hotspots["kind"] == "call", "stack"])
    outermost = "train" if operation == "train" else f"InMemoryCodec.{operation}"
    assert any(outermost in stack.split(";")[:2] for stack in stacks), stacks
    assert "<svg" in (tmp_path / operation / "flamegraph.svg").read_text()[:400]
    assert json.loads((tmp_path / operation / "speedscope.json").read_text())["$schema"].startswith("https://www.speed")


def test_copies_name_the_lines_of_the_reference(stage, pipeline, tmp_path):
    train = _profile(stage, pipeline, tmp_path, "train", "copies")
    table_bytes = 300 * 24 * 8
    drawn = train[train["name"] == "for (rows,) in batches:"]["bytes"].sum()
    scaled = train[train["name"].str.contains("data - minimum")]["bytes"].sum()
    # Python's own objects for 300 rows take more memory than their values.
    # NumPy does not reuse small temporary arrays: differences, quotients and the divisor are new arrays.
    assert drawn > table_bytes and 2 * table_bytes <= scaled <= 3.2 * table_bytes
    decompress = _profile(stage, pipeline, tmp_path, "decompress", "copies")
    assert decompress["name"].str.contains("scaled \\* column_range").any()
    assert (decompress["kind"] == "copy").all()


def test_perf_counts_or_gives_the_reason(stage, pipeline, tmp_path, capsys):
    (first, *_) = _profile(stage, pipeline, tmp_path, "compress", "perf").to_dict("records")
    if first["kind"] == "absent":
        assert "perf" in first["reason"] and pd.isna(first["calls"])
        assert "no values from perf" in capsys.readouterr().err
    else:
        assert first["kind"] == "counter" and first["calls"] > 0


def test_a_profiler_that_is_not_installed_leaves_its_reason(stage, pipeline, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (row,) = _profile(stage, pipeline, tmp_path, "compress", "scalene").to_dict("records")
    assert row["kind"] == "absent" and row["reason"].startswith("scalene is not installed. Install it with")
    assert "scalene is not installed" in capsys.readouterr().err


def test_a_profiler_that_takes_too_long_is_stopped_with_all_that_it_started(stage, pipeline, tmp_path, monkeypatch):
    def slow(job, out):
        subprocess.run(["sleep", "60"], check=True)

    monkeypatch.setattr(cprofile, "PROFILER", Profiler(slow))
    (row,) = _profile(stage, pipeline, tmp_path, "compress", "cprofile", "--time-limit-s", 1).to_dict("records")
    assert row["kind"] == "absent" and "longer than the time limit of 1 s" in row["reason"]
    assert not any(child.name() == "sleep" for child in psutil.Process().children(recursive=True))


def test_batches_are_capped(stage, pipeline, tmp_path):
    hotspots = _profile(stage, pipeline, tmp_path, "compress", "torch", "--max-batches", 2).set_index("name")
    assert hotspots.loc["aten::addmm", "calls"] == 2 * 4
    assert (hotspots["rows"] == 300).all(), "the point keeps its rows"


def test_an_applied_codec_needs_its_checkpoint(stage, pipeline, tmp_path):
    options = ("--data", pipeline.table, "--operation", "compress", "--profiler", "torch", "--out", tmp_path)
    with pytest.raises(InputError, match="--checkpoint"):
        stage("profile", *options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profiler", ["torch", "scalene"])
def test_a_point_that_contradicts_the_checkpoint_is_refused(stage, pipeline, tmp_path, profiler):
    with pytest.raises(InputError, match="--precision float64"):
        _profile(stage, pipeline, tmp_path, "compress", profiler, "--precision", "float32")


@pytest.mark.parametrize("operation", ["train", "compress", "decompress"])
def test_the_fast_engine_is_profiled_as_itself(stage, pipeline, tmp_path, operation):
    hotspots = _profile(stage, pipeline, tmp_path, operation, "cprofile", "--engine", "fast")
    files = set(hotspots["file"].dropna().str.rpartition("/")[2])
    assert {"train": "fast.py"}.get(operation, "streaming.py") in files
    assert hotspots["name"].str.contains("addmm").any() and (hotspots["engine"] == "fast").all()


def test_what_cannot_be_written_is_refused_before_the_work(stage, pipeline, tmp_path, monkeypatch):
    (tmp_path / "train" / "hotspots.parquet").mkdir(parents=True)
    monkeypatch.setattr("baler_energy.stages.profile._hotspots", lambda *_: pytest.fail("it was profiled"))
    with pytest.raises(InputError, match=r"hotspots\.parquet: is a folder"):
        _profile(stage, pipeline, tmp_path, "train", "cprofile")
