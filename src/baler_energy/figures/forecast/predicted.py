"""Time and energy that the fitted law predicts, against those of the runs."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.law import LARGEST, NO_LAW, fitted, withheld
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import EVIDENCE, TYPICAL_TIMES
from baler_energy.figures.selection import OPERATIONS, excluded_text, scaled_unit
from baler_energy.figures.style import COLOURS, grid, legend_of_panels, log_ticks, note_empty, subtitle

__all__ = ["FIGURES", "draw_predicted"]

_FITTED: dict[str, Any] = {"color": COLOURS[2], "marker": "o", "markersize": 3.5, "linestyle": "none"}
_LARGEST: dict[str, Any] = {"color": COLOURS[1], "marker": "s", "markersize": 5.5, "linestyle": "none", "zorder": 3}
_MODEL: dict[str, Any] = {"color": COLOURS[0], "marker": "^", "markersize": 4.5, "linestyle": "none", "zorder": 2.5}
#: Labels and units by quantity.
_QUANTITIES = {"time": ("time", "s"), "energy": ("energy", "J")}


def draw_predicted(tables: Tables) -> Figure:
    """Draw predicted against recorded costs: a column of panels per operation, a row per quantity and evidence.

    Raises
    ------
    NoData
        No operation has enough runs for a law.
    """
    runs = tables["runs"]
    inside, outside = fitted(runs), withheld(runs)
    require_rows(NO_LAW, inside)
    every = pd.concat([one for one in (inside, outside) if len(one)], ignore_index=True)
    operations = [one.value for one in OPERATIONS if (inside["operation"] == one).any()]
    pairs = set(zip(every["quantity"], every["evidence"], strict=True))
    rows = sorted(pairs, key=lambda pair: (list(_QUANTITIES).index(pair[0]), pair[1]))
    figure, panels = grid(len(rows), len(operations), 1.5 + 2.6 * len(rows))
    for line, (quantity, evidence) in zip(panels, rows, strict=True):
        for panel, operation in zip(line, operations, strict=True):
            mine = every["quantity"].eq(quantity) & every["evidence"].eq(evidence) & every["operation"].eq(operation)
            _panel(panel, every[mine], quantity, evidence)
    for panel, operation in zip(panels[0], operations, strict=True):
        panel.set_title(operation)
    legend_of_panels(figure, panels.flat)
    largest = outside[outside["case"] == LARGEST]
    factor = f", up to {largest['factor'].max():.3g} times larger than the others" if len(largest) else ""
    subtitle(
        figure,
        f"Each mark is a run: n = {inside['run_id'].nunique()} in the fit; the line is where both are equal.",
        f"Withheld: n = {largest['run_id'].nunique()} of the largest tenth of the points{factor}, predicted by a fit "
        "without them; and each model in turn.",
        *excluded_text(runs[runs["operation"].isin(operations)], drawn=False),
    )
    return figure


def _panel(panel: Axes, part: pd.DataFrame, quantity: str, evidence: str) -> None:
    words, unit = _QUANTITIES[quantity]
    # A law whose terms are all 0 at a run predicts 0 there.
    part = part[part["law"] > 0]
    if part.empty:
        note_empty(panel)
        return
    factor, unit = scaled_unit(part["value"], unit)
    case = part["case"]
    for chosen, look, label in (
        (case == "", _FITTED, "run in the fit"),
        (case == LARGEST, _LARGEST, "withheld: largest tenth of the points"),
        (~case.isin(["", LARGEST]), _MODEL, "withheld: all runs of its model"),
    ):
        if chosen.any():
            panel.plot(part.loc[chosen, "value"] * factor, part.loc[chosen, "law"] * factor, label=label, **look)
    both = pd.concat([part["value"], part["law"]]).astype(float) * factor
    low, high = both.min() / 1.6, both.max() * 1.6
    panel.plot([low, high], [low, high], color="0.6", linewidth=0.9, zorder=0.5)
    panel.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    for axis in (panel.xaxis, panel.yaxis):
        log_ticks(axis, low, high, narrow=True)
    kind = f", {evidence}" if quantity == "energy" else ""
    panel.set_xlabel(f"{words.capitalize()} of the run{kind} ({unit})")
    panel.set_ylabel(f"Predicted {words} ({unit})")


FIGURES = (
    FigureSpec(
        "predicted",
        "What the law predicts, and what the runs cost",
        "Time and energy of each run against the prediction of a law: a non-negative sum of costs per job, per epoch, "
        "per step, per byte moved and per FLOP, fitted for each operation, machine, engine, precision and number of "
        "threads with relative residuals. Dots are runs in the fit. Squares are the largest tenth of the points by "
        "rows x epochs x MACs, triangles are the runs of one model, each predicted by a fit without them. If idle "
        "power is measured, the energy has its share over the predicted time. The tables laws and validation have the "
        f"coefficients and deviations. {TYPICAL_TIMES} {EVIDENCE}",
        draw_predicted,
    ),
)
