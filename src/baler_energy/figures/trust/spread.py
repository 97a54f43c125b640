"""Spread over repeats, and the number of repeats needed to detect a difference."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.statistics import DIFFERENCE, point_variation, repeats_to_detect, variation
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import EVIDENCE, TOO_FEW
from baler_energy.figures.selection import OPERATIONS, device_name, excluded_text
from baler_energy.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    WIDTH_IN,
    count_text,
    grid,
    legend_below,
    log_ticks,
    subtitle,
)

__all__ = ["FIGURES", "draw_repeats_needed", "draw_spread"]

#: Spread at which a dashed line is drawn.
_LIMIT_PERCENT = 5.0
#: Differences with a curve, and their style.
_DIFFERENCES = {0.02: (":", "0.6"), DIFFERENCE: ("-", "0.2"), 0.10: ("--", "0.6")}
#: Quantities with a mark on the curves; the table has all.
_MARKED = ("duration", "energy", "dynamic energy", "error")
#: Below this CV (%) two repeats are enough for any difference that is drawn.
_SMALLEST_PERCENT = 0.2


def draw_spread(tables: Tables) -> Figure:
    """Draw the coefficient of variation over repeats of duration and energy, per point and operation.

    Raises
    ------
    NoData
        No point has two clean runs.
    """
    runs = tables["runs"]
    runs = runs[runs["operation"].isin(list(OPERATIONS))]
    spreads = {words: point_variation(runs, words) for words in ("duration", "energy")}
    every = pd.concat(list(spreads.values()))
    require_rows(TOO_FEW, every)
    figure, (panels,) = grid(1, 2, 4.6, sharey=True)
    handles = dict[str, Line2D]()
    for panel, (words, spread) in zip(panels, spreads.items(), strict=True):
        for number, (evidence, part) in enumerate(spread.groupby("evidence", observed=True)):
            said = f"{evidence} energy" if words == "energy" else "duration (clock)"
            handles |= _spread_marks(panel, part, said, number + (words == "energy"))
        found = ", ".join(sorted(spread["evidence"].unique()))
        panel.set_title(f"{words.capitalize()}, {found}" if found else words.capitalize())
        panel.set_xticks(range(3), [operation.value for operation in OPERATIONS])
        panel.tick_params(axis="x", which="minor", bottom=False, top=False)
        panel.axhline(_LIMIT_PERCENT, color="0.4", linestyle="--", linewidth=1)
        panel.set(xlim=(-0.6, 2.6), xlabel="Operation")
    panels[0].set_ylabel("Standard deviation / mean (%)")
    panels[0].set_ylim(0, max(_LIMIT_PERCENT, 100 * every["cv"].max()) * 1.15)
    legend_below(figure, list(handles.values()), columns=4)
    words = f"Each mark is a point with {count_text(every['n'])} repeats. Dashed: 5 %."
    subtitle(figure, words, *excluded_text(runs, drawn=False))
    return figure


def _spread_marks(panel: Axes, part: pd.DataFrame, label: str, number: int) -> dict[str, Line2D]:
    """Draw the points of one kind side by side; return its handle by label."""
    look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": "none"}
    for place, operation in enumerate(OPERATIONS):
        cvs = 100 * part.loc[part["operation"] == operation, "cv"].sort_values()
        offsets = np.linspace(-0.3, 0.3, len(cvs)) if len(cvs) > 1 else np.zeros(len(cvs))
        panel.plot(place + offsets, cvs, **look)
    return {label: Line2D([], [], label=label, **look)}


def draw_repeats_needed(tables: Tables) -> Figure:
    """Draw the repeats needed to detect a difference against the spread, with marks at the study's spreads.

    Raises
    ------
    NoData
        No point has two clean runs.
    """
    seen = variation(tables["runs"])
    seen = seen[seen["quantity"].isin(_MARKED) & seen["operation"].isin(list(OPERATIONS))]
    require_rows(TOO_FEW, seen)
    low = max(_SMALLEST_PERCENT, min(0.5, 100 * seen["cv"].min() / 1.5))
    high = max(20.0, 150 * seen["cv"].max())
    figure, ((panel,),) = grid(1, 1, 5.2 + 0.11 * len(seen), width_in=WIDTH_IN)
    for difference, (line, colour) in _DIFFERENCES.items():
        _curve(panel, difference, np.geomspace(low, high, 200), line, colour)
    handles = [_mark(panel, row, low) for row in seen.to_dict("records")]
    panel.set(xscale="log", yscale="log", xlim=(low, high), ylim=(1.6, _top(seen)))
    log_ticks(panel.xaxis, low, high)
    log_ticks(panel.yaxis, 1.6, _top(seen))
    panel.set_xlabel("Coefficient of variation of single runs (%)")
    panel.set_ylabel("Repeats of each of two points (n)")
    legend_below(figure, [*panel.get_legend_handles_labels()[0], *handles], columns=2)
    subtitle(
        figure,
        "Detection probability 80 %, two-sided t test at 5 %. Marks: CVs of this study, pooled over its points, "
        "and n for a difference of 5 %; bars: 95 % intervals; f: degrees of freedom.",
        *excluded_text(tables["runs"], drawn=False),
    )
    return figure


def _top(seen: pd.DataFrame) -> float:
    return max(100.0, 3.0 * float(seen["repeats"].max()))


def _curve(panel: Axes, difference: float, cvs_percent: Any, line: str, colour: str) -> None:
    repeats = [repeats_to_detect(float(cv) / 100, difference) for cv in cvs_percent]
    label = f"a difference of {100 * difference:g} %"
    panel.plot(cvs_percent, repeats, line, drawstyle="steps-post", color=colour, label=label, zorder=1)


def _mark(panel: Axes, row: dict[Any, Any], low: float) -> Line2D:
    """Draw a quantity's CV with its interval on the curve of 5 %; return its handle, whose label has the numbers."""
    operations = [operation.value for operation in OPERATIONS]
    look: dict[str, Any] = {
        "color": COLOURS[_MARKED.index(row["quantity"])],
        "marker": MARKERS[operations.index(row["operation"])],
        "linestyle": "none",
        "fillstyle": "full" if row["device"] == "cpu" else "left",
        "markerfacecoloralt": "white",
    }
    # A spread of zero is drawn at the edge of the logarithmic axis.
    percent = {name: max(low, 100 * row[name]) for name in ("cv", "cv_low", "cv_high")}
    panel.plot(
        [percent["cv_low"], percent["cv_high"]],
        [row["repeats"]] * 2,
        color=look["color"],
        linewidth=0.9,
        linestyle=LINES.get(row["evidence"], "-"),
    )
    panel.plot([percent["cv"]], [row["repeats"]], **look)
    said = f", {row['evidence']}" if row["quantity"] == "energy" else ""
    what = f"{row['operation']} {row['quantity']}{said}, {device_name(row['device'])}"
    text = f"{what}: CV {100 * row['cv']:.2g} % (f = {row['degrees_of_freedom']}), n = {row['repeats']}"
    return Line2D([], [], label=text, **look)


FIGURES = (
    FigureSpec(
        "spread",
        "Spread over repeats",
        "Standard deviation / mean of duration and energy over the repeats of each point; each mark is a point with at "
        "least two unflagged runs, n is the number of runs. Flagged runs are excluded. The dashed line is at 5 %. "
        + EVIDENCE,
        draw_spread,
        by_dataset=False,
    ),
    FigureSpec(
        "repeats_needed",
        "How many repeats are needed to detect a difference",
        "Repeats of each of two points needed to detect a difference of their means with a probability of 80 % "
        "(two-sided t test at 5 %, normal values of equal variance), against the coefficient of variation (CV) of "
        "single runs. Marks are the CVs of this study, pooled over its points, for a difference of 5 %; bars are their "
        "95 % intervals (chi-square), which are wide with few degrees of freedom f. The table of variation has all "
        "quantities.",
        draw_repeats_needed,
        by_dataset=False,
    ),
)
