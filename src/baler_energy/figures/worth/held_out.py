"""Errors of trained codecs on held-out rows against their errors on the training rows."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import interval
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.codec_rows import around_centre
from baler_energy.figures.selection import AXES, first_device, with_error
from baler_energy.figures.style import grid, legend_below, log_ticks, mean_text, numbered_look, plain, subtitle
from baler_energy.figures.trivial import mark_trivial

__all__ = ["FIGURES"]

_MEASURES = {"mean_rms_over_range": "mean RMS residual / range", "mean_nrmse": "mean NRMSE"}


def draw_held_out(tables: Tables) -> Figure:
    """Draw both errors of each point, with the line on which they are equal.

    Raises
    ------
    NoData
        No run has errors on held-out rows.
    """
    reason = "no codec was trained, or the study holds out no rows"
    runs = with_error(tables["runs"])
    require_rows(reason, runs)
    known = around_centre(runs, "rows")
    known = known[known["held_out_rows"] > 0]
    require_rows(reason, known)
    known, device = first_device(known)
    figure, (panels,) = grid(1, len(_MEASURES), 4.6)
    counts = {
        count for panel, measure in zip(panels, _MEASURES, strict=True) for count in _panel(panel, known, measure)
    }
    legend_below(figure, panels[0].get_legend_handles_labels()[0], columns=4)
    rows = known["held_out_rows"]
    some = f"{int(rows.min()):,}" + (f" to {int(rows.max()):,}" if rows.nunique() > 1 else "")
    subtitle(figure, f"{some} held-out rows, {device}.", *mean_text(counts))
    return figure


def _panel(panel: Axes, known: pd.DataFrame, measure: str) -> set[int]:
    """Draw one measure of the error; return the numbers of repeats."""
    counts, ends = set[int](), []
    for number, (transform, part) in enumerate(known.groupby("transform", observed=True)):
        rows = []
        for _, repeats in part.groupby([axis for axis in AXES if axis != "transform"], dropna=False, observed=True):
            seen, other = (
                interval(repeats[name].dropna().to_numpy("float64")) for name in (measure, f"held_out_{measure}")
            )
            # A logarithmic axis has no place for a codec without error.
            if seen[2] and other[2] and seen[0] > 0 and other[0] > 0:
                rows.append((*seen[:2], *other[:2]))
                counts.add(other[2])
        table = pd.DataFrame(rows, columns=["x", "x_bar", "y", "y_bar"])
        look = numbered_look(number) | {"markersize": 5}
        bars: dict[str, Any] = {"xerr": table["x_bar"].fillna(0), "yerr": table["y_bar"].fillna(0), "capsize": 2}
        panel.errorbar(table["x"], table["y"], **bars, **look, linestyle="none", label=plain(str(transform)))
        ends += [*table["x"], *table["y"]]
    limits = [min(ends) / 1.4, max(ends) * 1.4]
    # It keeps nothing about rows, so new rows of the same kind have the same error.
    for upright in (True, False):
        limits = mark_trivial(panel, known, measure, upright=upright, limits=limits)
    panel.plot(limits, limits, color="0.6", linewidth=0.9, zorder=0, label="equal on both")
    panel.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    panel.set(xlabel=f"Training rows: {_MEASURES[measure]}", ylabel=f"Held-out rows: {_MEASURES[measure]}")
    log_ticks(panel.xaxis, *limits)
    log_ticks(panel.yaxis, *limits)
    return counts


FIGURES = (
    FigureSpec(
        "held_out",
        "Errors on rows that a codec was not trained on",
        "Each mark is a trained codec: its error on held-out rows against its error on the training rows, both "
        "relative to the ranges and standard deviations of the training rows. Above the line, the codec is worse on "
        "new rows. The other figures say which rows their errors are on; errors on the training rows are too "
        "small for a model that compresses other data. Marks are means over n repeats, bars are 95 % t "
        "intervals. The dotted lines are the error of storing only the columns' means, which new rows of the same kind "
        "do not change.",
        draw_held_out,
    ),
)
