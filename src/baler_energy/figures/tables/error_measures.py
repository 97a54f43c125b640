"""Every measure of the error, for each codec at the study's centre, and for the trivial codec."""

import math
from typing import Any

import pandas as pd

from baler_energy.analysis.error_measures import COMPRESSED, HELD_OUT_ROWS
from baler_energy.analysis.rate_distortion import CODEC, codec_name
from baler_energy.analysis.statistics import interval
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import interval_text
from baler_energy.figures.trivial import NAME, note_trivial, trivial_error

__all__ = ["TABLE"]

#: Measures: column of ``runs``, and its heading.
_MEASURES = {
    "mean_rms_over_range": "RMS / range",
    "mean_nrmse": "NRMSE",
    "mean_explained_variance": "explained variance",
    "max_over_range": "largest / range",
    "mean_relative_error_median": "relative error, median",
    "mean_relative_error_p99": "relative error, 99 %",
    "max_ks_distance": "largest KS distance",
    "mean_wasserstein_over_deviation": "Wasserstein / deviation",
    "zeros_kept": "zeros kept",
    "integers_kept": "integers kept",
}


def error_measures(tables: Tables) -> pd.DataFrame:
    """Return all measures of each codec at the study's centre.

    Returns
    -------
    pandas.DataFrame
        The trivial codec, then a row per codec and kind of rows (``rows``: compressed or held_out), smallest error
        first: ``codec``, ``n`` runs, and for each measure its mean over all runs and ``..._half_width`` (95 % t
        interval, null for one run).
    """
    names = ["codec", "rows", "n", *(f"{measure}{end}" for measure in _MEASURES for end in ("", "_half_width"))]
    try:
        _, runs, _ = codecs_at_centre(tables, least_families=1)
    except NoData:
        return pd.DataFrame(columns=names)
    once = runs.drop_duplicates("run_id")
    trivial = {measure: trivial_error(once, measure) for measure in _MEASURES}
    found = [{"codec": NAME, "rows": COMPRESSED, **trivial}]
    for _, part in once.groupby(CODEC, dropna=False, observed=True, sort=False):
        codec = codec_name(part.iloc[0])
        found.append({"codec": codec, "rows": COMPRESSED, **_means(part, "")})
        if part["held_out_rows"].gt(0).any():
            found.append({"codec": codec, "rows": HELD_OUT_ROWS, **_means(part, "held_out_")})
    frame = pd.DataFrame(found, columns=names)
    order = frame["codec"].map(frame[frame["rows"] == COMPRESSED].set_index("codec")["mean_rms_over_range"])
    return frame.iloc[order.where(frame["codec"] != NAME, -1.0).argsort(kind="stable")].reset_index(drop=True)


def _means(part: pd.DataFrame, prefix: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for measure in _MEASURES:
        mean, half_width, n = interval(part[f"{prefix}{measure}"].to_numpy("float64", na_value=math.nan))
        row |= {measure: mean, f"{measure}_half_width": half_width}
        row["n"] = max(n, row.get("n", 0))
    return row


def _row(row: Row) -> dict[str, str]:
    cells = {
        heading: unless_missing(interval_text(row[measure], row[f"{measure}_half_width"]), row[measure], "-")
        for measure, heading in _MEASURES.items()
    }
    rows = {COMPRESSED: "compressed", HELD_OUT_ROWS: "held out"}[row["rows"]]
    return {"codec": row["codec"], "rows": rows, **cells, "n": unless_missing(f"{row['n']:.0f}", row["n"], "")}


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    if frame.empty:
        return []
    device = codecs_at_centre(tables, least_families=1)[2]
    return [f"At {where(tables['runs'])}, {device}.", *note_trivial(frame, tables)]


TABLE = TableSpec(
    "error_measures",
    "Every measure of the error",
    "Errors of each codec at the study's centre: means over all runs, with half widths of 95 % t intervals. The "
    "glossary defines the measures and says when each misleads. Rows: those that were compressed, which a codec may be "
    "trained on, or those that were held out of its training, with errors over the range and standard deviation of the "
    "former. "
    "Means over columns, except for the largest residual and KS distance, which are those of the worst column, and the "
    "shares of zeros and of integers that come back exactly, which are over all of them. The trivial codec stores only "
    "the columns' means; a dash is an unknown value, or one that does not exist, as without integer columns.",
    make=error_measures,
    rows=each(_row),
    notes=_notes,
    without_rows="No run at the study's centre has an error.",
    by_dataset=True,
)
