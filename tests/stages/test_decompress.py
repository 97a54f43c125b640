"""Stage decompress."""

import numpy as np
import pytest

from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.records import Measurement


def test_the_table_comes_back_with_its_names_types_and_label(pipeline):
    folder = pipeline.reconstructed.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "measurement.json",
        "reconstructed.npz",
        "samples.parquet",
    ]
    before, after = Table.read(pipeline.table), Table.read(pipeline.reconstructed)
    assert (after.names, after.dtypes, after.data.shape) == (before.names, before.dtypes, before.data.shape)
    assert after.origin["label"] == before.origin["label"]
    assert np.array_equal(after.data[:, after.integer] % 1, np.zeros((300, 9)))
    assert np.array_equal(after.data[:, 0], after.data[:, 0].astype(np.float32))
    record = Measurement.read(folder / "measurement.json")
    assert record.results["rows"] == 300
    assert {"rows": 300, "columns": 24, "source": "toy", "latent_columns": 12}.items() <= record.parameters.items()


def test_a_damaged_file_is_refused_before_anything_is_measured(stage, pipeline, tmp_path):
    content = bytearray(pipeline.compressed.read_bytes())
    content[-5] ^= 255
    (tmp_path / "t.baler").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.baler: is damaged"):
        stage(
            "decompress",
            "--compressed",
            tmp_path / "t.baler",
            "--checkpoint",
            pipeline.checkpoint,
            "--out",
            tmp_path / "o",
        )
    assert not (tmp_path / "o").exists()


def test_another_training_is_refused(stage, pipeline, tmp_path):
    stage("train", "--data", pipeline.table, "--out", tmp_path / "t", "--epochs", 2, "--seed", 2)
    codec = ("--checkpoint", tmp_path / "t/checkpoint.pt")
    with pytest.raises(InputError, match="another checkpoint"):
        stage("decompress", "--compressed", pipeline.compressed, *codec, "--out", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_a_missing_file_is_refused(stage, pipeline, tmp_path):
    with pytest.raises(InputError, match=r"absent\.baler: cannot be read"):
        stage(
            "decompress",
            "--compressed",
            tmp_path / "absent.baler",
            "--checkpoint",
            pipeline.checkpoint,
            "--out",
            tmp_path,
        )
