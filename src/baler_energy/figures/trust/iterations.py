"""Spread within a window: each iteration against the median of its window."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import COLOURS, count_text, grid, legend_below, log_ticks, note_empty, subtitle

__all__ = ["DISTURBED", "FIGURES", "draw_iterations", "within_windows"]

#: An iteration that takes more than this times the median of its window was disturbed.
DISTURBED = 1.5
_QUARTILES: dict[str, Any] = {"color": COLOURS[0], "linewidth": 2.2}
_LONGEST: dict[str, Any] = {"color": COLOURS[0], "marker": "_", "markersize": 5, "linestyle": "none"}
_FAR: dict[str, Any] = {"color": COLOURS[1], "marker": "^", "linestyle": "none"}


def within_windows(runs: pd.DataFrame) -> pd.DataFrame:
    """Return quartiles and longest iteration, divided by the median, of windows with several iterations, by start.

    Returns
    -------
    pandas.DataFrame
        ``operation``, ``minutes`` since the first window's start, ``lower``, ``upper`` and ``longest`` (pure numbers)
        and ``iterations``.
    """
    several = runs[(runs["iterations"] > 1) & runs["duration_median_s"].notna()].sort_values("window_start")
    median_s = several["duration_median_s"]
    return pd.DataFrame(
        {
            "operation": several["operation"],
            "minutes": (several["window_start"] - runs["window_start"].min()).dt.total_seconds() / 60,
            "lower": several["duration_lower_quartile_s"] / median_s,
            "upper": several["duration_upper_quartile_s"] / median_s,
            "longest": several["duration_longest_s"] / median_s,
            "iterations": several["iterations"],
        }
    )


def draw_iterations(tables: Tables) -> Figure:
    """Draw quartiles and longest iteration of each window, divided by its median, in the order of the runs.

    Raises
    ------
    NoData
        No window has several iterations.
    """
    runs = tables["runs"]
    runs = runs[runs["operation"].isin(list(OPERATIONS))]
    found = within_windows(runs)
    require_rows("no window has several iterations with known durations", found)
    figure, (panels,) = grid(1, 3, 4.4, sharey=True)
    low, high = min(0.9, found["lower"].min() / 1.05), max(2.0, found["longest"].max() * 1.15)
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        part = found[found["operation"] == operation]
        _panel(panel, part)
        panel.set_title(f"{operation.value}, {count_text([len(part)])}" if len(part) else operation.value)
    panels[0].set(yscale="log", ylim=(low, high), ylabel="Iteration / median\nof its window (clock)")
    log_ticks(panels[0].yaxis, low, high, narrow=True)
    handles = [
        Line2D([], [], label="lower to upper quartile", **_QUARTILES),
        Line2D([], [], label="longest iteration", **_LONGEST),
        Line2D([], [], label=f"longest iteration, above {DISTURBED:g} times the median (dashed)", **_FAR),
    ]
    legend_below(figure, handles, columns=3)
    subtitle(figure, *_sentences(runs, found))
    return figure


def _panel(panel: Axes, part: pd.DataFrame) -> None:
    panel.vlines(part["minutes"], part["lower"], part["upper"], **_QUARTILES)
    far = part["longest"] > DISTURBED
    panel.plot(part.loc[~far, "minutes"], part.loc[~far, "longest"], **_LONGEST)
    panel.plot(part.loc[far, "minutes"], part.loc[far, "longest"], **_FAR)
    panel.axhline(DISTURBED, color="0.4", linestyle="--", linewidth=1)
    panel.set_xlabel("Start (min since the first)")
    if part.empty:
        note_empty(panel, "no window with\nseveral iterations")


def _sentences(runs: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    far = int((found["longest"] > DISTURBED).sum())
    width = 100 * (found["upper"] - found["lower"])
    lines = [
        f"{far} of {len(found)} windows have an iteration above {DISTURBED:g} times their median; "
        f"the interquartile range is {width.median():.1f} % of the median (median over windows)."
    ]
    if single := len(runs) - len(found):
        lines.append(f"{single} more windows have a single iteration or were resumed, and are not drawn.")
    return lines


FIGURES = (
    FigureSpec(
        "iterations",
        "Spread within windows",
        "A window contains as many iterations of an operation as fit. Each bar is one window: the lower to the upper "
        "quartile of its iterations' durations, divided by their median; a mark is the longest iteration. Triangles "
        "are windows with an iteration above 1.5 times the median (dashed): a disturbance, which changes the window's "
        "mean (duration_s) but not its median (duration_median_s). Flagged runs are drawn like the others. Single "
        "iterations are in the table samples.",
        draw_iterations,
        by_dataset=False,
    ),
)
