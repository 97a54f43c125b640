"""The study that the README shows as an example: it compresses."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from baler_energy import commands
from baler_energy.config.study import load_study
from baler_energy.records import Measurement


@pytest.fixture
def study(repository):
    """Return the example."""
    (block,) = re.findall(r"```yaml\n(name: mine\n.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    return load_study(yaml.safe_load(block))


def test_the_example_study_stores_fewer_bytes_than_the_file_has(study, stage, tmp_path):
    (data,) = study.data.values()
    rows = 20_000
    values = np.random.default_rng(1).normal(size=(rows, len(data.columns))).astype("float32")
    pd.DataFrame(values, columns=list(data.columns)).to_parquet(tmp_path / "muons.parquet")
    table = tmp_path / "table.npz"
    stage("prepare", "--input", tmp_path / "muons.parquet", "--rows", "all", "--out", table)
    bytes_per_row = {}
    for point in {point.packing: point for point in study.points}.values():
        out, options = tmp_path / point.packing, commands.point_options(study, point)
        stage("train", "--data", table, *options, "--epochs", 1, "--out", out)
        stage("compress", "--data", table, "--checkpoint", out / "checkpoint.pt", *options, "--out", out / "compressed")
        results = Measurement.read(out / "compressed" / "measurement.json").results
        assert results["native_bytes"] == 12 * rows
        bytes_per_row[point.packing] = results["compressed_bytes"] / rows
    # As its comment says.
    assert {name: round(value) for name, value in bytes_per_row.items()} == {
        "float32": 8,
        "quantise-0.01+pcodec": pytest.approx(1.5, abs=0.6),
    }
