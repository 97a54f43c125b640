"""Runs whose costs follow a known law, with noise, for the tests of laws and forecasts."""

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from baler_energy.analysis.hardware import Cost, Mean, OtherCodec
from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.analysis.work import TERMS, work
from baler_energy.codecs.baler.architecture import network
from baler_energy.config.parameters import AXIS_DEFAULTS

#: Coefficients of time (s) and of energy above idle (J) per job, epoch, step, byte and FLOP.
TIME = {"job": 0.2, "epoch": 0.05, "step": 1e-3, "byte": 2e-9, "flop": 3e-11}
ENERGY = {"job": 8.0, "epoch": 1.5, "step": 0.02, "byte": 1e-7, "flop": 6e-10}
IDLE_W = 20.0

GRID = {
    "rows": (200, 3_000, 30_000),
    "epochs": (1, 4, 12),
    "batch_size": (64, 512, 4096),
    "model": ("baler-small", "baler", "baler-x2"),
}


def point(**changes: Any) -> dict[str, Any]:
    """Parameters of a run at one thread of engine reference."""
    base = {**AXIS_DEFAULTS, "dataset": "jets", "source": "pythia8", "columns": 24, "latent_columns": 12}
    base |= {"device": "cpu", "threads": 1, "rows": 3_000, "epochs": 4, "repeat": 0}
    return base | changes


def cost(coefficients: Mapping[str, float], amounts: Mapping[str, float]) -> float:
    """Sum of the terms that an operation has."""
    return sum(value * amounts[name] for name, value in coefficients.items() if not np.isnan(amounts[name]))


def known_runs(
    *,
    noise: float = 0.03,
    seed: int = 0,
    operations: Iterable[str] = ("train", "compress", "decompress"),
    measured: bool = True,
    grid: Mapping[str, Iterable[Any]] = GRID,
    **changes: Any,
) -> pd.DataFrame:
    """Return rows of ``runs`` for every combination of a grid."""
    random = np.random.default_rng(seed)
    rows = []
    for number, values in enumerate(itertools.product(*grid.values())):
        parameters = point(**dict(zip(grid, values, strict=True)))
        for operation in operations:
            amounts = work(parameters, operation)
            seconds = cost(TIME, amounts) * np.exp(noise * random.standard_normal())
            joules = cost(ENERGY, amounts) * np.exp(noise * random.standard_normal()) + IDLE_W * seconds
            facts = {"run_id": f"jets/{number}", "operation": operation, "at_centre": number == 0, "in_mean": True}
            facts |= {"duration_s": seconds, "duration_median_s": seconds, "window_s": seconds, "iterations": 1}
            facts |= {"energy_j": joules, "energy_scope": "cpu", "power_mean_w": joules / seconds}
            facts |= {"energy_evidence": "measured" if measured else "modelled"}
            facts |= {"idle_power_w": IDLE_W if measured else None, "cpu_time_s": 0.9 * seconds}
            facts |= {"hostname": "node1", "cpu_model": "Example CPU", "gpu_model": "", "virtualised": False}
            facts |= {"window_start": pd.Timestamp("2026-11-23T12:00:00Z"), "source_fingerprint": "0123456789abcdef"}
            sizes = network(parameters["model"]).sized(24, 12)
            facts |= {"parameters": sizes.parameters if operation == "train" else None}
            rows.append(parameters | facts | changes)
    schema = arrow_schema("runs")
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    ).to_pandas()


def known_tables(**options: Any) -> dict[str, pd.DataFrame]:
    """Return the tables of a dataset with these runs; the others are empty."""
    empty = {name: arrow_schema(name).empty_table().to_pandas() for name in TABLES}
    return empty | {"runs": known_runs(**options)}


def write_dataset(folder: Path, **options: Any) -> Path:
    """Write a study of these runs as far as laws need it."""
    folder.mkdir(parents=True)
    tables = known_tables(**options)
    for name in ("runs", "break_even"):
        table = pa.Table.from_pandas(tables[name], schema=arrow_schema(name), preserve_index=False)
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "datapackage.json").write_text(json.dumps({"title": "baler-energy study known"}))
    return folder


def known_codec(**changes: Any) -> OtherCodec:
    """Return a codec that compresses a GB in 3 s and 30 J, and decompresses it in 1 s and 10 J."""
    exact = {
        name: Cost(seconds=Mean(value=value, half_width=0.0), joules=Mean(value=10 * value, half_width=None))
        for name, value in (("compress", 3.0), ("decompress", 1.0))
    }
    about = {"name": "quantise+pcodec", "ratio": 20.0, "at_codec": "baler 1/2, 5 epochs", "at_ratio": 2.0}
    about |= {"at_error": "RMS residual / range 1 % on held-out rows", "evidence": "measured", "study": "worth"}
    return OtherCodec.model_validate(about | {"machine": "Example CPU"} | exact | changes)


assert set(TIME) == set(ENERGY) == set(TERMS)
