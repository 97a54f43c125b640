"""Errors of a reconstructed table, column by column, and histograms to draw them: NumPy only.

Columns are gone through one by one, so that beyond the two tables only a few columns' worth of memory is used.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.errors import InputError

__all__ = ["ALL", "BINS", "column_errors", "histograms", "ks_distance", "ratios", "summary"]

Floats = NDArray[np.float64]

#: Name of the row that speaks of all columns together.
ALL = "all"
#: Bins of a histogram, under- and overflow apart.
BINS = 60
#: A non-negative column whose maximum is so many times the median of its non-zero values gets logarithmic bins.
_HEAVY_TAIL = 30.0


def column_errors(original: Floats, reconstructed: Floats, names: Sequence[str], dtypes: Sequence[str]) -> pd.DataFrame:
    """Errors per column, and a last row ``all``, of two tables (rows, columns) with the same rows in the same order.

    Returns
    -------
    pandas.DataFrame
        A row per column, with

        - ``range``: maximum less minimum of the original;
        - ``rms_residual``: root of the mean squared residual, in the column's unit;
        - ``rms_over_range``, ``max_over_range``: RMS and largest residual over the range, null where it is 0;
        - ``relative_error_mean``, ``relative_error_rms``: of residual / original where the original is not 0, and
          ``nonzero_count``, how many rows that are (the errors are null where there is none, or one overflows);
        - ``ks_distance``: Kolmogorov-Smirnov distance of the two distributions.

        In the row ``all``: ``rms_over_range`` is the mean over the columns (the primary error),
        ``max_over_range`` and ``ks_distance`` are the largest of all columns, the relative errors are over all
        non-zero values of the table, ``nonzero_count`` is their count, and what has a unit is null.

    Raises
    ------
    InputError
        The tables differ in shape, or a value is not finite.
    """
    _check(original, reconstructed, names)
    rows = [
        {"column": name, "dtype": dtype, **_errors(_column(original, n), _column(reconstructed, n))}
        for n, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
    ]
    frame = pd.DataFrame(rows)
    return pd.DataFrame([*rows, _overall(frame)]).astype({"dtype": "string", "column": "string"})


def summary(errors: pd.DataFrame) -> dict[str, str | float | int | None]:
    """Give the main numbers of `column_errors`; ``mean_rms_over_range`` is the primary error (null: all constant)."""
    columns, overall = errors[errors["column"] != ALL], errors[errors["column"] == ALL].iloc[0]
    constant = int(columns["rms_over_range"].isna().sum())
    varying = columns.dropna(subset="rms_over_range")
    worst = None if varying.empty else str(varying["column"].iloc[int(varying["rms_over_range"].to_numpy().argmax())])
    return {
        "columns": len(columns),
        "constant_columns": constant,
        "mean_rms_over_range": _number(overall["rms_over_range"]),
        "max_over_range": _number(overall["max_over_range"]),
        "relative_error_mean": _number(overall["relative_error_mean"]),
        "relative_error_rms": _number(overall["relative_error_rms"]),
        "max_ks_distance": _number(overall["ks_distance"]),
        "worst_column": worst,
    }


def ratios(sizes_bytes: Mapping[str, int | None], compressed_bytes: int, model_bytes: int) -> dict[str, float | None]:
    """Compression ratios against several sizes of the original, each without and with the model's own bytes.

    Parameters
    ----------
    sizes_bytes
        The original's size by what it is counted in (``float64``, ``native``, ``source``); null where unknown.
    compressed_bytes, model_bytes
        Sizes of the compressed file and of the checkpoint.

    Returns
    -------
    dict
        ``ratio_<kind>_bytes`` and ``ratio_<kind>_bytes_with_model``; below 1 the file grew.
    """
    result: dict[str, float | None] = {}
    for kind, size in sizes_bytes.items():
        result[f"ratio_{kind}_bytes"] = None if size is None else size / compressed_bytes
        with_model = compressed_bytes + model_bytes
        result[f"ratio_{kind}_bytes_with_model"] = None if size is None else size / with_model
    return result


def ks_distance(first: Floats, second: Floats) -> float:
    """Largest difference between the empirical distribution functions of two samples (each one-dimensional)."""
    first, second = np.sort(first), np.sort(second)
    values = np.concatenate([first, second])
    below_first = np.searchsorted(first, values, side="right") / len(first)
    below_second = np.searchsorted(second, values, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def histograms(original: Floats, reconstructed: Floats, names: Sequence[str], dtypes: Sequence[str]) -> pd.DataFrame:
    """Histograms of each column before and after, in the same bins, and of the residuals.

    Parameters
    ----------
    original, reconstructed, names, dtypes
        As for `column_errors`.

    Returns
    -------
    pandas.DataFrame
        A row per bin and ``kind`` (``original``, ``reconstructed``, ``residual``: reconstructed less original):
        ``column``, ``kind``, ``low`` and ``high`` (edges in the column's unit), ``count``. Heavy-tailed non-negative
        columns have logarithmic bins. A first and a last bin of another width hold what lies beyond the regular ones,
        where there is something, so that the counts of a column and kind add up to the rows.

    Raises
    ------
    InputError
        The tables differ in shape, or a value is not finite.
    """
    _check(original, reconstructed, names)
    parts = []
    for number, (name, dtype) in enumerate(zip(names, dtypes, strict=True)):
        before, after = _column(original, number), _column(reconstructed, number)
        residual = after - before
        reach = float(np.quantile(np.abs(residual), 0.995)) or 0.5
        parts.append(_bins(name, _edges(before, np.dtype(dtype).kind in "iub"), original=before, reconstructed=after))
        parts.append(_bins(name, _even(-reach, reach), residual=residual))
    return pd.concat(parts, ignore_index=True)


def _check(original: Floats, reconstructed: Floats, names: Sequence[str]) -> None:
    if original.shape != reconstructed.shape or original.shape[1:] != (len(names),) or not len(original):
        raise InputError(
            f"The original is {original.shape} (rows, columns) and the reconstruction {reconstructed.shape}, with "
            f"{len(names)} names: they are not the same table before and after."
        )
    for table, word in ((original, "original"), (reconstructed, "reconstructed table")):
        for number, name in enumerate(names):
            finite = np.isfinite(table[:, number])
            if not finite.all():
                row = int(np.argmin(finite))
                raise InputError(f"The {word} holds NaN or infinity (column {name!r}, row {row}).")


def _column(table: Floats, number: int) -> Floats:
    return np.ascontiguousarray(table[:, number])


def _errors(before: Floats, after: Floats) -> dict[str, float | int]:
    with np.errstate(over="ignore", invalid="ignore"):
        residual = after - before
        spread = float(before.max() - before.min())
        nonzero = before != 0
        relative = residual[nonzero] / before[nonzero]
        rms, largest = _rms(residual), float(np.abs(residual).max())
        values = {
            "range": spread,
            "rms_residual": rms,
            "rms_over_range": rms / spread if spread > 0 else math.nan,
            "max_over_range": largest / spread if spread > 0 else math.nan,
            "relative_error_mean": float(np.abs(relative).mean()) if relative.size else math.nan,
            "relative_error_rms": _rms(relative) if relative.size else math.nan,
        }
    # What overflows (a residual over a subnormal number) is unknown, not infinite.
    finite = {name: value if math.isfinite(value) else math.nan for name, value in values.items()}
    return {**finite, "nonzero_count": int(relative.size), "ks_distance": ks_distance(before, after)}


def _overall(frame: pd.DataFrame) -> dict[str, Any]:
    """Row of all columns."""
    nonzero = frame[frame["nonzero_count"] > 0]
    counts, total = nonzero["nonzero_count"], int(nonzero["nonzero_count"].sum())
    relative_sum = (nonzero["relative_error_mean"] * counts).sum(skipna=False)
    square_sum = (nonzero["relative_error_rms"] ** 2 * counts).sum(skipna=False)
    return {
        "column": ALL,
        "dtype": None,
        "range": math.nan,
        "rms_residual": math.nan,
        "rms_over_range": frame["rms_over_range"].mean(),
        "max_over_range": frame["max_over_range"].max(),
        "relative_error_mean": relative_sum / total if total else math.nan,
        "relative_error_rms": math.sqrt(square_sum / total) if total else math.nan,
        "nonzero_count": total,
        "ks_distance": frame["ks_distance"].max(),
    }


def _rms(values: Floats) -> float:
    """Root of the mean square, scaled first so that squares neither overflow nor vanish."""
    largest = float(np.abs(values).max())
    if largest == 0 or not math.isfinite(largest):
        return largest
    scaled = values / largest
    return largest * math.sqrt(float(np.dot(scaled, scaled)) / len(values))


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
    """Edges of bins of equal width; fewer where there are not as many numbers from `low` to `high`."""
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


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
