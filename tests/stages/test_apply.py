"""Stage apply: compress, decompress and evaluate in one process."""

import pytest

from baler_energy.codecs.container import Reader
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

    monkeypatch.setattr("baler_energy.codecs.baler.coder.Coder.decode", fails)
    with pytest.raises(InputError, match="no"):
        apply(stage, pipeline, tmp_path)
    assert (tmp_path / "compress/measurement.json").exists()
    assert not (tmp_path / "decompress/measurement.json").exists()
