"""Errors of a reconstructed table by column and over all columns, and those of the trivial codec: NumPy only.

The trivial codec stores each column's mean and nothing per row. A codec whose error is not well below that keeps
little information about the rows. Columns are processed one by one, so only a few columns are in memory in addition to
the two tables.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.errors import InputError

__all__ = [
    "ALL",
    "COMPRESSED",
    "HELD_OUT",
    "HELD_OUT_ROWS",
    "check_tables",
    "column_errors",
    "held_out_errors",
    "held_out_summary",
    "on_all_rows",
    "ratios",
    "summary",
]

Floats = NDArray[np.float64]

#: Name of the row for all columns together.
ALL = "all"
#: Values of the column ``on_rows`` of the table ``errors``: the compressed table, and held-out rows.
COMPRESSED, HELD_OUT_ROWS = "compressed", "held_out"
#: Measures of `held_out_summary`.
_ON_HELD_OUT = (
    "rms_over_range",
    "max_over_range",
    "nrmse",
    "explained_variance",
    "relative_error_median",
    "relative_error_p99",
    "wasserstein_over_deviation",
    "ks_distance",
    "zeros_kept",
    "integers_kept",
)
#: How the row ``all`` is computed from the columns; values with a unit are null in it.
_MEANS = (
    "rms_over_range",
    "nrmse",
    "explained_variance",
    "relative_error_median",
    "relative_error_p99",
    "wasserstein_over_deviation",
    "trivial_rms_over_range",
    "trivial_relative_error_median",
    "trivial_relative_error_p99",
    "trivial_wasserstein_over_deviation",
)
_LARGEST = ("max_over_range", "ks_distance", "trivial_max_over_range", "trivial_ks_distance")
#: Shares of values that are reconstructed exactly, and the counts that they refer to.
_SHARES = {
    "zeros_kept": "zero_count",
    "integers_kept": "integer_count",
    "trivial_zeros_kept": "zero_count",
    "trivial_integers_kept": "integer_count",
}
_WITH_UNIT = ("range", "standard_deviation", "rms_residual")


def column_errors(original: Floats, reconstructed: Floats, names: Sequence[str], dtypes: Sequence[str]) -> pd.DataFrame:
    """Errors per column, and a last row ``all``, for two tables (rows, columns) with the same rows in the same order.

    The glossary describes each measure and when it misleads.

    Returns
    -------
    pandas.DataFrame
        A row per column, with

        - ``range``, ``standard_deviation``: of the original, in the column's unit;
        - ``rms_residual``: root of the mean squared residual, in the column's unit;
        - ``rms_over_range``, ``max_over_range``: RMS and largest residual over the range, null if it is 0;
        - ``nrmse``: RMS residual over the standard deviation, and ``explained_variance``, null if that is 0;
        - ``relative_error_mean``, ``relative_error_rms``, ``relative_error_median``, ``relative_error_p99``: of
          |residual / original| where the original is not 0, and ``nonzero_count``, the number of these rows (the errors
          are null if it is 0, or if they overflow);
        - ``ks_distance``: Kolmogorov-Smirnov distance of the two distributions;
        - ``wasserstein_over_deviation``: their Wasserstein-1 distance over the standard deviation;
        - ``zeros_kept``: share of the ``zero_count`` zeros that are reconstructed as zeros;
        - ``integers_kept``: share of the ``integer_count`` values of an integer column that are reconstructed exactly;
        - ``trivial_rms_over_range``, ``trivial_max_over_range``, ``trivial_relative_error_median``,
          ``trivial_relative_error_p99``, ``trivial_ks_distance``, ``trivial_wasserstein_over_deviation``,
          ``trivial_zeros_kept``, ``trivial_integers_kept``: errors of the trivial codec, whose NRMSE is 1 and whose
          explained variance is 0.

        The row ``all`` has means over the columns, except for ``max_over_range`` and ``ks_distance`` (also of the
        trivial codec), which are maxima, and for the mean and RMS of the relative error and the shares, which are taken
        over all values that they count. Means and maxima are null if a column's value overflows, and skip columns
        without one.

    Raises
    ------
    InputError
        The tables differ in shape, or a value is not finite.
    """
    check_tables(original, reconstructed, names)
    rows = [
        {"column": name, "dtype": dtype, **_errors(_column(original, n), _column(reconstructed, n), dtype)}
        for n, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
    ]
    return _with_overall(pd.DataFrame(rows))


def summary(errors: pd.DataFrame) -> dict[str, str | float | int | None]:
    """Return the main numbers of `column_errors`; the primary error, ``mean_rms_over_range``, may be null.

    It is null if all columns are constant, or if it overflows.
    """
    columns, overall = errors[errors["column"] != ALL], errors[errors["column"] == ALL].iloc[0]
    constant = int((columns["range"] == 0).sum())
    varying = columns.dropna(subset="rms_over_range")
    worst = None if varying.empty else str(varying["column"].iloc[int(varying["rms_over_range"].to_numpy().argmax())])
    averaged = (*_MEANS, *_SHARES, "relative_error_mean", "relative_error_rms")
    return {
        "columns": len(columns),
        "constant_columns": constant,
        "columns_worse_than_mean": int((columns["nrmse"] > 1).sum()),
        **{_name(name): _number(overall[name]) for name in (*averaged, *_LARGEST)},
        "worst_column": worst,
    }


def _name(measure: str) -> str:
    """Name a measure over all columns: means over the columns begin with ``mean``, KS distances with ``max``."""
    if measure in _MEANS:
        trivial = measure.startswith("trivial_")
        return f"trivial_mean_{measure.removeprefix('trivial_')}" if trivial else f"mean_{measure}"
    return measure.replace("ks_distance", "max_ks_distance")


#: Keys of `held_out_summary`.
HELD_OUT = ("held_out_rows", *(f"held_out_{_name(measure)}" for measure in _ON_HELD_OUT))


#: Errors relative to the value.
_RELATIVE = tuple(f"relative_error_{kind}" for kind in ("mean", "rms", "median", "p99"))


def held_out_errors(errors: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the errors on held-out rows, relative to the rows that the codec was trained on.

    A range depends on the number of rows. Errors over the ranges and standard deviations of the training rows are
    comparable with those on the training rows.

    Parameters
    ----------
    errors
        `column_errors` of the training rows.
    held_out
        `column_errors` of the held-out rows.

    Returns
    -------
    pandas.DataFrame
        As from `column_errors`. The errors of the trivial codec, which stores means of the training rows, are null.
    """
    seen, other = (frame[frame["column"] != ALL].reset_index(drop=True) for frame in (errors, held_out))
    column_range, deviation = (seen[name].where(seen[name] > 0) for name in ("range", "standard_deviation"))
    with np.errstate(over="ignore", invalid="ignore"):
        wider = other["standard_deviation"] / deviation
        changed = {
            "rms_over_range": other["rms_residual"] / column_range,
            "max_over_range": other["max_over_range"] * other["range"] / column_range,
            "nrmse": other["rms_residual"] / deviation,
            "explained_variance": 1 - (1 - other["explained_variance"]) * wider**2,
            "wasserstein_over_deviation": other["wasserstein_over_deviation"] * wider,
        }
    unknown = {name: math.nan for name in map(str, other) if name.startswith("trivial_")}
    # Values that overflowed are null there, and would be skipped by the means.
    known = other["nonzero_count"] == 0
    beyond = {name: other[name].where(known | other[name].notna(), np.inf) for name in _RELATIVE}
    scales = {name: seen[name] for name in ("range", "standard_deviation")}
    return _with_overall(other.assign(**scales, **changed, **beyond, **unknown))


