"""Histograms of a table before and after compression: NumPy only.

Columns are processed one by one, so that only the memory of a few columns is needed in addition to the two tables.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.analysis.error_measures import check_tables

__all__ = ["BINS", "histograms"]

Floats = NDArray[np.float64]

#: Bins of a histogram, without underflow and overflow.
BINS = 60
#: A non-negative column whose maximum is more than this times the median of its non-zero values gets logarithmic bins.
_HEAVY_TAIL = 30.0


def histograms(original: Floats, reconstructed: Floats, names: Sequence[str], dtypes: Sequence[str]) -> pd.DataFrame:
    """Histograms of each column before and after, in the same bins, and of the residuals.

    Parameters
    ----------
    original, reconstructed, names, dtypes
        As for `error_measures.column_errors`.

    Returns
    -------
    pandas.DataFrame
        A row per bin and ``kind`` (``original``, ``reconstructed``, ``residual``: reconstructed minus original):
        ``column``, ``kind``, ``low`` and ``high`` (edges in the column's unit), ``count``. Heavy-tailed non-negative
        columns have logarithmic bins. Values outside the regular bins are in a first and last bin of a different width,
        so that the counts of a column and kind add up to the rows.

    Raises
    ------
    InputError
        The tables differ in shape, or a value is not finite.
    """
    check_tables(original, reconstructed, names)
    parts = []
    for number, (name, dtype) in enumerate(zip(names, dtypes, strict=True)):
        before, after = _column(original, number), _column(reconstructed, number)
        residual = after - before
        reach = float(np.quantile(np.abs(residual), 0.995)) or 0.5
        parts.append(_bins(name, _edges(before, np.dtype(dtype).kind in "iub"), original=before, reconstructed=after))
        parts.append(_bins(name, _even(-reach, reach), residual=residual))
    return pd.concat(parts, ignore_index=True)


def _column(table: Floats, number: int) -> Floats:
    return np.ascontiguousarray(table[:, number])


def _edges(values: Floats, integer: bool) -> NDArray[np.floating]:
    """Edges of the regular bins of a column."""
    low, high = float(values.min()), float(values.max())
    positive = values[values > 0]
    if low >= 0 and positive.size and high > _HEAVY_TAIL * float(np.median(positive)):
        start = max(float(np.quantile(positive, 0.005)), high * 1e-9)
        edges = np.geomspace(start, high, BINS + 1)
        return np.unique(np.append(np.ceil(edges) - 0.5, high + 0.5)) if integer else edges
    if integer:
        step = max(1.0, math.ceil((high - low + 1) / BINS))
        return low - 0.5 + step * np.arange(math.ceil((high - low + 1) / step) + 1)
    if low == high:
        half = 0.5 * max(abs(low), 1.0)
        low, high = low - half, high + half
    return _even(low, high)


def _even(low: float, high: float) -> NDArray[np.floating]:
    """Edges of bins of equal width; fewer if there are not enough floating-point numbers from `low` to `high`."""
    return np.unique(np.linspace(low, high, BINS + 1))


def _bins(name: str, edges: NDArray[np.floating], **samples: Floats) -> pd.DataFrame:
    counts = {kind: _counts(values, edges) for kind, values in samples.items()}
    below, above = (any(count[end] for count in counts.values()) for end in (0, -1))
    outer = np.concatenate(
        [
            [min(values.min() for values in samples.values())] if below else [],
            edges,
            [max(values.max() for values in samples.values())] if above else [],
        ]
    )
    kept = slice(0 if below else 1, None if above else -1)
    return pd.concat(
        pd.DataFrame({"column": name, "kind": kind, "low": outer[:-1], "high": outer[1:], "count": count[kept]})
        for kind, count in counts.items()
    )


def _counts(values: Floats, edges: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count values below the first edge, between edges (the last one included, as NumPy does), and above."""
    position = np.searchsorted(edges, values, side="right")
    position[values == edges[-1]] = len(edges) - 1
    return np.bincount(position, minlength=len(edges) + 1).astype(np.int64)
