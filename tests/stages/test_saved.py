"""A long training that is killed resumes from its saved state."""

import json
import os
import signal
import time

import pandas as pd
import pytest
import torch
from loaded_modules import started

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.data import toy
from baler_energy.records import Measurement
from baler_energy.stages.saved import STATE, training_key
from baler_energy.vocabulary import Flag, Quantity

pytestmark = pytest.mark.long

#: Some seconds of training, just enough to save a few times.
TRAINING = ("--epochs", 300, "--batch-size", 64, "--seed", 4, "--shuffle", "--device", "cpu", "--threads", 1)
MEASURING = ("--meters", "codecarbon", "process", "--idle-s", 0.1, "--min-window-s", 0.5, "--sample-interval-s", 0.05)


def command(pipeline, out, *more):
    words = ("train", "--data", pipeline.table, "--out", out, *TRAINING, *MEASURING, "--save-every-s", 0.3, *more)
    return [*map(str, words)]


def ended(pipeline, out, said, *more):
    """Run a training to its end; return what it said."""
    process = started(command(pipeline, out, *more), said)
    process.join(600)
    assert process.exitcode == 0
    return said.read_text()


def interrupted(pipeline, out, said, how):
    """Kill a training once it has saved; return the time of the saved part's end and its own start."""
    before = (out / STATE).stat().st_mtime_ns if (out / STATE).exists() else None
    process = started(command(pipeline, out), said)
    deadline = time.monotonic() + 600
    while not (out / STATE).exists() or (out / STATE).stat().st_mtime_ns == before:
        assert process.is_alive() and time.monotonic() < deadline, "no state was saved"
        time.sleep(0.02)
    os.kill(process.pid, how)
    process.join(600)
    assert process.exitcode == (-how if how == signal.SIGKILL else 128 + how)
    assert not (out / "measurement.json").exists()


@pytest.fixture(scope="module")
def whole(pipeline, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    ended(pipeline, out, tmp_path_factory.mktemp("said") / "said", "--save-every-s", "600")
    return out


def test_killed_twice_it_is_the_training_that_was_never_killed(pipeline, whole, tmp_path, tmp_path_factory):
    said = tmp_path_factory.mktemp("said") / "said"
    interrupted(pipeline, tmp_path, said, signal.SIGKILL)
    saved = torch.load(tmp_path / STATE, weights_only=True)
    interrupted(pipeline, tmp_path, said, signal.SIGTERM)
    saved_again = torch.load(tmp_path / STATE, weights_only=True)
    (tmp_path / ".state.9999999-0123abcd.pt").touch()  # left by a kill in the middle of saving
    resumed = ended(pipeline, tmp_path, said)

    rows = len(json.loads(saved_again["history"]))
    assert f"Resuming after epoch {rows}" in resumed
    assert Checkpoint.read(tmp_path / "checkpoint.pt").content_hash == (
        Checkpoint.read(whole / "checkpoint.pt").content_hash
    )
    history, expected = (pd.read_parquet(folder / "history.parquet") for folder in (tmp_path, whole))
    pd.testing.assert_frame_equal(history[["epoch", "loss"]], expected[["epoch", "loss"]])
    assert list(history) == list(expected)
    assert history.filter(like="energy_j").apply(lambda column: column.is_monotonic_increasing).all()

    record = Measurement.read(tmp_path / "measurement.json")
    assert Flag.RESUMED in record.flags and record.iterations == 1
    assert record.results["segments"] == 3 and record.results["epochs_run"] == 300
    segments = record.provenance["segments"]
    assert segments == [
        {key: segment[key] for key in ("start", "duration_s", "hostname")}
        for segment in json.loads(saved_again["segments"])
    ]
    assert segments[0]["duration_s"] == json.loads(saved["segments"])[0]["duration_s"]
    assert record.window.duration_s > sum(segment["duration_s"] for segment in segments)
    energies = [r for r in record.readings if r.quantity is Quantity.ENERGY and r.component == "cpu"]
    (energy,) = [reading for reading in energies if reading.value is not None]
    before = [json.loads(saved_again["segments"])[n]["energies"] for n in (0, 1)]
    parts_j = [reading["value"] for readings in before for reading in readings if reading["component"] == "cpu"]
    assert len(parts_j) == 2 and energy.value > sum(parts_j) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_training_shorter_than_the_interval_saves_nothing(whole):
    assert not (whole / STATE).exists()
    record = Measurement.read(whole / "measurement.json")
    assert record.results["segments"] == 1 and "segments" not in record.provenance
    assert Flag.RESUMED not in record.flags


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "damaged"),
        (lambda path: torch.save([1], path), "damaged"),
        (
            lambda path: torch.save(torch.load(path, weights_only=True) | {"key": "other"}, path),
            "belongs to another training",
        ),
    ],
)
def test_a_state_that_cannot_be_used_is_reported_and_removed(stage, pipeline, tmp_path, capfd, damage, reason):
    options = ("--data", pipeline.table, "--out", tmp_path, "--epochs", 2)
    stage("train", *options)
    torch.save({"key": "k", "training": {}, "segments": "[]", "history": "[]"}, tmp_path / STATE)
    damage(tmp_path / STATE)
    stage("train", *options)
    assert reason in capfd.readouterr().err
    assert not (tmp_path / STATE).exists()
    record = Measurement.read(tmp_path / "measurement.json")
    assert Flag.RESUMED not in record.flags and record.results["epochs_run"] == 2


def test_a_state_that_cannot_be_saved_does_not_end_the_training(stage, pipeline, tmp_path, capfd):
    (tmp_path / STATE).symlink_to("/dev/full")
    options = ("--epochs", 2, "--save-every-s", 0.001)
    stage("train", "--data", pipeline.table, "--out", tmp_path, *options)
    assert f"{STATE}: the state could not be saved (No space left on device)" in capfd.readouterr().err
    assert Measurement.read(tmp_path / "measurement.json").results["epochs_run"] == 2


def test_a_training_does_not_resume_with_other_meters():
    names = ("start", "optimizer", "schedule", "pruning", "packing")
    parameters = {"transform": "baler", "engine": "reference", **dict.fromkeys(names)}

    def key(meter):
        return training_key(toy.generate(10, 1), parameters, [meter])

    assert key("process") == key("process") != key("codecarbon")