def held_out_summary(held_out: pd.DataFrame | None) -> dict[str, float | int | None]:
    """Return the main numbers of `held_out_errors`; null without held-out rows."""
    if held_out is None:
        return dict.fromkeys(HELD_OUT)
    overall, first = held_out[held_out["column"] == ALL].iloc[0], held_out.iloc[0]
    rows = int(first["nonzero_count"] + first["zero_count"])
    return {HELD_OUT[0]: rows, **{f"held_out_{_name(name)}": _number(overall[name]) for name in _ON_HELD_OUT}}


def on_all_rows(errors: pd.DataFrame, held_out: pd.DataFrame | None) -> pd.DataFrame:
    """Merge the errors of a run, with the column ``on_rows``; `held_out` is from `held_out_errors`, or None."""
    parts = {COMPRESSED: errors} | ({} if held_out is None else {HELD_OUT_ROWS: held_out})
    merged = pd.concat([frame.assign(on_rows=rows) for rows, frame in parts.items()], ignore_index=True)
    return merged.astype({"on_rows": "string"})


def ratios(sizes_bytes: Mapping[str, int | None], compressed_bytes: int, model_bytes: int) -> dict[str, float | None]:
    """Compression ratios against several sizes of the original, each without and with the model's bytes.

    Parameters
    ----------
    sizes_bytes
        The original's size by format (``float64``, ``native``, ``source``); null if unknown.
    compressed_bytes, model_bytes
        Sizes of the compressed file and of the checkpoint.

    Returns
    -------
    dict
        ``ratio_<kind>_bytes`` and ``ratio_<kind>_bytes_with_model``; below 1 if the file grew.
    """
    result: dict[str, float | None] = {}
    for kind, size in sizes_bytes.items():
        result[f"ratio_{kind}_bytes"] = None if size is None else size / compressed_bytes
        with_model = compressed_bytes + model_bytes
        result[f"ratio_{kind}_bytes_with_model"] = None if size is None else size / with_model
    return result


