"""The engines side by side: energy, time, memory and error, with factors relative to the centre's."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.comparison import ratio_of_means
from baler_energy.analysis.statistics import clean, estimate, flagged, per_row
from baler_energy.figures.bars import label_edge, name_rows
from baler_energy.figures.base import FigureSpec, Tables, runs_and_centre
from baler_energy.figures.captions import ERROR_ROWS, EVIDENCE, TYPICAL_TIMES, engine_notes
from baler_energy.figures.engine_rows import base_label, compared, factor_text, paired, same_energy, where
from baler_energy.figures.selection import OPERATIONS, estimate_text, excluded_text, scaled_unit, with_error
from baler_energy.figures.style import COLOURS, MARKERS, grid, log_ticks, mean_text, note_empty, open_mark, subtitle
from baler_energy.figures.trivial import LINE, trivial_error
from baler_energy.variants import ENGINES

__all__ = ["FIGURES", "draw_engines"]

#: Rows of panels, a panel per operation: column, label, unit.
_COSTS = (
    ("energy_per_row_j", "Energy per row", "J"),
    ("time_per_row_s", "Time per row", "s"),
    ("memory_peak_b", "Peak memory", "B"),
)
#: Results of a run that do not depend on the operation: column, label.
_RESULTS = (
    ("mean_rms_over_range", "RMS residual / range"),
    ("max_over_range", "Largest residual / range"),
    ("compressed_bytes_per_row", "Compressed file per row (B)"),
)
#: Share of a panel's width for the marks; the numbers are in the rest.
_MARKED = 0.52


def draw_engines(tables: Tables) -> Figure:
    """Draw costs and results of each engine at the study's centre, with factors relative to the centre's engine.

    Raises
    ------
    NoData
        Only one engine ran at the study's centre.
    """
    runs, point = runs_and_centre(tables)
    rows = compared(per_row(runs), point)
    base = base_label(rows, point)
    rows = same_energy(rows, base)
    labels = list(dict.fromkeys(rows["label"]))
    costs = [cost for cost in _COSTS if rows[cost[0]].notna().any()]
    figure, panels = grid(len(costs) + 1, 3, 1.0 + (len(costs) + 1) * (0.75 + 0.27 * len(labels)), sharey=True)
    for line, cost in zip(panels, costs, strict=False):
        _cost_row(line, rows, labels, base, cost)
    for panel, operation in zip(panels[0], OPERATIONS, strict=True):
        panel.set_title(operation.value)
    # From all runs: a flag is about the window, and errors and sizes do not depend on it.
    results = per_row(with_error(rows)).assign(in_mean=True)
    for panel, (value, words) in zip(panels[-1], _RESULTS, strict=True):
        trivial = trivial_error(results, value)
        panel.axvline(trivial, **LINE)
        _marks(panel, results.assign(shown=results[value]), labels, base, "", pairs=True, upto=trivial)
        panel.set_xlabel(words)
    for panel in panels.flat:
        name_rows(panel, labels, margin=0.6)
    counts = clean(rows).groupby(["label", "operation"], observed=True)["run_id"].nunique()
    subtitle(
        figure,
        " ".join([f"At {where(point, rows)}.", *mean_text(counts), f"Factors are relative to {base}."]),
        "~: not distinguishable from 1, or n = 1. Training includes all epochs. Memory includes all libraries.",
        *excluded_text(rows),
    )
    return figure


def _cost_row(panels: Any, rows: pd.DataFrame, labels: list[str], base: str, cost: tuple[str, str, str]) -> None:
    """Draw one quantity of the operations, a panel each."""
    value, words, unit = cost
    factor, prefixed = scaled_unit(rows[value], unit)
    kind = f", {rows.loc[rows[value].notna(), 'energy_evidence'].iloc[0]}" if unit == "J" else ""
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        part = rows[rows["operation"] == operation].assign(shown=rows[value] * factor)
        _marks(panel, part, labels, base, prefixed)
        panel.set_xlabel(f"{words}{kind} ({prefixed})")


def _marks(
    panel: Axes,
    part: pd.DataFrame,
    labels: list[str],
    base: str,
    unit: str,
    *,
    pairs: bool = False,
    upto: float = math.nan,
) -> None:
    """Draw a mark for each label on a logarithmic axis, with its value and its factor relative to `base`."""
    present = part[part["shown"] > 0]
    if present.empty:
        note_empty(panel)
        return
    for place, label in enumerate(labels):
        mine = present[present["label"] == label]
        if len(mine):
            _mark(panel, mine, place)
            factor = "" if label == base else _factor(mine, present[present["label"] == base], pairs=pairs)
            lone = " (n = 1)" if estimate(mine, "shown").n == 1 else ""
            words = "; ".join(filter(None, [f"{estimate_text(_bare(mine), unit)}{lone}", factor]))
            label_edge(panel, words, place, size=7.5)
    low, high = present["shown"].min() / 1.15, np.nanmax([present["shown"].max(), upto]) * 1.15
    panel.set(xscale="log", xlim=(low, low * (high / low) ** (1 / _MARKED)))
    log_ticks(panel.xaxis, *panel.get_xlim(), narrow=True)


def _bare(mine: pd.DataFrame) -> Any:
    """Estimate without its interval, which the mark already shows."""
    from dataclasses import replace

    return replace(estimate(mine, "shown"), half_width=math.nan)


def _mark(panel: Axes, mine: pd.DataFrame, place: int) -> None:
    engine, good, found = str(mine["engine"].iloc[0]), clean(mine), estimate(mine, "shown")
    colour = COLOURS[list(ENGINES).index(engine) % len(COLOURS)]
    bad = flagged(mine)
    panel.plot(bad["shown"], [place + 0.25] * len(bad), **open_mark(colour))
    panel.scatter(good["shown"], [place] * len(good), s=5, color=colour, alpha=0.5, zorder=1.5)
    if not found.n:
        return
    width = None if math.isnan(found.half_width) else [found.half_width]
    panel.errorbar([found.mean], [place], xerr=width, color=colour, marker=MARKERS[place % len(MARKERS)], capsize=3)


def _factor(mine: pd.DataFrame, base: pd.DataFrame, *, pairs: bool) -> str:
    if pairs:
        return factor_text(paired(mine, base, "shown"))
    return factor_text(ratio_of_means(list(clean(mine)["shown"]), list(clean(base)["shown"])))


FIGURES = (
    FigureSpec(
        "engines",
        "The engines: energy, time, memory and error",
        "Costs per row of the table and results of each engine at the study's centre, where only the engine and the "
        f"precision vary (a precision other than float64 follows a name): {engine_notes('meaning', '{} is {}')}. "
        "Marks are means over n unflagged repeats, bars are 95 % t intervals, small dots are single runs, open marks "
        "are flagged runs. Factors are relative to the engine of the study's centre: the ratio of means for energy, "
        "time and memory, with an interval by the delta method; the geometric mean of the ratios of runs with the same "
        "seed for errors and sizes. A tilde means that the interval includes 1 or is missing. Energies are left out if "
        "their evidence or components differ from those of that engine. "
        f"{engine_notes('integers', 'Engine {} {}')}. Windows differ: {engine_notes('window')}. Memory "
        "is the peak of the process and its children, PyTorch included. Dotted lines are the errors of storing only "
        "the columns' means. "
        f"{TYPICAL_TIMES} {EVIDENCE} {ERROR_ROWS}",
        draw_engines,
    ),
)
