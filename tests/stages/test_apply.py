"""Stage apply: compress, decompress and evaluate in one process."""

import pandas as pd
import pytest

from baler_energy.analysis.error_measures import HELD_OUT
from baler_energy.codecs.container import Reader
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import read_json
from baler_energy.meters.process import ProcessMeter
from baler_energy.records import Measurement

FILES = {
    "compress": {"measurement.json", "samples.parquet", "table.baler"},
    "decompress": {"measurement.json", "samples.parquet", "reconstructed.npz"},
    "evaluate": {"errors.parquet", "histograms.parquet", "summary.json"},
}


def apply(stage, pipeline, out, *options):
    stage("apply", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", out, *options)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_it_writes_the_same_files_as_the_separate_stages(stage, pipeline, tmp_path, engine):
    apply(stage, pipeline, tmp_path, "--engine", engine)
    assert {folder.name: {path.name for path in folder.iterdir()} for folder in tmp_path.iterdir()} == FILES
    latents = Reader(tmp_path / "compress/table.baler").latents()
    assert (latents == Reader(pipeline.compressed).latents()).all() or engine == "fast"
    back = Table.read(tmp_path / "decompress/reconstructed.npz").data
    assert back == pytest.approx(Table.read(pipeline.reconstructed).data, rel=1e-9, abs=1e-9)
    assert read_json(tmp_path / "evaluate/summary.json")["rows"] == 300
    for operation in ("compress", "decompress"):
        record = Measurement.read(tmp_path / operation / "measurement.json")
        assert record.operation == operation and record.parameters["engine"] == engine
        assert record.provenance["stage"] == f"baler_energy.stages.{operation}"


def test_a_table_that_would_be_replaced_is_refused(stage, pipeline, tmp_path):
    """It would be compared with itself, and have no error."""
    apply(stage, pipeline, tmp_path)
    back = tmp_path / "decompress/reconstructed.npz"
    before = back.read_bytes()
    with pytest.raises(InputError, match=r"reconstructed\.npz: would be replaced"):
        stage("apply", "--data", back, "--checkpoint", pipeline.checkpoint, "--out", tmp_path)
    with pytest.raises(InputError, match=r"reconstructed\.npz: would be replaced"):
        stage("decompress", "--compressed", back, "--checkpoint", pipeline.checkpoint, "--out", back.parent)
    assert back.read_bytes() == before


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_errors_on_held_out_rows_are_those_of_the_same_codec(stage, pipeline, tmp_path, engine):
    toy.generate(50, 2).write(tmp_path / "others.npz")
    apply(stage, pipeline, tmp_path / "run", "--engine", engine, "--held-out", tmp_path / "others.npz")
    found = read_json(tmp_path / "run/evaluate/summary.json")
    assert found["held_out_rows"] == 50
    # A codec of two epochs knows no row well: errors on other rows are of the same size.
    assert found["held_out_mean_nrmse"] == pytest.approx(found["mean_nrmse"], rel=0.3)
    # The same rows have the same errors.
    apply(stage, pipeline, tmp_path / "same", "--engine", engine, "--held-out", pipeline.table)
    found = read_json(tmp_path / "same/evaluate/summary.json")
    assert found["held_out_rows"] == 300
    measures = [name.removeprefix("held_out_") for name in HELD_OUT[1:]]
    assert {"mean_explained_variance", "mean_relative_error_p99", "max_ks_distance", "zeros_kept"} < set(measures)
    for name in measures:
        assert found[f"held_out_{name}"] == pytest.approx(found[name], rel=1e-9), name
    errors = pd.read_parquet(tmp_path / "same/evaluate/errors.parquet")
    seen, other = (errors[errors["on_rows"] == rows].set_index("column") for rows in ("compressed", "held_out"))
    measured = [name for name in errors if name not in ("column", "on_rows", "dtype") and "trivial" not in name]
    pd.testing.assert_frame_equal(seen[measured], other[measured], rtol=1e-9)
    assert other.filter(like="trivial").isna().all(axis=None) and list(other["dtype"]) == list(seen["dtype"])
    assert {path.name for path in (tmp_path / "same/evaluate").iterdir()} == FILES["evaluate"]


def test_errors_on_held_out_rows_are_null_without_such_rows_or_training(stage, pipeline, tmp_path):
    toy.generate(50, 2).first(0).write(tmp_path / "none.npz")
    apply(stage, pipeline, tmp_path / "run", "--held-out", tmp_path / "none.npz")
    identity = ("--transform", "identity", "--packing", "quantise-0.1", "--data", pipeline.table)
    stage("apply", *identity, "--held-out", pipeline.table, "--out", tmp_path / "identity")
    for run in ("run", "identity"):
        found = read_json(tmp_path / run / "evaluate/summary.json")
        assert {key: found[key] for key in HELD_OUT} == dict.fromkeys(HELD_OUT)
        errors = pd.read_parquet(tmp_path / run / "evaluate/errors.parquet")
        assert set(errors["on_rows"]) == {"compressed"}


def test_held_out_rows_that_cannot_be_stored_leave_the_rest(stage, pipeline, tmp_path, capsys):
    table = toy.generate(50, 2)
    Table(table.data * 1e300, table.names, ("float64",) * len(table.names), table.origin).write(tmp_path / "far.npz")
    apply(stage, pipeline, tmp_path / "run", "--engine", "fast", "--held-out", tmp_path / "far.npz")
    assert read_json(tmp_path / "run/evaluate/summary.json")["held_out_rows"] is None
    assert "errors on held-out rows are null" in capsys.readouterr().err


def test_the_meters_open_once_and_the_idle_baseline_is_shared(stage, pipeline, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(ProcessMeter, "open", lambda self: opened.append(self))
    apply(stage, pipeline, tmp_path, "--idle-s", 0.05)
    assert len(opened) == 1
    first, second = (Measurement.read(tmp_path / name / "measurement.json") for name in ("compress", "decompress"))
    assert first.idle == second.idle and not first.idle.shared
    assert first.idle.start < first.window.start < second.window.start


def test_a_failed_decompression_leaves_no_record_of_an_earlier_run(stage, pipeline, tmp_path, monkeypatch):
    apply(stage, pipeline, tmp_path)

    def fails(*_):
        raise InputError("no")

    monkeypatch.setattr("baler_energy.codecs.baler.in_memory.InMemoryCodec.decode", fails)
    with pytest.raises(InputError, match="no"):
        apply(stage, pipeline, tmp_path)
    assert (tmp_path / "compress/measurement.json").exists()
    assert not (tmp_path / "decompress/measurement.json").exists()
