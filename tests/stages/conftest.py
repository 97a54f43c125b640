"""Fixtures of the stages' tests: stages run as from the command line, and a small pipeline's files."""

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from baler_energy.data import toy

MEASURED = ("train", "apply", "compress", "decompress", "forward", "parts")
QUICK = ("--meters", "process", "--min-window-s", "0", "--idle-s", "0", "--sample-interval-s", "0.02")
POINT = ("--device", "cpu", "--threads", "1", "--batch-size", "64")

Stage = Callable[..., None]


@dataclass(frozen=True)
class Pipeline:
    """Files of a small run."""

    table: Path
    checkpoint: Path
    compressed: Path
    reconstructed: Path


def _run(stage: str, *options: object) -> None:
    module = importlib.import_module(f"baler_energy.stages.{stage}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    quick = (*POINT, *QUICK) if stage in MEASURED else POINT if stage == "profile" else ()
    module.run(parser.parse_args([str(word) for word in (*quick, *options)]))


@pytest.fixture(scope="session")
def stage() -> Stage:
    """Run a stage with the options of its command line, quickly and on one thread."""
    return _run


@pytest.fixture(scope="session")
def pipeline(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Train, compress and decompress 300 toy jets."""
    folder = tmp_path_factory.mktemp("pipeline")
    files = Pipeline(
        folder / "table.npz", folder / "t/checkpoint.pt", folder / "c/table.baler", folder / "d/reconstructed.npz"
    )
    toy.generate(300, 1).write(files.table)
    stage("train", "--data", files.table, "--out", folder / "t", "--epochs", 2)
    codec = ("--checkpoint", files.checkpoint, "--epochs", 2)
    stage("compress", "--data", files.table, *codec, "--out", folder / "c")
    stage("decompress", "--compressed", files.compressed, *codec, "--out", folder / "d")
    return files


@pytest.fixture(scope="session")
def jets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a Parquet file of 1500 toy jets."""
    table = toy.generate(1500, 1)
    columns = zip(table.names, table.data.T, table.dtypes, strict=True)
    path = tmp_path_factory.mktemp("jets") / "jets.parquet"
    pd.DataFrame({name: values.astype(dtype) for name, values, dtype in columns}).to_parquet(path)
    return path
