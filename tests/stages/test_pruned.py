"""A pruned network from its training to Baler's files."""

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.records import Measurement

PRUNED = ("--pruning", "neurons-0.5", "--epochs", 5)


@pytest.fixture(scope="module")
def checkpoint(stage, pipeline, tmp_path_factory):
    out = tmp_path_factory.mktemp("pruned")
    stage("train", "--data", pipeline.table, "--out", out, *PRUNED)
    return out / "checkpoint.pt"


def test_the_record_counts_the_operations_of_both_networks(checkpoint):
    record = Measurement.read(checkpoint.with_name("measurement.json"))
    left = Checkpoint.read(checkpoint).architecture
    assert record.parameters["pruning"] == "neurons-0.5" and record.parameters["fine_tuning"] == 0.25
    assert record.results["pruned_after_epoch"] == 3 and record.results["epochs_run"] == 5
    assert record.results["hidden_widths"] == "-".join(map(str, left.hidden)) and sum(left.hidden) == 175
    assert record.results["parameters"] == left.parameters < 61_536 / 2
    assert record.results["macs"] == 300 * (3 * 177_600 + 2 * left.training_macs)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_it_compresses_and_decompresses(stage, pipeline, checkpoint, tmp_path, engine):
    codec = ("--checkpoint", checkpoint, "--engine", engine, *PRUNED)
    stage("compress", "--data", pipeline.table, "--out", tmp_path / "c", *codec)
    stage("decompress", "--compressed", tmp_path / "c/table.baler", "--out", tmp_path / "d", *codec)
    in_memory = InMemoryCodec(Checkpoint.read(checkpoint), torch.device("cpu"), 64)
    data = Table.read(pipeline.table).data
    back = Table.read(tmp_path / "d/reconstructed.npz").data
    difference = np.abs(back - in_memory.decode(in_memory.encode(data)))
    # Integers are rounded.
    assert difference.max() < 0.5 + 1e-9
    with pytest.raises(InputError, match=r"--pruning neurons-0\.4 does not give"):
        stage("compress", "--data", pipeline.table, "--out", tmp_path / "c", *codec, "--pruning", "neurons-0.4")
    with pytest.raises(InputError, match="but --model is baler"):
        stage("compress", "--data", pipeline.table, "--out", tmp_path / "c", *codec, "--pruning", "none")


def test_it_is_exported_with_balers_widths_and_the_same_output(stage, pipeline, checkpoint, tmp_path, capsys):
    project = tmp_path / "workspaces/w/p"
    stage("baler_export", "--checkpoint", checkpoint, "--data", pipeline.table, "--out", project)
    assert "padded with zeros" in capsys.readouterr().out
    stage("baler_import", project, "--out", tmp_path / "back")
    ours, padded = Checkpoint.read(checkpoint), Checkpoint.read(tmp_path / "back/checkpoint.pt")
    assert padded.architecture.hidden == (200, 100, 50)
    data = Table.read(pipeline.table).data
    first, second = (InMemoryCodec(one, torch.device("cpu"), 64) for one in (ours, padded))
    np.testing.assert_allclose(second.encode(data), first.encode(data), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--engine", "fast", "--pruning", "weights-0.5"), "engine 'fast' does not support pruning 'weights-0.5'"),
        (("--engine", "upstream", "--pruning", "neurons-0.5"), "'neurons-0.5' is not supported by engine 'upstream'"),
        (("--pruning", "neurons-0.5", "--stop-at-gain", 0.1), "stop_at_gain cannot be combined"),
        (("--engine", "fast", "--pruning", "neurons-0.5", "--stop-at-gain", 0.1), "stop_at_gain cannot be combined"),
        (("--pruning", "neurons"), "--pruning neurons"),
        (("--fine-tuning", 1), "--fine-tuning"),
    ],
)
def test_what_is_not_supported_is_one_message(stage, pipeline, tmp_path, options, named):
    with pytest.raises(InputError, match=named):
        stage("train", "--data", pipeline.table, "--out", tmp_path, *options)
