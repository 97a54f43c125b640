"""The trivial codec, which only stores the columns' means and nothing per row: the upper end of every error axis."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from baler_energy.figures.base import Tables
from baler_energy.figures.selection import interval_text

__all__ = ["LINE", "NAME", "mark_trivial", "note_trivial", "trivial_error", "trivial_words"]

NAME = "trivial codec (column means)"
#: Style of its line.
LINE: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1, 2)), "linewidth": 1.2, "zorder": 1}
#: Errors of a run, and those of the trivial codec on its table.
_TRIVIAL = {
    "mean_rms_over_range": "trivial_mean_rms_over_range",
    "max_over_range": "trivial_max_over_range",
    "mean_relative_error_median": "trivial_mean_relative_error_median",
    "mean_relative_error_p99": "trivial_mean_relative_error_p99",
}
#: Its errors that are the same for every table, by definition.
_ALWAYS = {"mean_nrmse": 1.0}
_ERROR, _RELATIVE = "trivial_mean_rms_over_range", "trivial_mean_relative_error_median"


def trivial_error(runs: pd.DataFrame, measure: str) -> float:
    """Return the mean error of the trivial codec on the runs' tables; NaN if there is none."""
    if measure not in _TRIVIAL:
        return _ALWAYS.get(measure, math.nan)
    values = runs[_TRIVIAL[measure]].dropna()
    return float(values.mean()) if len(values) else math.nan


def mark_trivial(
    panel: Axes, runs: pd.DataFrame, measure: str, *, upright: bool, limits: Iterable[float]
) -> list[float]:
    """Draw the error of the trivial codec as a line across a panel.

    Parameters
    ----------
    panel
        A panel with an axis of the error `measure`.
    runs
        The runs that the panel shows.
    measure
        A column of ``runs``.
    upright
        Whether that axis is the horizontal one.
    limits
        Limits of the axis that fit the data.

    Returns
    -------
    list of float
        Limits of the axis that also fit the line.
    """
    low, high = limits
    value = trivial_error(runs, measure)
    if math.isnan(value) or value == 0:
        return [low, high]
    text: dict[str, Any] = {"fontsize": 8, "color": "0.25", "textcoords": "offset points", "va": "bottom"}
    if upright:
        # On the right of the line: all useful codecs are on its left.
        panel.axvline(value, **LINE)
        text |= {"xycoords": panel.get_xaxis_transform(), "xytext": (7, 3), "rotation": 90, "ha": "left"}
        panel.annotate(NAME, (value, 0.02), **text)
        return [min(low, value / 1.4), max(high, value * 2.2)]
    panel.axhline(value, **LINE)
    text |= {"xycoords": panel.get_yaxis_transform(), "xytext": (-3, 3), "ha": "right"}
    panel.annotate(NAME, (1.0, value), **text)
    return [min(low, value / 1.4), max(high, value * 1.4)]


def trivial_words(runs: pd.DataFrame) -> list[str]:
    """Write the trivial codec's errors on each dataset, for tables of errors."""
    known = runs.dropna(subset=[_ERROR])
    said = []
    for dataset, mine in known.groupby("dataset", observed=True):
        words = f"{_percent(mine[_ERROR])} ({dataset})"
        if mine[_RELATIVE].notna().any():
            words = f"{words[:-1]}; median relative error {_percent(mine[_RELATIVE])})"
        said.append(words)
    if not said:
        return []
    codec = "The trivial codec, which stores only the columns' means,"
    return [f"{codec} has a mean RMS / range of {', '.join(said)} and an NRMSE of 1."]


def note_trivial(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Return the notes of a table of errors: `trivial_words` if it has rows."""
    return trivial_words(tables["runs"]) if len(frame) else []


def _percent(shares: "pd.Series[Any]") -> str:
    return f"{interval_text(100 * shares.mean(), math.nan)} %"
