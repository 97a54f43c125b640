"""Synthetic tables with the schema of the dataset."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.analysis.break_even import constant_rows
from baler_energy.analysis.datapackage import datapackage
from baler_energy.analysis.parallel import amdahl_duration_s
from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.analysis.summary import summary
from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.config.sections import BreakEven

REFERENCE = {"rows": 30_000, "batch_size": 512, "epochs": 5, "threads": 2}
AXES = {"rows": (10_000, 30_000, 100_000), "batch_size": (128, 512, 2048), "epochs": (1, 5, 25)}
AXES |= {"threads": (1, 2, 4)}
#: Share of each operation's work that is serial.
SERIAL = {"train": 0.15, "compress": 0.4, "decompress": 0.7}

#: The tests of stages run this file from elsewhere, so that its neighbours cannot be imported.
HOTSPOT_ROWS = runpy.run_path(str(Path(__file__).with_name("synthetic_hotspots.py")))["hotspot_rows"]
DERIVED, ENGINES, ERRORS, EXTRAS, SERIES = (
    runpy.run_path(str(Path(__file__).with_name(f"synthetic_{name}.py")))
    for name in ("derived", "engines", "errors", "extras", "series")
)
#: RMS over range if only the columns' means are stored.
TRIVIAL = ERRORS["TRIVIAL"]

#: The study's centre.
CENTRE = REFERENCE | {"engine": "reference", "model": "baler", "precision": "float64", "packing": "none"}
CENTRE |= {"runtime": "eager"}

Build = Callable[..., dict[str, pd.DataFrame]]


@pytest.fixture(scope="session")
def build() -> Build:
    """Return the function that makes the tables of a one-at-a-time study.

    Options: `devices`; `evidence` by component (cpu, ram, gpu); `repeats`; `flags` of the first record, or with
    `all_flagged` of every one; `source`; `second_meter` (codecarbon and RAPL for the CPU); `intensity` (g/kWh, or
    none); `node` (a wattmeter reads the node); `extras` (calibration, other tools, imported files, electricity);
    `engines` (other engines and packings than the reference); `optimizers` (others at the centre); `second` (name of a
    second dataset with the same runs).
    """
    return _build


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    """Tables of a machine without counters, three repeats."""
    return _build()


#: Tables that were made, by their options: many tests use the same ones.
_MADE: dict[str, dict[str, pd.DataFrame]] = {}


def _build(**options: Any) -> dict[str, pd.DataFrame]:
    key = repr(sorted(options.items()))
    if key not in _MADE:
        _MADE[key] = _make(**options)
    return {name: table.copy() for name, table in _MADE[key].items()}


def _make(
    devices: tuple[str, ...] = ("cpu",),
    evidence: dict[str, str] | None = None,
    repeats: int = 3,
    flags: str = "",
    source: str = "pythia8",
    second_meter: bool = False,
    all_flagged: bool = False,
    intensity: float | None = 34.8,
    node: bool = False,
    extras: bool = False,
    engines: bool = False,
    optimizers: bool = False,
    second: str = "",
) -> dict[str, pd.DataFrame]:
    evidence = evidence or {"cpu": "modelled", "ram": "modelled"}
    maker = _Maker(evidence, flags, source, second_meter)
    maker.all_flagged, maker.intensity, maker.node = all_flagged, intensity, node
    combinations = dict.fromkeys(
        tuple((REFERENCE | {axis: value}).items()) for axis, values in AXES.items() for value in values
    )
    for combination in combinations:
        for device in devices:
            for repeat in range(repeats):
                maker.add(dict(combination), device, repeat)
    maker.rows["left_out"] = [
        {"axis": "packing", "value": "sz3-0.01", "runs": 3, "of_runs": 42, "reason": "The package pysz is missing."}
    ]
    maker.rows["break_even"] = constant_rows(BreakEven().ranges, "EUR")
    if extras:
        maker.add_extras()
    made = {name: _typed(name, maker.rows[name]) for name in TABLES}
    made = ENGINES["with_engines"](made) if engines else made
    made = ENGINES["with_optimizers"](made) if optimizers else made
    made = {name: _with_second(table, second) for name, table in made.items()} if second else made
    made["runs"]["at_centre"] = (made["runs"][list(CENTRE)] == pd.Series(CENTRE)).all(axis=1)
    made["runs"]["at_reference"] = made["runs"]["at_centre"]
    return made | {"summary": summary(made["runs"])}


def _with_second(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Add the same rows for a second dataset to a table that has datasets."""
    if "dataset" not in table:
        return table
    own = table[table["dataset"] == "jets"]
    other = own.assign(dataset=name)
    if "run_id" in other:
        other["run_id"] = other["run_id"].str.replace("jets/", f"{name}/")
    return pd.concat([table, other], ignore_index=True)


def write_dataset(folder: Path, **options: Any) -> Path:
    """Write the tables as a study's dataset; also for the tests of the stages."""
    for name, table in _build(**options).items():
        arrow = pa.Table.from_pandas(table, schema=arrow_schema(name), preserve_index=False)
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(arrow, folder / f"{name}.parquet")
    (folder / "datapackage.json").write_text(json.dumps(datapackage("laptop")), encoding="utf-8")
    return folder


