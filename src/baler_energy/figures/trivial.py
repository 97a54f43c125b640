"""The trivial codec, which only stores the columns' means and nothing per row: the upper end of every error axis."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from baler_energy.figures.base import Tables
from baler_energy.figures.selection import percent_text
from baler_energy.figures.style import log_ticks

__all__ = [
    "LINE",
    "NAME",
    "log_axes_of_error",
    "mark_trivial",
    "mark_value",
    "note_trivial",
    "trivial_error",
    "trivial_words",
]

NAME = "trivial codec (column means)"
#: Style of its line.
LINE: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1, 2)), "linewidth": 1.2, "zorder": 1}
#: Its errors that are the same for every table, by definition.
_ALWAYS = {"mean_nrmse": 1.0, "mean_explained_variance": 0.0}
_ERROR = "trivial_mean_rms_over_range"
_OTHERS = {
    "largest / range": "trivial_max_over_range",
    "median relative error": "trivial_mean_relative_error_median",
}


def trivial_error(runs: pd.DataFrame, measure: str) -> float:
    """Return the mean error of the trivial codec on the table of the study's centre; NaN if it is not known."""
    if measure in _ALWAYS:
        return _ALWAYS[measure]
    if (name := f"trivial_{measure}") not in runs:
        return math.nan
    values = _central(runs.dropna(subset=[name]))[name]
    return float(values.mean()) if len(values) else math.nan


def _central(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs at the study's centre; all if none are there.

    Ranges grow with the number of rows, so that errors over them differ: without this, a figure or table over several
    numbers of rows would state another error than the first page.
    """
    if "at_reference" not in runs:
        return runs
    central = runs[runs["at_reference"].astype(bool)]
    return central if len(central) else runs


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
    return mark_value(panel, trivial_error(runs, measure), upright=upright, limits=limits)


def log_axes_of_error(panel: Axes, runs: pd.DataFrame, x_limits: tuple[float, float], *, narrow: bool = False) -> None:
    """Make both axes logarithmic, the vertical one for the errors of `runs` and of the trivial codec."""
    measure = "mean_rms_over_range"
    panel.set(xscale="log", yscale="log")
    limits = (runs[measure].min() / 1.4, runs[measure].max() * 1.4)
    y_limits = mark_trivial(panel, runs, measure, upright=False, limits=limits)
    panel.set(xlim=x_limits, ylim=y_limits)
    log_ticks(panel.xaxis, *x_limits, narrow=narrow)
    log_ticks(panel.yaxis, *y_limits)


def mark_value(panel: Axes, value: float, *, upright: bool, limits: Iterable[float]) -> list[float]:
    """Draw an error of the trivial codec, as `mark_trivial` does; none if it is NaN or 0."""
    low, high = limits
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
    for dataset, every in known.groupby("dataset", observed=True):
        mine = _central(every)
        others = {words: mine[name].dropna() for words, name in _OTHERS.items()}
        known_others = [f"; {words} {percent_text(values.mean())}" for words, values in others.items() if len(values)]
        said.append(f"{percent_text(mine[_ERROR].mean())} ({dataset}{''.join(known_others)})")
    if not said:
        return []
    codec = "The trivial codec, which stores only the columns' means,"
    return [f"{codec} has a mean RMS / range of {', '.join(said)} and an NRMSE of 1."]


def note_trivial(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Return the notes of a table of errors: `trivial_words` if it has rows."""
    return trivial_words(tables["runs"]) if len(frame) else []
