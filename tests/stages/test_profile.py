"""Stage profile."""

import json
import pstats

import pandas as pd
import pytest

from baler_energy.errors import InputError
from baler_energy.stages.profile import TRACED_BATCHES

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
    assert hotspots["self_time_s"].is_monotonic_decreasing and len(hotspots) <= 40
    assert hotspots["flops"].isna().all() and hotspots["memory_bytes"].isna().all()
    assert not hotspots["file"].dropna().str.startswith("/").any()


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


def test_batches_are_capped(stage, pipeline, tmp_path):
    hotspots = _profile(stage, pipeline, tmp_path, "compress", "torch", "--max-batches", 2).set_index("name")
    assert hotspots.loc["aten::addmm", "calls"] == 2 * 4
    assert (hotspots["rows"] == 300).all(), "the point keeps its rows"


def test_an_applied_codec_needs_its_checkpoint(stage, pipeline, tmp_path):
    options = ("--data", pipeline.table, "--operation", "compress", "--profiler", "torch", "--out", tmp_path)
    with pytest.raises(InputError, match="--checkpoint"):
        stage("profile", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_point_that_contradicts_the_checkpoint_is_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match="--precision float64"):
        _profile(stage, pipeline, tmp_path, "compress", "torch", "--precision", "float32")