def _typed(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    schema = arrow_schema(name)
    complete = [{column: row.get(column) for column in schema.names} for row in rows]
    unknown = {key for row in rows for key in row} - set(schema.names)
    assert not unknown, f"{name}: the fixture has columns that the schema lacks: {unknown}"
    return pa.Table.from_pylist(complete, schema=schema).to_pandas()


class _Maker:
    def __init__(self, evidence: dict[str, str], flags: str, source: str, second_meter: bool) -> None:
        self.evidence, self.flags, self.source, self.second_meter = evidence, flags, source, second_meter
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.all_flagged, self.node = False, False
        self.intensity: float | None = 34.8
        self.random = np.random.default_rng(7)
        self.start = pd.Timestamp("2026-11-23T12:00:00Z")

    def add(self, axes: dict[str, int], device: str, repeat: int) -> None:
        named = {k: v for k, v in axes.items() if (k, v) != ("threads", REFERENCE["threads"])}
        identity = "/".join(f"{k}~{v}" for k, v in {**named, "device": device, "repeat": repeat}.items())
        point = {
            **AXIS_DEFAULTS,
            **axes,
            "run_id": f"jets/{identity}",
            "dataset": "jets",
            "source": self.source,
            "columns": 24,
            "device": device,
            "latent_columns": 12,
            "repeat": repeat,
        }
        error = 0.02 / axes["epochs"] ** 0.4 * self._noise(0.05)
        for operation, cost in (("train", 1.2e-5 * axes["epochs"]), ("compress", 1.5e-6), ("decompress", 2e-6)):
            duration = cost * axes["rows"] * (1 + 60 / axes["batch_size"]) * self._noise(0.03)
            duration *= float(amdahl_duration_s(axes["threads"], 1.0, SERIAL[operation]))
            if device == "cuda":
                duration /= 4
            self._measured(point, operation, duration, error)
        training = next(row for row in reversed(self.rows["runs"]) if row["operation"] == "train")
        self.rows["history"] += SERIES["history_rows"](point, training, self._noise)
        self.rows["errors"] += ERRORS["error_rows"](point, error, self._noise)
        self.rows["derived"] += DERIVED["derived_rows"](point, error)
        at_reference = all(axes[key] == value for key, value in REFERENCE.items())
        if repeat == 0:
            self.rows["histograms"] += ERRORS["histogram_rows"](point, self.random)
            self.rows["derived_histograms"] += DERIVED["derived_histograms"](point)
            if at_reference:
                measured = "measured" in self.evidence.values()
                self.rows["hotspots"] += HOTSPOT_ROWS(point, measured=measured)

    def add_extras(self) -> None:
        """Add the tables other than runs: calibration, two tools and a formula, imported files, electricity."""
        reference = [r for r in self.rows["runs"] if all(r[k] == v for k, v in REFERENCE.items())]
        trainings = [run for run in reference if run["operation"] == "train"]
        self.rows |= EXTRAS["extra_rows"](trainings, self.intensity, self._noise)

    def _noise(self, spread: float) -> float:
        return float(np.exp(spread * self.random.standard_normal()))

    def _powers(self, device: str) -> dict[str, float]:
        return {
            c: {"cpu": 12.0, "ram": 5.0, "dram": 3.0, "gpu": 150.0}[c]
            for c in self.evidence
            if c != "gpu" or device == "cuda"
        }

    def _measured(self, point: dict[str, Any], operation: str, duration: float, error: float) -> None:
        iterations = max(1, round(2.0 / duration))
        energies = {c: power * duration * self._noise(0.02) for c, power in self._powers(point["device"]).items()}
        sums: dict[str, dict[str, float]] = {"measured": {}, "modelled": {}}
        for component, value in energies.items():
            kind = self.evidence[component]
            sums[kind][component] = value
            meter = {"measured": "nvml" if component == "gpu" else "rapl"}.get(kind, "codecarbon")
            self._reading(point, operation, component, meter, kind, value, iterations, True)
            if self.second_meter and meter != "codecarbon":
                other = value * 1.1 * self._noise(0.02)
                self._reading(point, operation, component, "codecarbon", "modelled", other, iterations, False)
        if "gpu" not in energies:
            self._reading(point, operation, "gpu", "nvml", "measured", None, iterations, False)
        self._loads(point, operation)
        self.rows["samples"] += SERIES["sample_rows"](point, operation, duration * iterations, self._noise)
        self._run(point, operation, duration, iterations, sums, error)

    def _reading(
        self,
        point: Any,
        operation: str,
        component: str,
        meter: str,
        kind: str,
        value: Any,
        iterations: int,
        primary: bool,
    ) -> None:
        self.rows["measurements"].append(
            {
                **point,
                "operation": operation,
                "quantity": "energy",
                "component": component,
                "meter": meter,
                "evidence": kind,
                "primary": primary,
                "value": None if value is None else value * iterations,
                "unit": "J",
                "iterations": iterations,
                "value_per_iteration": value,
                "reason": "this machine has no NVIDIA GPU" if value is None else None,
            }
        )

    def _loads(self, point: Any, operation: str) -> None:
        loads = {"sampler": ("machine", 0.9), **({"nvml": ("gpu-0", 0.4)} if point["device"] == "cuda" else {})}
        for meter, (component, load) in loads.items():
            reading = {"quantity": "utilisation_mean", "component": component, "meter": meter, "unit": "1"}
            value = {"evidence": "measured", "primary": False, "value": load, "value_per_iteration": load}
            self.rows["measurements"].append(point | {"operation": operation, "iterations": 1} | reading | value)

    def _run(
        self,
        point: Any,
        operation: str,
        duration: float,
        iterations: int,
        sums: dict[str, dict[str, float]],
        error: float,
    ) -> None:
        first = not self.rows["runs"]
        bad = bool(self.flags) and (first or self.all_flagged)
        energies = self._energies(sums, duration, point["rows"])
        self.start += pd.Timedelta(seconds=6)
        self.rows["runs"].append(
            {
                **point,
                "operation": operation,
                "window_start": self.start,
                **energies,
                **self._times(duration, iterations, longest=1.98 if first else 1.2),
                "contamination": 0.09 if bad else 0.01 * self._noise(0.5),
                "contamination_limit": 0.05,
                "in_mean": not bad,
                "run_flags": self.flags if bad else None,
                "run_notes": "modelled_only" if energies["energy_evidence"] == "modelled" else None,
                **self._work(point, operation),
                **self._results(point, operation, error),
                "hostname": "node{1}",
                "cpu_model": "Example CPU @ 2.4 GHz *",
                "gpu_model": "Example GPU" if point["device"] == "cuda" else "",
                "virtualised": True,
                "source_fingerprint": "0123456789abcdef",
            }
        )

    def _energies(self, sums: dict[str, dict[str, float]], duration: float, rows: int) -> dict[str, Any]:
        kind = "measured" if sums["measured"] else "modelled"
        energy = sum(sums[kind].values())
        return {
            "energy_j": energy,
            "energy_evidence": kind,
            "energy_scope": "+".join(sums[kind]),
            "energy_measured_j": sum(sums["measured"].values()) or None,
            "energy_modelled_j": sum(sums["modelled"].values()) or None,
            "idle_power_w": 5.0 if kind == "measured" else None,
            "energy_j_per_mb": energy / (rows * 96 / 1e6),
            "power_mean_w": energy / duration,
            "dynamic_energy_j": 0.6 * energy * self._noise(0.04) if kind == "measured" else None,
            "node_energy_j": energy + 40.0 * duration if self.node else None,
            "node_meter": "wattmeter" if self.node else None,
            "co2e_kg": None if self.intensity is None else energy / 3.6e9 * self.intensity,
            "carbon_intensity_g_per_kwh": self.intensity,
            "pue": 1.0,
        }

    def _times(self, duration: float, iterations: int, longest: float) -> dict[str, Any]:
        return {
            "duration_s": duration,
            "window_s": duration * iterations,
            "iterations": iterations,
            "duration_lower_quartile_s": duration * 0.98,
            "duration_median_s": duration * 0.99,
            "duration_upper_quartile_s": duration * 1.01,
            "duration_longest_s": duration * longest,
            "cpu_time_s": 1.8 * duration * self._noise(0.01),
        }

    def _work(self, point: Any, operation: str) -> dict[str, Any]:
        train = operation == "train"
        return {
            "flops": 355_200.0 * point["rows"] * point["epochs"] if train else None,
            "parameters": 61_536 if train else None,
            "memory_peak_b": 4e8 * self._noise(0.01),
        }

    def _results(self, point: Any, operation: str, error: float) -> dict[str, Any]:
        native = point["rows"] * 96
        compressed = native + 2000
        return {
            "mean_rms_over_range": error,
            "max_over_range": error * 30,
            "mean_relative_error_median": error * 3,
            "mean_nrmse": error / TRIVIAL,
            "columns_worse_than_mean": 0,
            "held_out_rows": point["rows"] // 5,
            "held_out_mean_rms_over_range": error * 1.1,
            "held_out_max_over_range": error * 33,
            "held_out_mean_relative_error_median": error * 3.3,
            "held_out_mean_nrmse": error * 1.1 / TRIVIAL,
            "trivial_mean_rms_over_range": TRIVIAL,
            "trivial_max_over_range": 0.9,
            "trivial_mean_relative_error_median": 0.6,
            "ratio_float64_bytes": native * 2 / compressed,
            "ratio_native_bytes": native / compressed,
            "ratio_float64_bytes_with_model": native * 2 / (compressed + 500_000),
            "ratio_native_bytes_with_model": native / (compressed + 500_000),
            "native_bytes": native,
            "compressed_bytes": compressed,
            **(ENGINES["sizes"](native) if operation == "compress" else {}),
        }