def check_tables(original: Floats, reconstructed: Floats, names: Sequence[str]) -> None:
    """Refuse two tables that cannot be the same table before and after compression.

    Raises
    ------
    InputError
        The tables differ in shape, or a value is not finite.
    """
    if original.shape != reconstructed.shape or original.shape[1:] != (len(names),) or not len(original):
        raise InputError(
            f"The original is {original.shape} (rows, columns), the reconstruction {reconstructed.shape}, with "
            f"{len(names)} names: these are not the same table before and after compression."
        )
    for table, word in ((original, "original"), (reconstructed, "reconstructed table")):
        for number, name in enumerate(names):
            finite = np.isfinite(table[:, number])
            if not finite.all():
                row = int(np.argmin(finite))
                raise InputError(f"The {word} contains NaN or infinity (column {name!r}, row {row}).")


def _column(table: Floats, number: int) -> Floats:
    return np.ascontiguousarray(table[:, number])


def _errors(before: Floats, after: Floats, dtype: str) -> dict[str, float | int]:
    with np.errstate(over="ignore", invalid="ignore"):
        residual = after - before
        column_range, mean = float(before.max() - before.min()), _mean(before)
        deviation, rms = _rms(before - mean), _rms(residual)
        # If the mean is rounded, the standard deviation of a constant column can exceed 0.
        deviation = deviation if column_range > 0 else 0.0
        ordered, back = np.sort(before), np.sort(after)
        values = {
            "range": column_range,
            "standard_deviation": deviation,
            "rms_residual": rms,
            "rms_over_range": _over(rms, column_range),
            "max_over_range": _over(_largest(residual), column_range),
            "nrmse": _over(rms, deviation),
            "explained_variance": 1 - float(np.square(_over(_rms(residual - _mean(residual)), deviation))),
            **_relative_errors(before, residual),
            "ks_distance": _ks(ordered, back),
            "wasserstein_over_deviation": _over(_mean(np.abs(back - ordered)), deviation),
            "trivial_rms_over_range": _over(deviation, column_range),
            "trivial_max_over_range": _over(_largest(before - mean), column_range),
            **{f"trivial_{name}": value for name, value in _quantiles(_relative(before, mean - before)).items()},
            "trivial_ks_distance": _ks(ordered, np.array([mean])) if column_range > 0 else math.nan,
            "trivial_wasserstein_over_deviation": _over(_mean(np.abs(before - mean)), deviation),
        }
    # Decompression rounds to the recorded type.
    trivial = _kept(before, np.full_like(before, round(mean) if np.dtype(dtype).kind in "iu" else mean), dtype)
    shares = {name: trivial[name.removeprefix("trivial_")] for name in _SHARES if name.startswith("trivial_")}
    return {**values, **_kept(before, after, dtype), **shares}


