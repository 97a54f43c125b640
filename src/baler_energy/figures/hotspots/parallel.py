"""How much do threads help? Speed-up with Amdahl's law, and energy per row, against threads."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.parallel import Amdahl, amdahl_speed_up, fit_amdahl, speed_up
from baler_energy.analysis.statistics import clean, per_row, typical_duration_s
from baler_energy.figures.base import FigureSpec, NoData, Tables, runs_and_centre
from baler_energy.figures.captions import EVIDENCE, SPREAD, TYPICAL_TIMES
from baler_energy.figures.selection import OPERATIONS, axis_label, describe, excluded_text, interval_text, sweep
from baler_energy.figures.series import Row, Series, draw_marks, draw_row, handles, split_series
from baler_energy.figures.style import (
    few_ticks,
    grid,
    legend_below,
    log_ticks,
    mean_text,
    note_empty,
    subtitle,
    value_ticks,
)

__all__ = ["FIGURES", "draw_parallel"]

_ENERGY = Row("energy_per_row_j", "Energy per row", "J", 1.0, True)
_IDEAL: dict[str, Any] = {"color": "0.55", "linestyle": ":"}
_LAW = "-."


@dataclass(frozen=True)
class _Scaling:
    """One operation on one device: its runs with their speed-up, the means, and the law."""

    operation: str
    series: Series
    means: pd.DataFrame
    law: Amdahl

    @property
    def run(self) -> str:
        """Words such as ``CPU run``."""
        return self.series.label.partition(":")[0]


def draw_parallel(tables: Tables) -> Figure:
    """Draw speed-up and energy per row of each operation against threads, all other axes at the centre.

    Raises
    ------
    NoData
        The study ran with only one number of threads.
    """
    runs, centre = runs_and_centre(tables)
    chosen = sweep(runs, "threads", centre)
    values = sorted(chosen["threads"].unique())
    if len(values) < 2:
        raise NoData(f"only one number of threads ({values[0]})")
    figure, panels = grid(2, 3, 6.4, sharex=True, sharey="row")
    scalings = [found for operation in OPERATIONS for found in _scalings(chosen, operation.value)]
    for panel, operation in zip(panels[0], OPERATIONS, strict=True):
        _speed_up_panel(panel, [one for one in scalings if one.operation == operation])
        panel.set_title(operation.value)
    counts = draw_row(_ENERGY, panels[1], per_row(chosen), "threads")
    for panel in panels[1]:
        panel.set_xlabel(axis_label("threads"))
        value_ticks(panel, values)
    _speed_up_axis(panels[0, 0], scalings, str(panels[1, 0].get_xscale()))
    legend_below(figure, [*_law_handles(scalings), *handles(chosen, energetic=(True,))], columns=1)
    counts |= {int(n) for one in scalings for n in one.means["n"]}
    subtitle(
        figure,
        f"Fixed: {describe(centre, without='threads')}.",
        *mean_text(counts),
        *_efficiencies(scalings),
        *excluded_text(chosen),
    )
    return figure


def _scalings(chosen: pd.DataFrame, operation: str) -> list[_Scaling]:
    """Return how an operation scales on each device that has clean runs with at least two numbers of threads."""
    found = []
    timed = chosen[chosen["operation"] == operation].assign(typical_s=typical_duration_s)
    for series in split_series(timed.dropna(subset=["typical_s"]), False):
        good = clean(series.runs)
        if good["threads"].nunique() < 2:
            continue
        means = speed_up(good["threads"], good["typical_s"]).rename(columns={"speed_up": "mean"})
        first_s = good.loc[good["threads"] == means["threads"].iloc[0], "typical_s"].mean()
        scaled = series.runs.assign(speed_up=first_s / series.runs["typical_s"])
        law = fit_amdahl(good["threads"], good["typical_s"])
        found.append(_Scaling(operation, replace(series, runs=scaled), means, law))
    return found


def _speed_up_panel(panel: Axes, scalings: list[_Scaling]) -> None:
    """Draw the speed-ups of an operation as marks, and the ideal and the law (if it holds) as lines."""
    for one in scalings:
        draw_marks(panel, one.series, one.means, "threads", "speed_up")
        smallest, largest = int(one.means["threads"].iloc[0]), int(one.means["threads"].iloc[-1])
        threads = np.geomspace(smallest, largest, 100)
        panel.plot(threads, threads / smallest, **_IDEAL, zorder=1)
        if not one.law.verdict:
            curve = amdahl_speed_up(threads, one.law.serial_fraction, smallest=smallest)
            panel.plot(threads, curve, color=one.series.look["color"], linestyle=_LAW)
    if not scalings:
        note_empty(panel, "no unflagged runs with\ntwo numbers of threads")


def _speed_up_axis(panel: Axes, scalings: list[_Scaling], scale: str) -> None:
    """Scale the shared axis like the threads' axis, so that the ideal is a straight line."""
    panel.set_ylabel("Speed-up over fewest\nthreads (clock)")
    heights = [height for one in scalings for height in (*one.series.runs["speed_up"], *_tops(one.means))]
    if scale == "linear" or not heights:
        panel.set_ylim(0, max([1.0, *heights]) * 1.12)
        few_ticks(panel.yaxis, 5)
        return
    low, high = min(heights) / 1.3, max(heights) * 1.3
    panel.set(yscale="log", ylim=(low, high))
    log_ticks(panel.yaxis, low, high)


