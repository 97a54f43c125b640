"""Optimizers and batch sizes by the time and the energy at which their loss reaches a target."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.savings import FIXED, SETTING
from baler_energy.analysis.target_loss import FREE, costs_to_loss
from baler_energy.figures.bars import label_edge, name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows
from baler_energy.figures.captions import TIME_TO_A_LOSS_TITLE, TO_A_LOSS
from baler_energy.figures.readable import Row
from baler_energy.figures.selection import AXES, describe, excluded_text, scaled_unit
from baler_energy.figures.setting_rows import compared_trainings, where
from baler_energy.figures.style import (
    COLOURS,
    ORDERED_MARKS,
    count_text,
    grid,
    legend_below,
    log_ticks,
    note_empty,
    subtitle,
)
from baler_energy.figures.tables.optimizers import NOTHING, rate_text

__all__ = ["FIGURES", "draw_optimizers"]

#: Costs: stem and unit of the columns, and label.
_COSTS = (("time", "s", "Time"), ("energy", "j", "Energy"))
#: Width of a panel over that of its marks; the rest is for the labels.
_LABELS = 1.6
#: Mark of each target, in order.
_MARKS = (*ORDERED_MARKS, {"marker": "v", "color": "black"}, {"marker": "P", "color": COLOURS[1]})
#: Parameters that the trainings of one row of panels share.
_GROUP = [axis for axis in SETTING if axis not in FREE]


def draw_optimizers(tables: Tables) -> Figure:
    """Draw time and energy to reach each target loss, a row of panels for each group that reaches one.

    Raises
    ------
    NoData
        No two optimizers or batch sizes can be compared, or no target lies between their losses.
    """
    shared, part = compared_trainings(tables)
    found = costs_to_loss(part, tables["history"])
    require_rows(NOTHING, found)
    costs = [cost for cost in _COSTS if found[f"{cost[0]}_{cost[1]}"].notna().any()]
    if not costs:
        raise NoData("no training reaches a target loss in every repeat")
    groups = [one for _, one in found.groupby(_GROUP, dropna=False, observed=True, sort=True)]
    groups = [one for one in groups if one["time_s"].notna().any()]
    heights = [one.groupby(list(FREE), dropna=False).ngroups + 1 for one in groups]
    ratios = {"height_ratios": heights}
    figure, panels = grid(
        len(groups), len(costs), 1.9 + 0.31 * sum(heights) + 0.3 * len(groups), sharex="col", gridspec_kw=ratios
    )
    targets = sorted(found["target_loss"].unique(), reverse=True)
    for line, one in zip(panels, groups, strict=True):
        for panel, cost in zip(line, costs, strict=True):
            _panel(panel, one, targets, cost, found)
        line[0].set_title(textwrap.fill(_group_text(one), 80), fontsize=9)
    legend_below(figure, [_handle(target, number) for number, target in enumerate(targets)], columns=3)
    alike = {axis: shared[axis] for axis in FIXED}
    subtitle(
        figure,
        f"At {where(alike)}. Until the end of the first epoch whose loss per row is at most the target.",
        f"Mean and 95 % t interval, {count_text(found['n'])}. To the right: the highest target that not every repeat "
        "reaches (dots: nor any lower one).",
        *excluded_text(part, drawn=False),
    )
    return figure


def _group_text(one: pd.DataFrame) -> str:
    point = {axis: one[axis].iloc[0] for axis in _GROUP}
    return describe(point, without=tuple(axis for axis in AXES if axis not in _GROUP))


def _handle(target: float, number: int) -> Line2D:
    return Line2D([], [], linestyle="none", label=f"loss per row {target:g}", **_MARKS[number])


def _name(row: Row, *, sizes: bool) -> str:
    """Name a training by optimizer and learning rate and, if the figure has several, its batch size."""
    batches = f", batches of {row['batch_size']:.0f}" if sizes else ""
    return f"{row['optimizer']}, {rate_text(row)}{batches}"


def _panel(
    panel: Axes, one: pd.DataFrame, targets: list[float], cost: tuple[str, str, str], every: pd.DataFrame
) -> None:
    """Draw one cost of the trainings of a group, those that reach the most targets first."""
    stem, unit, label = cost
    value, width = f"{stem}_{unit}", f"{stem}_half_width_{unit}"
    factor, prefixed = scaled_unit(every[value], unit.upper() if unit == "j" else unit)
    ranked = [part for _, part in one.groupby(list(FREE), dropna=False, sort=False)]
    ranked.sort(key=lambda part: (-int(part["time_s"].notna().sum()), part["time_s"].max()))
    for place, part in enumerate(ranked):
        known = part.dropna(subset=[value])
        for row in known.to_dict("records"):
            bar = None if pd.isna(row[width]) else [row[width] * factor]
            look = _MARKS[targets.index(row["target_loss"])]
            panel.errorbar([row[value] * factor], [place], xerr=bar, linestyle="none", capsize=3, **look)
        missed = part.loc[part["reached"] < part["n"], "target_loss"]
        if len(missed):
            # Whoever misses a target misses the lower ones.
            label_edge(panel, f"not reached: {missed.max():g}{' ...' if len(missed) > 1 else ''}", place)
    if one[value].isna().all():
        note_empty(panel)
    low, high = every[value].min() * factor / 1.4, every[value].max() * factor * 1.3
    panel.set(xscale="log", xlim=(low, low * (high / low) ** _LABELS))
    log_ticks(panel.xaxis, *panel.get_xlim())
    sizes = every["batch_size"].nunique() > 1
    name_rows(panel, [_name(part.iloc[0].to_dict(), sizes=sizes) for part in ranked], margin=0.6)
    evidences = every["evidence"].dropna().unique()
    kind = f", {evidences[0]}" if unit == "j" and len(evidences) == 1 else ""
    panel.set_xlabel(f"{label} to the target{kind} ({prefixed})")


FIGURES = (
    FigureSpec(
        "optimizers",
        TIME_TO_A_LOSS_TITLE,
        "Time and energy at the end of the first epoch whose training loss per row is at most the target, for "
        "optimizers (with their learning rates) and batch sizes that share everything else, which the title of the "
        f"panels names. {TO_A_LOSS} Markers are means over n unflagged repeats, bars are 95 % t intervals.",
        draw_optimizers,
    ),
)
