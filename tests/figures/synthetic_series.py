"""Synthetic rows of the tables ``samples`` and ``history``: values over time; run by `conftest` as a file."""

from collections.abc import Callable
from typing import Any

import numpy as np

Row = dict[str, Any]
Noise = Callable[[float], float]


def sample_rows(point: Row, operation: str, window: float, noise: Noise) -> list[Row]:
    """Rows of the samples of one window (s), which begin before it and end after it."""
    series = [
        ("codecarbon", "cpu", "power", "modelled", 12.0, "W"),
        ("sampler", "cpu", "utilisation", "measured", 0.7, "1"),
    ]
    series.append(("sampler", "process", "memory", "measured", 6e8, "B"))
    rows = []
    for time in np.arange(-0.4, window + 0.4, max(0.2, window / 40)):
        head = {**point, "operation": operation, "time_s": float(time), "window_s": window}
        for meter, component, quantity, kind, value, unit in series:
            inside = 0 <= time <= window
            rows.append(
                {
                    **head,
                    "meter": meter,
                    "component": component,
                    "quantity": quantity,
                    "evidence": kind,
                    "value": value * (1.0 if inside else 0.3) * noise(0.02),
                    "unit": unit,
                }
            )
        if point["device"] == "cuda":
            rows += _gpu_samples(head, noise)
    return rows


def _gpu_samples(head: Row, noise: Noise) -> list[Row]:
    """Rows of a GPU's samples at one time: it warms up by 22 K and reaches its power cap halfway."""
    time, window = head["time_s"], head["window_s"]
    inside = 0 <= time <= window
    capped = inside and time > window / 2
    rows = []
    for quantity, value, unit in (
        ("power", (150.0 if inside else 45.0) * noise(0.02), "W"),
        ("utilisation", 0.8 if inside else 0.0, "1"),
        ("temperature", round(41.2 + 22 * (1 - np.exp(-4 * max(0, time) / window))), "degC"),
        ("memory", 1.2e9 if inside else 0.9e9, "B"),
        ("clock", 1.3e9 if capped else 1.41e9 if inside else 0.6e9, "Hz"),
        ("memory_clock", 1.593e9, "Hz"),
        ("throttle_reasons", 0x4 if capped else 0 if inside else 0x1, "1"),
    ):
        what = {"quantity": quantity, "value": value, "unit": unit, "evidence": "measured"}
        rows.append({**head, "meter": "nvml", "component": "gpu-0", **what})
    return rows


def history_rows(point: Row, run: Row, noise: Noise) -> list[Row]:
    """Rows of the epochs of a training, whose row of ``runs`` is `run`."""
    rows = []
    for epoch in range(1, point["epochs"] + 1):
        share = epoch / point["epochs"]
        rows.append(
            {
                **point,
                "epoch": epoch,
                "loss": (loss := 3.0 / epoch**0.7 * noise(0.05)),
                "loss_per_value": loss / point["batch_size"],
                "duration_s": run["duration_s"] / point["epochs"],
                "elapsed_s": run["duration_s"] * share,
                "energy_j": run["energy_j"] * share,
                "energy_evidence": run["energy_evidence"],
            }
        )
    return rows
