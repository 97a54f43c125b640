"""Synthetic rows of derived quantities: a mass with a peak, and a ratio; run by `conftest` as a file."""

import math
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]

MASS = {"quantity": "m_mumu", "definition": "invariant mass of two muons", "unit": "GeV"}
RATIO = {"quantity": "pt_ratio", "definition": "pt / odd$name_", "unit": None}
_PEAK = 91.0
_NUMBERS = ("residual_median", "residual_half_width", "relative_residual_median", "relative_residual_half_width")


def derived_rows(point: dict[str, Any], error: float) -> Rows:
    """Give rows of the table ``derived``: the larger the error, the wider and the further away the peak."""
    common = {"undefined_before": 0, "undefined_after": 0}
    spread = {f"{name}{kind}": error for name in _NUMBERS for kind in ("", "_uncertainty")}
    whole = common | {"window": None, "ks_distance": error, "wasserstein_over_deviation": error} | spread
    window = common | {"window": "Z", "low": 80.0, "high": 100.0} | spread
    for name, value, uncertainty in (
        ("entries_before", 2000, math.sqrt(2000)),
        ("entries_after", 1900, math.sqrt(1900)),
        ("entries_change", -100, 12.0),
        ("peak_before", _PEAK, 0.08),
        ("peak_after", _PEAK + 10 * error, 0.08),
        ("peak_shift", 10 * error, 0.01),
        ("width_before", 2.3, 0.1),
        ("width_after", 2.3 + 5 * error, 0.1),
        ("width_change", 5 * error, 0.02),
    ):
        window |= {name: value, f"{name}_uncertainty": uncertainty}
    return [point | MASS | whole, point | MASS | window, point | RATIO | whole]


def derived_histograms(point: dict[str, Any]) -> Rows:
    """Give rows of the table ``derived_histograms``."""
    found = []
    for what, edges in (
        (MASS | {"window": None}, np.geomspace(0.5, 200, 61)),
        (MASS | {"window": "Z"}, np.linspace(80, 100, 41)),
        (RATIO | {"window": None}, np.linspace(0, 1, 61)),
    ):
        middle = (edges[1:] + edges[:-1]) / 2
        for kind, position in (("original", _PEAK), ("reconstructed", _PEAK + 1)):
            counts = 50 + 300 * np.exp(-((middle - position) ** 2) / 10)
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                row = {"kind": kind, "low": float(low), "high": float(high), "count": int(count)}
                found.append(point | {name: what[name] for name in ("quantity", "unit", "window")} | row)
    return found