def _relative_errors(before: Floats, residual: Floats) -> dict[str, float]:
    relative = _relative(before, residual)
    whole = (
        {"relative_error_mean": float(relative.mean()), "relative_error_rms": _rms(relative)} if relative.size else {}
    )
    return {"relative_error_mean": math.nan, "relative_error_rms": math.nan} | whole | _quantiles(relative)


def _relative(before: Floats, residual: Floats) -> Floats:
    nonzero = before != 0
    relative: Floats = np.abs(residual[nonzero] / before[nonzero])
    return relative


def _quantiles(relative: Floats) -> dict[str, float]:
    # No interpolation, since it fails between a number and infinity.
    found = np.quantile(relative, [0.5, 0.99], method="higher") if relative.size else (math.nan, math.nan)
    return dict(zip(("relative_error_median", "relative_error_p99"), map(float, found), strict=True))


def _kept(before: Floats, after: Floats, dtype: str) -> dict[str, float | int]:
    """Count zeros and integers, and the shares of them that are reconstructed exactly."""
    zero, integer = before == 0, np.dtype(dtype).kind in "iub"
    zeros = int(zero.sum())
    return {
        "nonzero_count": len(before) - zeros,
        "zero_count": zeros,
        "zeros_kept": float((after[zero] == 0).mean()) if zeros else math.nan,
        "integer_count": len(before) if integer else 0,
        "integers_kept": float((after == before).mean()) if integer else math.nan,
    }


def _with_overall(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the row for all columns together, and replace values that overflow: they are unknown, not infinite."""
    rows = [*frame.to_dict("records"), _overall(frame)]
    together = pd.DataFrame(rows).astype({"dtype": "string", "column": "string"})
    # Only now, so that a mean over the columns does not skip a column whose value overflows.
    floats = together.select_dtypes("float")
    return together.assign(**{str(name): values.where(np.isfinite(values)) for name, values in floats.items()})


def _overall(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the row for all columns together."""
    nonzero = frame[frame["nonzero_count"] > 0]
    counts, total = nonzero["nonzero_count"], int(nonzero["nonzero_count"].sum())
    counted = {count: int(frame[count].sum()) for count in set(_SHARES.values())}
    with np.errstate(over="ignore"):
        relative_sum = (nonzero["relative_error_mean"] * counts).sum(skipna=False)
        square_sum = (nonzero["relative_error_rms"] ** 2 * counts).sum(skipna=False)
        values = {
            **{name: frame[name].mean() for name in _MEANS},
            **{name: frame[name].max() for name in _LARGEST},
            "relative_error_mean": relative_sum / total if total else math.nan,
            "relative_error_rms": math.sqrt(square_sum / total) if total else math.nan,
        }
    return {
        "column": ALL,
        "dtype": None,
        **dict.fromkeys(_WITH_UNIT, math.nan),
        **values,
        "nonzero_count": total,
        **counted,
        **{
            share: (frame[share] * frame[count]).sum(min_count=1) / counted[count] if counted[count] else math.nan
            for share, count in _SHARES.items()
        },
    }


def _ks(first: Floats, second: Floats) -> float:
    """Largest difference between the empirical distribution functions of two sorted samples (Kolmogorov-Smirnov)."""
    values = np.concatenate([first, second])
    below_first = np.searchsorted(first, values, side="right") / len(first)
    below_second = np.searchsorted(second, values, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def _over(value: float, column_range: float) -> float:
    return value / column_range if column_range > 0 else math.nan


def _largest(values: Floats) -> float:
    return float(np.abs(values).max())


def _mean(values: Floats) -> float:
    """Mean, computed from scaled values so that their sum does not overflow."""
    largest = _largest(values)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float((values / largest).mean())


def _rms(values: Floats) -> float:
    """Root of the mean square, computed from scaled values so that squares neither overflow nor vanish."""
    largest = _largest(values)
    if largest == 0 or not math.isfinite(largest):
        return largest
    scaled = values / largest
    return largest * math.sqrt(float(np.dot(scaled, scaled)) / len(values))


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
