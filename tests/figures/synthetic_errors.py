"""Synthetic rows of the tables ``errors`` and ``histograms``: errors by column; run by `conftest` as a file."""

from collections.abc import Callable
from typing import Any

import numpy as np

Row = dict[str, Any]

COLUMNS = ("pt", "eta", "phi", "mass", "photon_energy", "charged_multiplicity", "odd$name_")
EDGES = {"pt": np.geomspace(3, 400, 31), "eta": np.linspace(-5, 5, 31), "mass": np.geomspace(0.3, 80, 31)}
#: RMS over range if only the columns' means are stored.
TRIVIAL = 0.08


def error_rows(point: Row, error: float, noise: Callable[[float], float]) -> list[Row]:
    """Rows of the errors of each column; a constant one has none."""
    rows = []
    for number, column in enumerate((*COLUMNS, "constant", "all")):
        constant = column == "constant"
        rms = None if constant else error * 1.6**number * noise(0.05)
        rows.append(
            {
                **point,
                "column": column,
                "on_rows": "compressed",
                "dtype": None if column == "all" else "float32",
                "rms_over_range": rms,
                "max_over_range": None if rms is None else rms * 20,
                "nrmse": None if rms is None else rms / TRIVIAL,
                "trivial_rms_over_range": None if rms is None else TRIVIAL,
            }
        )
    return rows


def histogram_rows(point: Row, random: np.random.Generator) -> list[Row]:
    """Rows of the bins of each column: original, reconstructed and residual."""
    rows = []
    for column in COLUMNS:
        edges = EDGES.get(column, np.linspace(0, 60, 31))
        middle = np.sqrt(edges[1:] * edges[:-1]) if column in ("pt", "mass") else (edges[1:] + edges[:-1]) / 2
        shape = 1e4 * np.exp(-np.abs(middle) / (0.15 * edges[-1]))
        residual = np.linspace(-2, 2, 31)
        gauss = 2e3 * np.exp(-(((residual[1:] + residual[:-1]) / 2) ** 2) * 4)
        for kind, bins, counts in (
            ("original", edges, shape),
            ("reconstructed", edges, shape * (1 + 0.1 * random.standard_normal(30))),
            ("residual", residual, gauss),
        ):
            low, high = list(bins[:-1]), list(bins[1:])
            low, high = [low[0] - 5, *low], [low[0], *high]  # an underflow bin of a different width
            for edge, upper, count in zip(low, high, [11, *counts], strict=True):
                rows.append({**point, "column": column, "kind": kind, "low": edge, "high": upper, "count": int(count)})
    return rows
