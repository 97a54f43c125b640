"""Stage train."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from baler_energy.codecs.baler import pca_start
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.state import Epoch
from baler_energy.config.recommended import RECOMMENDED, RECOMMENDED_EPOCHS
from baler_energy.data.table import Table
from baler_energy.errors import InputError, UnavailableError
from baler_energy.records import Measurement
from baler_energy.stages.history import History
from baler_energy.vocabulary import Operation


def test_the_record_is_complete(pipeline):
    folder = pipeline.checkpoint.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.pt",
        "history.parquet",
        "measurement.json",
        "samples.parquet",
    ]
    record = Measurement.read(folder / "measurement.json")
    assert record.operation is Operation.TRAIN
    expected = {
        "run_id": "run",
        "source": "toy",
        "rows": 300,
        "columns": 24,
        "engine": "reference",
        "device": "cpu",
        "precision": "float64",
        "batch_size": 64,
        "compression_ratio": 2.0,
        "packing": "none",
        "latent_columns": 12,
        "epochs": 2,
        "repeat": 0,
        "seed": 1,
        "threads": 1,
        "learning_rate": None,
        "schedule": "constant",
        "shuffle": False,
    }
    assert expected.items() <= record.parameters.items()
    history = pd.read_parquet(folder / "history.parquet")
    assert record.results["final_loss"] == history["loss"].iloc[-1]
    assert record.results["epochs_run"] == 2 and record.results["parameters"] == 61_536
    assert record.results["flops"] == 2 * record.results["macs"] == 355_200 * 300 * 2
    assert record.results["learning_rate"] == 1e-3
    assert record.results["torch_gpu_memory_peak_b"] is None


@pytest.mark.parametrize(
    "codec", [("--engine", "reference"), ("--engine", "fast"), ("--transform", "pca")], ids=lambda words: words[1]
)
def test_a_value_that_is_not_finite_is_refused_alike(stage, pipeline, tmp_path, codec):
    table = Table.read(pipeline.table)
    table.data[17, 3] = np.nan
    table.write(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=f"Column {table.names[3]!r} contains NaN, infinity or values near 1e308"):
        stage("train", *codec, "--data", tmp_path / "bad.npz", "--epochs", 1, "--out", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))


def test_more_threads_than_cpus_run_and_are_reported(stage, pipeline, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("baler_energy.stages.options.allowed_cpus", lambda: 1)
    before = torch.get_num_threads()
    try:
        stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 1, "--threads", 2)
    finally:
        torch.set_num_threads(before)
    assert capfd.readouterr().err.count("--threads 2: this process may only use 1 CPU,") == 1
    assert Measurement.read(tmp_path / "measurement.json").parameters["threads"] == 2


def test_the_history_has_a_row_per_epoch(pipeline):
    history = pd.read_parquet(pipeline.checkpoint.parent / "history.parquet")
    assert history["epoch"].tolist() == [1, 2]
    assert (history["duration_s"] > 0).all() and history["loss"].is_monotonic_decreasing


def test_iterations_start_afresh_and_the_history_is_of_the_last(stage, pipeline, tmp_path, three_iterations):
    out = tmp_path / "long"
    stage("train", "--data", pipeline.table, "--out", out, "--epochs", 2, "--min-window-s", 1)
    assert Measurement.read(out / "measurement.json").iterations == 3
    assert Checkpoint.read(out / "checkpoint.pt").content_hash == Checkpoint.read(pipeline.checkpoint).content_hash
    assert pd.read_parquet(out / "history.parquet")["epoch"].tolist() == [1, 2]


def test_energies_count_from_the_iterations_start(tmp_path):
    counter = iter([{"rapl/cpu": 100.0}, {"rapl/cpu": 103.0}, {"rapl/cpu": 110.0}, {"rapl/cpu": 112.0}, {}])
    history = History(SimpleNamespace(energies_j=lambda: next(counter)))
    history.restart()
    history.add(Epoch(1, 9.0, 0.1))
    history.restart()
    history.add(Epoch(1, 9.0, 0.1))
    history.add(Epoch(2, 8.0, 0.1))
    history.write(tmp_path / "h.parquet")
    frame = pd.read_parquet(tmp_path / "h.parquet")
    assert frame["energy_j:rapl/cpu"].iloc[0] == 2.0
    assert np.isnan(frame["energy_j:rapl/cpu"].iloc[1]), "a counter that failed is null"


def test_early_stopping_and_precision_come_from_the_options(stage, pipeline, tmp_path):
    # At this rate the loss soon rises.
    options = ("--precision", "float32", "--early-stopping-patience", 1, "--learning-rate", 1)
    stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 60, "--compression-ratio", 3, *options)
    record = Measurement.read(tmp_path / "measurement.json")
    losses = pd.read_parquet(tmp_path / "history.parquet")["loss"].tolist()
    assert record.parameters["epochs"] == 60 and record.results["epochs_run"] == len(losses) < 60
    assert losses[-1] >= losses[-2] and losses[:-1] == sorted(losses[:-1], reverse=True)
    checkpoint = Checkpoint.read(tmp_path / "checkpoint.pt")
    assert (checkpoint.precision, checkpoint.architecture.latent) == ("float32", 8)


def test_the_fast_engine_trains_the_same_network(stage, pipeline, tmp_path):
    stage("train", "--data", pipeline.table, "--out", tmp_path, "--engine", "fast", "--epochs", 2)
    assert Measurement.read(tmp_path / "measurement.json").parameters["engine"] == "fast"
    ours, reference = Checkpoint.read(tmp_path / "checkpoint.pt"), Checkpoint.read(pipeline.checkpoint)
    for name, theirs in reference.parameters.items():
        torch.testing.assert_close(ours.parameters[name], theirs, rtol=0, atol=1e-12)


def test_a_start_is_recorded_and_what_does_not_fit_is_reported_once(stage, pipeline, tmp_path, capfd):
    words = ("--start", "pca", "--model", "20-10", "--epochs", 2)
    stage("train", "--data", pipeline.table, "--out", tmp_path, *words)
    assert capfd.readouterr().err.count("start pca: 5 of 12 latent columns") == 1
    assert Measurement.read(tmp_path / "measurement.json").parameters["start"] == "pca"


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_start_is_part_of_every_iteration_in_the_window(
    stage, pipeline, tmp_path, monkeypatch, three_iterations, engine
):
    rows, start = list[int](), pca_start.start
    monkeypatch.setattr(pca_start, "start", lambda model, scaled: [rows.append(len(scaled)), start(model, scaled)])
    words = ("--start", "pca", "--engine", engine, "--epochs", 1, "--batch-size", 16, "--min-window-s", 1)
    stage("train", "--data", pipeline.table, "--out", tmp_path, *words)
    assert rows.count(300) == Measurement.read(tmp_path / "measurement.json").iterations == 3


def test_a_network_with_a_skip_passes_through_every_stage(stage, pipeline, tmp_path):
    words = ("--model", "skip-8", "--start", "pca")
    stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 2, *words)
    known = ("--checkpoint", tmp_path / "checkpoint.pt")
    architecture = Checkpoint.read(tmp_path / "checkpoint.pt").architecture
    assert Measurement.read(tmp_path / "measurement.json").results["parameters"] == architecture.parameters
    for ours, other in (("reference", "fast"), ("fast", "reference")):
        compressed = tmp_path / ours / "table.baler"
        stage("compress", "--data", pipeline.table, *known, "--out", compressed.parent, *words[:2], "--engine", ours)
        back = ("--compressed", compressed, "--out", tmp_path / other / "back", "--engine", other)
        stage("decompress", *known, *back, *words[:2])
    tables = [np.load(path)["data"] for path in tmp_path.glob("*/back/*.npz")]
    np.testing.assert_allclose(*tables, rtol=1e-9, atol=1e-9)
    with pytest.raises(InputError, match=r"network skip-8, but --model is baler\. Use --model skip-8\."):
        stage("compress", "--data", pipeline.table, *known, "--out", tmp_path / "other")


def test_training_to_a_loss_records_the_epochs_that_ran(stage, pipeline, tmp_path):
    target = pd.read_parquet(pipeline.checkpoint.parent / "history.parquet")["loss"].iloc[1]
    options = ("--epochs", 9, "--stop-at-loss", target)
    stage("train", "--data", pipeline.table, "--out", tmp_path, *options)
    record = Measurement.read(tmp_path / "measurement.json")
    assert (record.parameters["epochs"], record.results["epochs_run"]) == (9, 2)
    assert record.parameters["stop_at_loss"] == record.results["final_loss"] == target
    assert record.results["flops"] == 2 * 355_200 * 300


def test_bfloat16_is_recorded_and_leaves_a_float32_checkpoint(stage, pipeline, tmp_path):
    options = ("--engine", "fast", "--precision", "bfloat16", "--epochs", 2)
    stage("train", "--data", pipeline.table, "--out", tmp_path, *options)
    record, reference = (Measurement.read(p / "measurement.json") for p in (tmp_path, pipeline.checkpoint.parent))
    assert record.parameters["precision"] == "bfloat16"
    assert record.results["final_loss"] == pytest.approx(reference.results["final_loss"], rel=0.02)
    assert Checkpoint.read(tmp_path / "checkpoint.pt").precision == "float32"


def test_an_old_record_does_not_outlive_a_failure(stage, pipeline, tmp_path, monkeypatch):
    stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 1)

    def diverge(*args: object) -> None:
        raise InputError("Training diverged")

    monkeypatch.setattr("baler_energy.codecs.baler.training.train", diverge)
    with pytest.raises(InputError, match="diverged"):
        stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 1)
    assert not (tmp_path / "measurement.json").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--compression-ratio", 0.5), "--compression-ratio"),
        (("--learning-rate", 0), "--learning-rate"),
        (("--learning-rate", "nan"), "--learning-rate"),
        (("--plateau-factor", 1), "--plateau-factor"),
        (("--early-stopping-patience", 0), "--early-stopping-patience"),
        (("--save-every-s", 0), "--save-every-s"),
        (("--stop-at-loss", 0), "--stop-at-loss"),
        (("--stop-at-gain", 1), "--stop-at-gain"),
        (("--epochs", 0), "--epochs"),
        (("--batch-size", -5), "--batch-size"),
        (("--threads", 0), "--threads 0"),
        (("--threads", "some"), "--threads some"),
        (("--engine", "slow"), "--engine slow: should be 'reference'"),
        (("--packing", "tight"), "--packing tight"),
        (("--start", "warm"), "--start warm"),
        (("--engine", "upstream", "--start", "pca"), "start 'pca'"),
        (("--model", "large"), "--model large"),
        (("--seed", -1), "--seed"),
        (("--repeat", -1), "--repeat"),
    ],
)
def test_options_out_of_range_are_refused(stage, pipeline, tmp_path, options, named):
    with pytest.raises(InputError, match=named):
        stage("train", "--data", pipeline.table, "--out", tmp_path, *options)
    assert list(tmp_path.iterdir()) == []


def test_cuda_without_a_gpu_is_unavailable(stage, pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="--device cpu"):
        stage("train", "--data", pipeline.table, "--out", tmp_path, "--device", "cuda")


def test_a_table_that_cannot_be_scaled_is_refused(stage, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    table.data[7, 1] = np.inf
    table.write(tmp_path / "bad.npz")
    with pytest.raises(InputError, match="'eta'"):
        stage("train", "--data", tmp_path / "bad.npz", "--out", tmp_path / "out")


def test_a_missing_table_is_refused(stage, tmp_path):
    with pytest.raises(InputError, match=r"absent\.npz"):
        stage("train", "--data", tmp_path / "absent.npz", "--out", tmp_path / "out")


def test_recommended_sets_what_is_not_given(stage, pipeline, tmp_path):
    stage("train", "--data", pipeline.table, "--out", tmp_path / "a", "--recommended", "--threads", 1)
    record = Measurement.read(tmp_path / "a" / "measurement.json")
    assert ({**RECOMMENDED, "epochs": RECOMMENDED_EPOCHS}).items() <= record.parameters.items()
    given = ("--precision", "float64", "--epochs", 1, "--plateau-patience", 3)
    stage("train", "--data", pipeline.table, "--out", tmp_path / "b", *given, "--recommended", "--threads", 1)
    record = Measurement.read(tmp_path / "b" / "measurement.json")
    expected = {"precision": "float64", "epochs": 1, "schedule": "plateau", "engine": "fast", "start": "pca"}
    assert expected.items() <= record.parameters.items(), "options have priority, also in front and at their defaults"


@pytest.mark.parametrize("name", ["checkpoint.pt", "history.parquet", "samples.parquet", "measurement.json"])
def test_what_cannot_be_written_is_refused_before_the_training(stage, pipeline, tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.setattr("baler_energy.meters.session.Session.run", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(InputError, match=f"{name}: is a folder"):
        stage("train", "--data", pipeline.table, "--out", tmp_path)


def test_a_meter_that_cannot_be_prepared_loses_no_run(stage, pipeline, tmp_path, monkeypatch):
    def fail(meter):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("baler_energy.meters.process.ProcessMeter.prepare", fail)
    stage("train", "--data", pipeline.table, "--out", tmp_path, "--epochs", 1)
    assert Measurement.read(tmp_path / "measurement.json").readings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--transform", "pca", "--shuffle", "--stop-at-loss", 1),
            [f"{name}: no effect with --transform pca." for name in ("--batch-size", "--shuffle", "--stop-at-loss")],
        ),
        (("--plateau-factor", 0.1), ["--plateau-factor: no effect without --schedule plateau."]),
        (("--plateau-factor", 0.1, "--plateau-patience", 3), []),
        (
            ("--plateau-patience", 3, "--schedule", "one-cycle"),
            ["--plateau-patience: no effect without --schedule plateau."],
        ),
        (("--fine-tuning", 0.5), ["--fine-tuning: no effect without --pruning."]),
        (("--fine-tuning", 0.5, "--pruning", "neurons-0.5"), []),
        (("--idle-lifetime-s", 60), ["--idle-lifetime-s: no effect without --idle-cache."]),
        (("--idle-cache", "idle"), ["--idle-cache: no effect without --idle-lifetime-s."]),
    ],
)
def test_options_without_effect_are_named(stage, pipeline, tmp_path, monkeypatch, capsys, options, said):
    monkeypatch.chdir(tmp_path)
    stage("train", "--data", pipeline.table, *options, "--out", tmp_path)
    assert [line for line in capsys.readouterr().err.splitlines() if "no effect" in line] == said
