"""Comparison of codecs: what each stores at which error, which are best, and what each needs at the same error."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.statistics import clean, interval
from baler_energy.vocabulary import Operation

__all__ = ["COSTS", "at_error", "codec_points", "family", "on_front"]

#: Columns of energy and time per GB (10^9 bytes of the table in its recorded formats), by operation.
COSTS = {
    "train": ("train_j_per_gb", "train_s_per_gb"),
    "compress": ("compress_j_per_gb", "compress_s_per_gb"),
    "decompress": ("decompress_j_per_gb", "decompress_s_per_gb"),
}
_GB = 1e9
#: Parameters that identify a codec.
_CODEC = ["transform", "packing", "compression_ratio", "epochs"]


def family(row: Mapping[str, Any]) -> str:
    """Name the family of a codec. Its members differ in an error bound, a level, or the training's epochs.

    The members also differ in the compression ratio, unless the transform is trained in epochs.
    """
    words = "+".join(word.partition("-")[0] for word in str(row["packing"]).split("+"))
    transform = "" if row["transform"] == "identity" else f"{row['transform']}"
    if transform and not pd.isna(row["epochs"]):
        transform += f" 1/{row['compression_ratio']:g}"
    return ", ".join(filter(None, [transform, "" if words == "none" else words])) or "as recorded"


def codec_points(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise each codec of some runs over its repeats.

    Parameters
    ----------
    runs
        Rows of the table ``runs`` for one data table on one device. Every row needs the errors and ratios of its run
        (`figures.selection.with_error` adds those of the first operation).

    Returns
    -------
    pandas.DataFrame
        A row per codec, smallest error first: ``family``, the parameters that identify it, ``n`` (runs), ``trains``
        (whether it is trained), ``error`` (mean of mean_rms_over_range) with ``error_half_width`` (95 % t interval),
        ``nrmse``, ``max_over_range``, ``relative_error`` (mean of mean_relative_error_median), ``ratio`` (over the
        recorded formats), ``bytes_per_row``, `COSTS` (means over clean runs, null without one; energies also if their
        evidence differs) and ``evidence`` of the energies.
    """
    rows = []
    for key, part in runs.groupby(_CODEC, dropna=False, observed=True, sort=False):
        once = part.drop_duplicates("run_id")
        error, half_width, n = interval(once["mean_rms_over_range"].dropna().to_numpy("float64"))
        if not n:
            continue
        row: dict[str, Any] = dict(zip(_CODEC, key, strict=True))
        row |= {"family": family(row), "n": n, "error": error, "error_half_width": half_width}
        row |= {"nrmse": once["mean_nrmse"].mean(), "max_over_range": once["max_over_range"].mean()}
        row |= {"relative_error": once["mean_relative_error_median"].mean(), "ratio": once["ratio_native_bytes"].mean()}
        row["trains"] = bool(part["operation"].eq(Operation.TRAIN).any())
        row["bytes_per_row"] = (once["compressed_bytes"] / once["rows"]).mean()
        rows.append(row | _costs(part))
    return pd.DataFrame(rows).sort_values(["error", "ratio"], ignore_index=True) if rows else pd.DataFrame()


def _costs(part: pd.DataFrame) -> dict[str, Any]:
    native = part["ratio_native_bytes"] * part["compressed_bytes"] / _GB
    per_gb = clean(part.assign(j=part["energy_j"] / native, s=part["duration_s"] / native))
    evidences = part["energy_evidence"].dropna().unique()
    found: dict[str, Any] = {"evidence": evidences[0] if len(evidences) == 1 else None}
    for operation, (joules, seconds) in COSTS.items():
        mine = per_gb[per_gb["operation"] == operation]
        found[joules] = mine["j"].mean() if len(evidences) == 1 else math.nan
        found[seconds] = mine["s"].mean()
    return found


def on_front(points: pd.DataFrame) -> "pd.Series[bool]":
    """Return which points no other one beats, by a larger ratio at no larger error, or the same at a smaller error."""
    ordered = points.sort_values(["error", "ratio"], ascending=[True, False])
    before = ordered["ratio"].cummax().shift(fill_value=-math.inf)
    return (ordered["ratio"] > before).reindex(points.index)


def at_error(points: pd.DataFrame, error: float, names: Iterable[str], measure: str = "error") -> pd.DataFrame:
    """Interpolate what each family needs at an error.

    Between the family's two points next to the error, the logarithm of each quantity is linear in that of the error. A
    family whose errors are all larger or all smaller has no row, since nothing is extrapolated. A quantity that is 0 or
    missing at one of the two points is null.

    Parameters
    ----------
    points
        As from `codec_points`.
    error
        The error, above 0.
    names
        Columns to interpolate.
    measure
        Column of the error.
    """
    rows = []
    for name, curve in points[points[measure] > 0].groupby("family", sort=False, observed=True):
        known = curve.sort_values(measure)
        errors = known[measure].to_numpy()
        if errors[0] > error or errors[-1] < error:
            continue
        high = int(np.searchsorted(errors, error))
        low = max(high - 1, 0)
        share = 1.0
        if errors[low] < errors[high] and errors[high] != error:
            share = math.log(error / errors[low]) / math.log(errors[high] / errors[low])
        ends = known.iloc[low], known.iloc[high]
        rows.append({"family": name, **{column: _between(*ends, share, column) for column in names}})
    return pd.DataFrame(rows)


def _between(low: "pd.Series[Any]", high: "pd.Series[Any]", share: float, name: str) -> float:
    if share == 1:
        return float(high[name])
    first, second = float(low[name]), float(high[name])
    if not (first > 0 and second > 0):
        return math.nan
    return math.exp((1 - share) * math.log(first) + share * math.log(second))
