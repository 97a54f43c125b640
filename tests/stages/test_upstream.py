"""Stages with the engine upstream: with a stand-in for Baler, and with Baler itself if it is installed."""

import json
import pstats
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.container import Reader
from baler_energy.codecs.upstream import files, install
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import BalerEnergyError, InputError, UnavailableError
from baler_energy.records import Measurement

pytestmark = pytest.mark.long

ENGINE = ("--engine", "upstream")


@pytest.fixture
def stand_in(stand_in_baler, pipeline, tmp_path, monkeypatch):
    """Make the stand-in return the pipeline's network as its own."""
    files.write_model(tmp_path / "model.pt", Checkpoint.read(pipeline.checkpoint))
    monkeypatch.setenv("STAND_IN_MODEL", str(tmp_path / "model.pt"))
    return stand_in_baler


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_training_writes_the_same_files_as_the_other_engines(stage, stand_in, pipeline, tmp_path, capfd):
    out = tmp_path / "out"
    options = ("--epochs", 3, "--seed", 5, "--early-stopping-patience", 9)
    stage("train", *ENGINE, "--data", pipeline.table, "--out", out, *options)
    assert names(out) == ["checkpoint.pt", "history.parquet", "measurement.json", "samples.parquet"]
    # From the warm-up and the one iteration; only the last mode's output is printed.
    assert "100 %|=====| stand-in full train [5, 5] [1]" in capfd.readouterr().err.splitlines()
    record = Measurement.read(out / "measurement.json")
    assert record.parameters["engine"] == "upstream" and record.parameters["early_stopping_patience"] == 9
    results = record.results
    assert (results["final_loss"], results["epochs_run"], results["parameters"]) == (1 / 3, 3, 61_536)
    assert results["upstream_version"] == "0.1" and results["upstream_commit"] is None
    assert results["startup_s"] > 0 and results["upstream_model_bytes"] == (tmp_path / "model.pt").stat().st_size
    assert record.provenance["stage"] == "baler_energy.stages.train"
    history = pd.read_parquet(out / "history.parquet")
    assert history["epoch"].tolist() == [1, 2, 3] and history["duration_s"].isna().all()
    checkpoint, own = Checkpoint.read(out / "checkpoint.pt"), Checkpoint.read(pipeline.checkpoint)
    assert checkpoint.content_hash == own.content_hash


