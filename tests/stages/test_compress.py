"""Stage compress."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.container import Reader
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.records import Measurement


def test_the_record_has_every_size(pipeline):
    folder = pipeline.compressed.parent
    assert sorted(path.name for path in folder.iterdir()) == ["measurement.json", "samples.parquet", "table.baler"]
    record = Measurement.read(folder / "measurement.json")
    assert record.results == {
        "compressed_bytes": pipeline.compressed.stat().st_size,
        "latent_bytes": 300 * 12 * 8,
        "stored_latent_bytes": 300 * 12 * 8 + 128,  # and the header of NumPy's format
        "correction_bytes": 0,
        "input_float64_bytes": 300 * 24 * 8,
        "native_bytes": 300 * 24 * 4,
        "source_bytes": None,
        "checkpoint_bytes": pipeline.checkpoint.stat().st_size,
        "coder_startup_s": None,
        "torch_gpu_memory_peak_b": None,
    }
    assert {"rows": 300, "latent_columns": 12, "epochs": 2, "source": "toy"}.items() <= record.parameters.items()
    assert "shuffle" not in record.parameters


def test_the_file_holds_all_rows_and_not_those_of_the_warm_up(pipeline):
    assert Reader(pipeline.compressed).latents().shape == (300, 12)


def test_epochs_that_are_not_given_are_null(stage, pipeline, tmp_path):
    stage("compress", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path)
    assert Measurement.read(tmp_path / "measurement.json").parameters["epochs"] is None
    assert (tmp_path / "table.baler").read_bytes() == pipeline.compressed.read_bytes()


@pytest.mark.parametrize(
    ("options", "advice"),
    [(("--precision", "float32"), "--precision float64"), (("--compression-ratio", 3), r"--compression-ratio 2\.0")],
)
def test_options_that_contradict_the_checkpoint_are_refused(stage, pipeline, tmp_path, options, advice):
    with pytest.raises(InputError, match=advice):
        stage("compress", "--data", pipeline.table, "--checkpoint", pipeline.checkpoint, "--out", tmp_path, *options)


def test_a_table_of_other_columns_leaves_nothing_behind(stage, pipeline, tmp_path):
    table = Table.read(pipeline.table)
    Table(table.data, table.names[::-1], table.dtypes, {}).write(tmp_path / "other.npz")
    with pytest.raises(InputError, match="Column 0"):
        stage(
            "compress", "--data", tmp_path / "other.npz", "--checkpoint", pipeline.checkpoint, "--out", tmp_path / "o"
        )
    assert not (tmp_path / "o").exists()


def test_a_damaged_checkpoint_is_refused(stage, pipeline, tmp_path):
    content = bytearray(pipeline.checkpoint.read_bytes())
    weights = Checkpoint.read(pipeline.checkpoint).parameters["en2.weight"].numpy().tobytes()
    content[content.index(weights[:64])] ^= 1
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.pt.*damaged"):
        stage("compress", "--data", pipeline.table, "--checkpoint", tmp_path / "c.pt", "--out", tmp_path / "o")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_engines_refuse_a_value_that_is_not_finite_alike_and_a_bound_keeps_it(stage, pipeline, tmp_path, value):
    table = Table.read(pipeline.table)
    table.data[17, 3] = value
    table.write(tmp_path / "bad.npz")
    codec, said = ("--data", tmp_path / "bad.npz", "--checkpoint", pipeline.checkpoint), set()
    for engine in ("reference", "fast"):
        with pytest.raises(InputError) as refused:
            stage("compress", "--engine", engine, *codec, "--out", tmp_path / "refused")
        said.add(str(refused.value))
    assert len(said) == 1 and f"Column {table.names[3]!r} has {value} in row 17 (counting from 0)" in said.pop()
    assert not (tmp_path / "refused").exists()
    for engine in ("reference", "fast"):
        how, out = ("--engine", engine, "--packing", "zstd+bound-0.01"), tmp_path / engine
        stage("compress", *how, *codec, "--out", out)
        stage("decompress", *how, *codec[2:], "--compressed", out / "table.baler", "--out", out)
        back = Table.read(out / "reconstructed.npz").data
        assert np.array_equal(back[17, 3], value, equal_nan=True) and np.isfinite(back).sum() == back.size - 1


def test_values_lost_in_a_column_that_was_constant_are_reported(stage, tmp_path, capsys):
    table = toy.generate(100, 1)
    constant = table.data.copy()
    constant[:, 2] = 1.5
    Table(constant, table.names, table.dtypes, table.origin).write(tmp_path / "constant.npz")
    table.write(tmp_path / "table.npz")
    stage("train", "--data", tmp_path / "constant.npz", "--out", tmp_path / "t", "--epochs", 1)
    codec = ("--checkpoint", tmp_path / "t/checkpoint.pt", "--out", tmp_path / "c")
    stage("compress", "--data", tmp_path / "constant.npz", *codec)
    assert "lost" not in capsys.readouterr().err
    stage("compress", "--data", tmp_path / "table.npz", *codec)
    assert "phi: constant in training" in capsys.readouterr().err
    stage("decompress", "--compressed", tmp_path / "c/table.baler", *codec)
    assert (Table.read(tmp_path / "c/reconstructed.npz").data[:, 2] == np.float32(1.5)).all()


def test_a_file_named_as_an_output_is_not_written_over(stage, tmp_path):
    """The time series of the measurement would replace it."""
    data = tmp_path / "samples.parquet"
    pq.write_table(pa.table({"x": np.arange(5.0)}), data)
    before = data.read_bytes()
    with pytest.raises(InputError, match=r"samples\.parquet: would be replaced, but is the file to read"):
        stage("compress", "--transform", "identity", "--packing", "zstd", "--data", data, "--out", tmp_path)
    assert data.read_bytes() == before and list(tmp_path.iterdir()) == [data]
