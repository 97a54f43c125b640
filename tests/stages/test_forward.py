"""Stage forward."""

import pytest

from baler_energy.errors import InputError
from baler_energy.files import read_json
from baler_energy.records import Measurement
from baler_energy.vocabulary import Operation


def _forward(stage, pipeline, out, *options):
    stage("forward", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", out, *options)


def test_the_pass_is_measured_and_counted(stage, pipeline, tmp_path):
    _forward(stage, pipeline, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.json", "measurement.json", "samples.parquet"]
    record = Measurement.read(tmp_path / "measurement.json")
    assert record.operation is Operation.FORWARD and record.parameters["rows"] == 300
    macs = 300 * 60_800
    assert record.results["macs"] == macs and record.results["flops"] == 2 * macs
    assert record.results["parameters"] == 61_536
    assert {count["macs"] for count in read_json(tmp_path / "counts.json")} == {60_800}


def test_another_model_than_the_checkpoints_is_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match=r"--model is baler-x2\. Use --model baler\."):
        _forward(stage, pipeline, tmp_path, "--model", "baler-x2")
    assert not list(tmp_path.iterdir())


def test_only_the_reference_has_a_forward_pass(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match="--engine fast: the forward pass"):
        _forward(stage, pipeline, tmp_path, "--engine", "fast")
