"""Synthetic rows of calibration, other tools, imported files and electricity; run by `conftest` as a file."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from baler_energy.analysis.schema import arrow_schema

Row = dict[str, Any]
Noise = Callable[[float], float]


def extra_rows(trainings: Iterable[Row], intensity: float | None, noise: Noise) -> dict[str, list[Row]]:
    """Rows by table; other tools are compared with the rows of ``runs`` of some trainings."""
    return {
        "calibration": _calibration(),
        "peers": [row for run in trainings for row in _peers(run, noise)],
        "foreign": _foreign(),
        "findings": [
            {"file": "emission.csv", "finding": "constant_total", "subject": "eco2ai", "value": 15.0, "unit": "W"}
            | {"sentence": "Energy is 15.0 W times duration in all rows: modelled."}
        ],
        "electricity": _electricity(intensity),
    }


def _calibration() -> list[Row]:
    host = {"hostname": "node{1}", "cpu_model": "Example CPU", "gpu_model": "", "evidence": "modelled"}
    rows = []
    for quantity, value, unit in (("idle_power", 3.2, "W"), ("tick", None, "s"), ("overhead_cpu", 0.004, "1")):
        row = {"meter": "codecarbon", "component": "cpu", "quantity": quantity, "value": value, "unit": unit}
        found = {"spread": value / 10, "n": 12} if value else {"detail": "a model has no tick"}
        rows.append(host | row | found)
    slower = {"meter": "session", "component": "machine", "quantity": "overhead_duration", "value": -0.221, "unit": "1"}
    rows.append(host | slower | {"spread": 0.843, "n": 5, "evidence": "measured"})
    return rows


def _peers(run: Row, noise: Noise) -> list[Row]:
    """Two tools, one of which crashed, and a formula."""
    point = {name: run.get(name) for name in arrow_schema("peers").names if name in run}
    energy_j, duration_s = run["energy_j"], run["duration_s"]
    rows = []
    for tool, kind, ratio in (("perun", "peer", 1.4), ("eco2ai", "peer", None), ("strubell", "formula", 1.58)):
        found = {"value": ratio * energy_j, "ratio": ratio * noise(0.02)} if ratio else {"reason": "it crashed"}
        common = {"tool": tool, "kind": kind, "component": "machine", "quantity": "energy", "unit": "J"}
        ours = {"ours_j": energy_j, "ours_scope": "cpu+ram", "ours_evidence": "modelled", "duration_s": duration_s}
        theirs = {"evidence": "modelled", "assumptions": "TDP 100 W"}
        rows.append(point | common | (ours | theirs if ratio else {}) | found)
    return rows


def _foreign() -> list[Row]:
    window = {"meter": "eco2ai", "file": "emission.csv", "component": "machine", "duration_s": 60.0}
    return [
        window | {"quantity": quantity, "value": value, "unit": unit, "evidence": "modelled"}
        for quantity, value, unit in (("duration", 60.0, "s"), ("energy", 900.0, "J"))
    ]


def _electricity(intensity: float | None) -> list[Row]:
    rows = []
    for name, value in (("CHE", 34.8), ("DEU", 381.0)):
        row = {"kind": "country", "name": name, "carbon_intensity_g_per_kwh": value}
        rows.append(row | {"used": value == intensity})
    for hour in range(24):
        value = 300 + 100 * float(np.cos(hour / 24 * 2 * np.pi))
        row = {"kind": "hour", "name": "grid.csv", "hour_of_day": hour, "carbon_intensity_g_per_kwh": value}
        rows.append(row | {"used": False})
    return rows