def _tops(means: pd.DataFrame) -> list[float]:
    """Heights that a panel has to include: ends of the intervals, and the ideal."""
    return [*(means["mean"] + means["half_width"].fillna(0)), means["threads"].iloc[-1] / means["threads"].iloc[0]]


def _law_handles(scalings: list[_Scaling]) -> list[Line2D]:
    """Make legend handles: the marks and the law of each device, with its serial fractions, and the ideal."""
    found = []
    for run in dict.fromkeys(one.run for one in scalings):
        mine = [one for one in scalings if one.run == run]
        look = mine[0].series.look | {"linestyle": _LAW}
        words = ", ".join(f"{_fraction(one.law)} ({one.operation})" for one in mine)
        found.append(Line2D([], [], label=f"{run}: speed-up; line: Amdahl's law, serial fraction {words}", **look))
    return [*found, *([Line2D([], [], label="ideal: proportional to threads", **_IDEAL)] if scalings else [])]


def _fraction(law: Amdahl) -> str:
    if law.verdict:
        return f"none, {law.verdict}"
    return interval_text(law.serial_fraction, law.serial_fraction_half_width)


def _efficiencies(scalings: list[_Scaling]) -> list[str]:
    """Write the parallel efficiency at the largest number of threads, a line for each device."""
    lines = []
    for run in dict.fromkeys(one.run for one in scalings):
        last = [(one.operation, one.means.iloc[-1]) for one in scalings if one.run == run]
        words = ", ".join(f"{operation} {100 * row['efficiency']:.0f} %" for operation, row in last)
        threads = "/".join(dict.fromkeys(f"{row['threads']:.0f}" for _, row in last))
        lines.append(f"{run}, parallel efficiency on {threads} threads: {words}.")
    return lines


FIGURES = (
    FigureSpec(
        "parallel",
        "Speed-up and energy per row against threads",
        "Top: speed-up of one train, compress and decompress relative to the fewest threads; the line is Amdahl's law, "
        "T(n) = T(1) (s + (1 - s) / n), with the serial fraction s fitted to all unflagged runs, if the law holds. "
        "Bottom: energy per row of the table; a training includes all its epochs. Efficiency is the speed-up divided "
        f"by the ideal one. {TYPICAL_TIMES} {SPREAD} Runs with the same actual number of threads are pooled, whether "
        f"the study set it or auto chose it. {EVIDENCE}",
        draw_parallel,
    ),
)
