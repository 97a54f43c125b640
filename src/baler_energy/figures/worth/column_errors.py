"""Errors of each column, divided by its range."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.error_measures import ALL, COMPRESSED, HELD_OUT_ROWS
from baler_energy.analysis.statistics import mean_interval
from baler_energy.figures.bars import name_rows
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.selection import at_point, centre_of, describe, first_device
from baler_energy.figures.style import COLOURS, MARKERS, grid, legend_below, log_ticks, mean_text, subtitle
from baler_energy.figures.trivial import NAME

__all__ = ["FIGURES"]

#: Errors of a column, and their labels.
_ERRORS = {"rms_over_range": "RMS residual / range", "max_over_range": "largest residual / range"}


def draw_column_errors(tables: Tables) -> Figure:
    """Draw RMS and largest residual of each column, divided by its range, with 95 % t intervals.

    Raises
    ------
    NoData
        No run at the study's centre has errors.
    """
    errors, runs = tables["errors"], tables["runs"]
    require_rows("no run has errors per column", runs, errors)
    centre = centre_of(runs)
    here = at_point(errors, centre)
    here = here[(here["column"] != ALL) & here["rms_over_range"].notna()]
    require_rows("no run at the study's centre has errors per column", here)
    here, device = first_device(here)
    held_out = here[here["on_rows"] == HELD_OUT_ROWS]
    here = here[here["on_rows"] == COMPRESSED]
    means = {name: mean_interval(here, ["column"], name).set_index("column") for name in _ERRORS}
    order = means["rms_over_range"]["mean"].sort_values().index
    figure, ((panel,),) = grid(1, 1, 1.9 + 0.24 * len(order))
    # At different heights, so that wide intervals do not overlap.
    for number, (value, label) in enumerate(_ERRORS.items()):
        _marks(panel, means[value].reindex(order), 0.16 if number else -0.16, number, label)
    largest = _end(means["max_over_range"])
    if len(held_out):
        others = mean_interval(held_out, ["column"], "rms_over_range").set_index("column").reindex(order)
        _marks(panel, others, -0.32, 2, f"{_ERRORS['rms_over_range']}, held-out rows", markerfacecolor="none")
        largest = max(largest, _end(others))
    trivial = here.groupby("column", observed=True)[[f"trivial_{name}" for name in _ERRORS]].mean().reindex(order)
    for (name, label), place, grey in zip(_ERRORS.items(), (-0.16, 0.16), ("0.35", "0.65"), strict=True):
        look: dict[str, Any] = {"linestyle": "none", "marker": "|", "ms": 7, "color": grey}
        panel.plot(trivial[f"trivial_{name}"], np.arange(len(order)) + place, **look, label=f"{label}, {NAME}")
    _column_axes(panel, means["rms_over_range"]["mean"].reindex(order), max(largest, trivial.max().max()))
    legend_below(figure, panel.get_legend_handles_labels()[0])
    subtitle(figure, f"Centre: {describe(centre)}, {device}.", *mean_text(means["rms_over_range"]["n"]))
    return figure


def _marks(panel: Axes, means: pd.DataFrame, offset: float, number: int, label: str, **look: Any) -> None:
    """Draw the mean of each column with its interval, at an offset from the row of the column."""
    places = np.arange(len(means)) + offset
    look |= {"color": COLOURS[number], "marker": MARKERS[number], "label": label, "linestyle": "none", "ms": 4.5}
    panel.errorbar(means["mean"], places, xerr=means["half_width"], capsize=2, elinewidth=0.9, **look)


def _end(means: pd.DataFrame) -> float:
    """Return the end of the longest interval."""
    return float((means["mean"] + means["half_width"].fillna(0)).max())


def _column_axes(panel: Axes, errors: "pd.Series[float]", largest: float) -> None:
    """Put the columns' names on the y axis and a logarithmic scale on the x axis; say which columns have no error."""
    positive = errors[errors > 0]
    # Zero has no place on the axis.
    low = max(positive.min() if len(positive) else largest / 100, largest * 1e-9) / 3
    high = largest * 1.5
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    log_ticks(panel.xaxis, low, high)
    name_rows(panel, [str(name) for name in errors.index], margin=0.7, upwards=True, ticks=True)
    panel.set_xlabel("Residual / range of the column")
    panel.grid(axis="y", linewidth=0.4)
    look: dict[str, Any] = {"xycoords": panel.get_yaxis_transform(), "va": "center", "fontsize": 8, "color": "0.4"}
    for place in np.flatnonzero(errors == 0):
        panel.annotate("no error", (0.01, float(place)), **look)


FIGURES = (
    FigureSpec(
        "column_errors",
        "Error of each column",
        "RMS and largest residual of each column, divided by its range, at the study's centre. Markers are means over "
        "n repeats, bars are 95 % t intervals. Strokes are the same two errors if only the column's mean is "
        "stored: a mark to the right of the stroke at its height is worse than that. Constant columns have no range "
        f"and are left out. {ERROR_ROWS} Open markers, if any, are RMS residuals on held-out rows instead, over the "
        "range of the training rows.",
        draw_column_errors,
    ),
)