def test_compressing_and_decompressing_write_the_same_files_as_the_other_engines(stage, stand_in, pipeline, tmp_path):
    table, codec = Table.read(pipeline.table), ("--checkpoint", pipeline.checkpoint)
    stage("compress", *ENGINE, "--data", pipeline.table, *codec, "--out", tmp_path / "c")
    assert names(tmp_path / "c") == ["measurement.json", "samples.parquet", "table.baler"]
    content = Reader(tmp_path / "c" / "table.baler")
    assert np.array_equal(content.latents(), table.data[:, :12]), "the stand-in's latents"
    results = Measurement.read(tmp_path / "c" / "measurement.json").results
    assert results["compressed_bytes"] == (tmp_path / "c" / "table.baler").stat().st_size
    assert results["upstream_compressed_bytes"] > results["latent_bytes"] == 300 * 12 * 8
    stage("decompress", *ENGINE, "--compressed", tmp_path / "c/table.baler", *codec, "--out", tmp_path / "d")
    assert names(tmp_path / "d") == ["measurement.json", "reconstructed.npz", "samples.parquet"]
    back = Table.read(tmp_path / "d" / "reconstructed.npz")
    assert (back.data == 7.0).all() and back.data.shape == table.data.shape
    assert (back.names, back.dtypes) == (table.names, table.dtypes)
    assert back.origin == {"source": "toy", "label": table.origin["label"], "reconstructed_from": "table.baler"}
    assert Measurement.read(tmp_path / "d" / "measurement.json").results["rows"] == 300


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--precision", "float32"), "precision 'float32' is not supported by engine 'upstream'"),
        (("--model", "64-32"), "baler-small"),
        (("--packing", "zstd"), "packing"),
        (("--shuffle",), "shuffle"),
        (("--plateau-patience", 2), "plateau_patience"),
    ],
)
def test_what_baler_does_not_do_is_refused(stage, stand_in, pipeline, tmp_path, options, named):
    with pytest.raises(InputError, match=named):
        stage("train", *ENGINE, "--data", pipeline.table, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_packed_is_refused(stage, stand_in, pipeline, tmp_path):
    packed = ("--packing", "float32")
    stage("compress", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path / "c", *packed)
    files = ("--compressed", tmp_path / "c/table.baler", "--checkpoint", pipeline.checkpoint)
    with pytest.raises(InputError, match="packing 'float32'"):
        stage("decompress", *ENGINE, *packed, *files, "--out", tmp_path / "d")


def test_another_kind_of_file_is_refused(stage, stand_in, pipeline, tmp_path):
    options = ("--data", tmp_path / "x.root", "--checkpoint", pipeline.checkpoint, "--format", "root")
    with pytest.raises(InputError, match="--engine fast"):
        stage("compress", *ENGINE, *options, "--out", tmp_path / "c")


def test_a_column_of_a_single_value_is_refused(stage, stand_in, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    table.data[:, 3] = 4.0
    table.write(tmp_path / "constant.npz")
    with pytest.raises(InputError, match=rf"constant\.npz: column '{table.names[3]}' has a single value"):
        stage("train", *ENGINE, "--data", tmp_path / "constant.npz", "--out", tmp_path / "out")
    codec = ("--checkpoint", pipeline.checkpoint)
    with pytest.raises(InputError, match="single value"):
        stage("compress", *ENGINE, "--data", tmp_path / "constant.npz", *codec, "--out", tmp_path / "out")


def test_a_value_that_is_not_finite_is_refused_as_by_the_other_engines(stage, stand_in, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    table.data[17, 3] = np.nan
    table.write(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=f"Column {table.names[3]!r} contains NaN, infinity"):
        stage("train", *ENGINE, "--data", tmp_path / "bad.npz", "--out", tmp_path / "out")
    codec = ("--data", tmp_path / "bad.npz", "--checkpoint", pipeline.checkpoint)
    with pytest.raises(InputError, match=rf"Column {table.names[3]!r} has nan in row 17 \(counting from 0\)"):
        stage("compress", *ENGINE, *codec, "--out", tmp_path / "out")


def test_a_table_with_another_range_causes_a_warning(stage, stand_in, pipeline, tmp_path, capfd):
    toy.generate(300, 2).write(tmp_path / "other.npz")
    options = ("--data", tmp_path / "other.npz", "--checkpoint", pipeline.checkpoint)
    stage("compress", *ENGINE, *options, "--out", tmp_path / "out")
    assert "this table's own minima and ranges" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("trouble", "error", "said"),
    [
        ("dies", BalerEnergyError, "was killed by SIGKILL"),
        ("fails", BalerEnergyError, "no such thing"),
        ("diverges", InputError, "Training diverged: the loss of epoch 1 is nan"),
    ],
)
def test_a_failure_leaves_nothing(stage, stand_in, pipeline, tmp_path, monkeypatch, trouble, error, said):
    monkeypatch.setenv("STAND_IN_TROUBLE", trouble)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "measurement.json").write_text("of an earlier run")
    (tmp_path / "out" / ".upstream.9999999-0123abcd").mkdir()
    with pytest.raises(error, match=said):
        stage("train", *ENGINE, "--data", pipeline.table, "--out", tmp_path / "out")
    assert names(tmp_path / "out") == []


OPERATIONS = ("train", "compress", "decompress")


def profiled(stage, pipeline, out, profiler):
    codec = ("--checkpoint", pipeline.checkpoint, "--max-batches", 2)
    options = ("--data", pipeline.table, *codec, "--operation", *OPERATIONS, "--profiler", profiler, "--out", out)
    stage("profile", *ENGINE, *options)
    return [pd.read_parquet(out / operation / "hotspots.parquet") for operation in OPERATIONS]


def test_cprofile_shows_balers_functions(stage, stand_in, pipeline, tmp_path):
    for operation, rows in zip(OPERATIONS, profiled(stage, pipeline, tmp_path, "cprofile"), strict=True):
        assert set(rows["kind"]) == {"function", "call"} and set(rows["engine"]) == {"upstream"}
        functions = rows[rows["kind"] == "function"].set_index("name")
        assert functions.loc["main", ["file", "calls"]].tolist() == ["baler/baler.py", 1]
        assert functions.loc["main", "total_share"] > 0.9
        assert 0.5 < functions["self_share"].sum() <= 1 + 1e-9
        # The path to it goes through what called it.
        assert rows.loc[rows["kind"] == "call", "stack"].str.contains("main;").any()
        assert "main" in {name for _, _, name in pstats.Stats(str(tmp_path / operation / "profile.pstats")).stats}


@pytest.mark.parametrize("profiler", ["torch", "scalene", "pyspy", "copies", "perf"])
def test_other_profilers_report_why_they_have_no_values(stage, stand_in, pipeline, tmp_path, profiler):
    for rows in profiled(stage, pipeline, tmp_path, profiler):
        (row,) = rows.to_dict("records")
        assert (row["kind"], row["name"]) == ("absent", profiler) and "can only be profiled with cprofile" in row[
            "reason"
        ]


def test_without_baler_a_profile_reports_how_to_install_it(stage, pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv(install.VARIABLE, str(tmp_path / "nothing"))
    for rows in profiled(stage, pipeline, tmp_path, "cprofile"):
        assert rows["kind"].tolist() == ["absent"] and "make upstream" in rows["reason"].iloc[0]


def test_it_has_no_parts(stage, pipeline, tmp_path):
    options = ("--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--max-batches", 2, "--out", tmp_path)
    stage("parts", *ENGINE, *options)
    for name in (*OPERATIONS, "prepare", "machine"):
        rows = pd.read_parquet(tmp_path / name / "hotspots.parquet")
        assert rows["kind"].tolist() == ["absent"] and "'upstream'" in rows["reason"].iloc[0]


def test_if_baler_is_missing_the_stage_reports_how_to_install_it(stage, pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv(install.VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(UnavailableError, match="make upstream"):
        stage("train", *ENGINE, "--data", pipeline.table, "--out", tmp_path / "out")


@pytest.fixture
def both(stage, real_baler, tmp_path):
    """Results of the reference and of Baler itself, trained and applied in the same way on 3,000 toy jets."""
    toy.generate(3000, 1).write(tmp_path / "table.npz")
    point = ("--epochs", 2, "--seed", 7, "--batch-size", 512)
    for engine in ("reference", "upstream"):
        out, codec = tmp_path / engine, ("--checkpoint", tmp_path / engine / "t" / "checkpoint.pt", "--engine", engine)
        stage("train", "--engine", engine, "--data", tmp_path / "table.npz", "--out", out / "t", *point)
        stage("compress", *codec, "--data", tmp_path / "table.npz", "--out", out / "c", *point)
        stage("decompress", *codec, "--compressed", out / "c/table.baler", "--out", out / "d", *point)
        stage(
            "evaluate", "--original", tmp_path / "table.npz", "--reconstructed", out / "d/reconstructed.npz",
            "--compressed", out / "c/table.baler", "--checkpoint", out / "t/checkpoint.pt", "--out", out / "e",
        )  # fmt: skip
    return tmp_path


def test_baler_itself_learns_and_codes_what_the_reference_does(both, real_baler):
    learns_what_the_reference_learns(both, real_baler)
    codes_what_the_reference_codes(both)


def learns_what_the_reference_learns(both, real_baler):
    ours, theirs = (Checkpoint.read(both / engine / "t" / "checkpoint.pt") for engine in ("reference", "upstream"))
    losses = [pd.read_parquet(both / engine / "t" / "history.parquet")["loss"] for engine in ("reference", "upstream")]
    assert losses[1].to_numpy() == pytest.approx(losses[0].to_numpy(), rel=1e-9)
    assert np.array_equal(theirs.normalisation.features, ours.normalisation.features)
    for name, tensor in ours.parameters.items():
        assert torch.allclose(theirs.parameters[name], tensor, rtol=0, atol=1e-9), name
    results = Measurement.read(both / "upstream" / "t" / "measurement.json").results
    assert all(results[f"upstream_{name}"] == real_baler.versions[name] for name in ("version", "commit"))


def codes_what_the_reference_codes(both):
    table = Table.read(both / "table.npz")
    checkpoint = Checkpoint.read(both / "upstream" / "t" / "checkpoint.pt")
    content = Reader(both / "upstream" / "c" / "table.baler")
    codec = InMemoryCodec(checkpoint, torch.device("cpu"), 512)
    latents = content.latents()
    np.testing.assert_allclose(latents, codec.encode(table.data), rtol=0, atol=1e-12 * np.ptp(latents))
    back = Table.read(both / "upstream" / "d" / "reconstructed.npz")
    exact, spread = codec.decode(latents), checkpoint.normalisation.features[1]
    assert table.integer.any()
    # Baler truncates integers; other columns keep their number format.
    expected = exact.copy()
    expected[:, table.integer] = np.trunc(exact[:, table.integer])
    for number in np.flatnonzero(~table.integer):
        expected[:, number] = exact[:, number].astype(table.dtypes[number])
    assert (np.abs(back.data - expected) <= 2e-7 * spread + 1e-6 * np.abs(expected)).mean() > 0.9999
    errors = [
        json.loads((both / engine / "e" / "summary.json").read_text())["mean_rms_over_range"]
        for engine in ("reference", "upstream")
    ]
    assert errors[0] <= errors[1] < errors[0] + 0.05, "truncation costs, and nothing else"


def test_baler_itself_repeats_from_the_same_start(stage, real_baler, tmp_path):
    toy.generate(2000, 1).write(tmp_path / "table.npz")
    for name, window_s in (("once", 0), ("often", 0.5)):
        options = ("--out", tmp_path / name, "--epochs", 1, "--min-window-s", window_s, "--model", "baler-small")
        stage("train", *ENGINE, "--data", tmp_path / "table.npz", *options)
    records = [Measurement.read(tmp_path / name / "measurement.json") for name in ("once", "often")]
    assert records[0].iterations == 1 < records[1].iterations
    assert records[0].results["final_loss"] == records[1].results["final_loss"]
    memory = [r for r in records[1].readings if r.quantity == "memory_peak"]
    assert memory[0].value is None or memory[0].value > 100e6, "of Baler's process, which imports torch"


def test_baler_itself_reports_why_it_failed(stage, real_baler, pipeline, tmp_path, monkeypatch):
    def broken() -> None:
        for folder in (tmp_path / "out").glob(".upstream.*/workspaces/measured/full/data"):
            shutil.rmtree(folder)

    monkeypatch.setattr("baler_energy.meters.session.gc.collect", broken)
    with pytest.raises(BalerEnergyError, match=r"(?s)failed in mode train: FileNotFoundError: .*Its last lines:"):
        stage("train", *ENGINE, "--data", pipeline.table, "--out", tmp_path / "out")


def test_baler_itself_is_profiled_down_to_its_loop(stage, real_baler, pipeline, tmp_path):
    train, compress, _ = profiled(stage, pipeline, tmp_path, "cprofile")
    assert "baler/modules/training.py" in set(train["file"].dropna())
    assert "baler/modules/data_processing.py" in set(compress["file"].dropna())
