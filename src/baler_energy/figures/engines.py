"""The engines side by side: energy, time, memory and error, with factors over the reference."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.comparison import Ratio, paired_ratio, ratio_of_means
from baler_energy.analysis.statistics import clean, estimate, flagged, typical_duration_s
from baler_energy.codecs.engines import engine_named
from baler_energy.figures.base import NoData, Tables
from baler_energy.figures.engine_rows import base_label, compared, where
from baler_energy.figures.selection import (
    OPERATIONS,
    estimate_text,
    excluded_text,
    reference_point,
    scaled_unit,
    with_error,
)
from baler_energy.figures.style import COLOURS, MARKERS, count_text, grid, log_ticks, open_mark, title

__all__ = ["draw_engines", "factor_text", "paired", "per_row", "same_energy"]

#: Rows of panels, a panel per operation: column, words, unit.
_COSTS = (
    ("energy_per_row_j", "Energy per row", "J"),
    ("time_per_row_s", "Time per row", "s"),
    ("memory_peak_b", "Peak memory", "B"),
)
#: What a run gives, whichever operation: column, words.
_RESULTS = (
    ("mean_rms_over_range", "RMS residual / range"),
    ("max_over_range", "Largest residual / range"),
    ("compressed_bytes_per_row", "Compressed file per row (B)"),
)
#: Share of a panel's width that the marks have; numbers stand in the rest.
_MARKED = 0.52
#: A factor that is nearer to 1 would be written 1.00.
_EQUAL = 1.005


def per_row(runs: pd.DataFrame) -> pd.DataFrame:
    """Give runs with energy (J), time (s) and compressed bytes per row of the table; a training's of all its epochs.

    The time is that of the window's median iteration, the energy that of their mean.
    """
    sizes = runs["compressed_bytes"].astype(float) / runs["rows"]
    costs = {
        "energy_per_row_j": runs["energy_j"] / runs["rows"],
        "time_per_row_s": typical_duration_s(runs) / runs["rows"],
    }
    return runs.assign(**costs, compressed_bytes_per_row=sizes)


def same_energy(rows: pd.DataFrame, base: str) -> pd.DataFrame:
    """Rows without the energies that are of other evidence or components than those of the label `base`."""
    kinds = rows.loc[rows["label"] == base, ["energy_evidence", "energy_scope"]].dropna().drop_duplicates()
    if kinds.empty:
        return rows.assign(energy_per_row_j=math.nan)
    evidence, scope = kinds.iloc[0]
    alike = (rows["energy_evidence"] == evidence) & (rows["energy_scope"] == scope)
    return rows.assign(energy_per_row_j=rows["energy_per_row_j"].where(alike))


def draw_engines(tables: Tables) -> Figure:
    """Draw what each engine takes and gives at the reference point, with factors over the reference.

    Raises
    ------
    NoData
        One engine ran at the reference point.
    """
    runs = tables["runs"]
    if runs.empty:
        raise NoData("there are no runs")
    point = reference_point(runs)
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
    # Of all runs: errors and sizes do not depend on the window, which is what a flag speaks of.
    results = per_row(with_error(rows)).assign(flags="")
    for panel, (value, words) in zip(panels[-1], _RESULTS, strict=True):
        _marks(panel, results.assign(shown=results[value]), labels, base, "", pairs=True)
        panel.set_xlabel(words)
    _name_rows(panels.flat, labels)
    counts = clean(rows).groupby(["label", "operation"], observed=True)["run_id"].nunique()
    spread = f"Mean and 95 % t interval, {count_text(counts)}; f" if len(counts) else "F"
    title(
        figure,
        "The engines: energy, time, memory and error",
        f"At {where(point, rows)}. {spread}actors are over {base}.",
        "~: not told apart from 1, or of a single run. Training counts all epochs. Memory holds all libraries.",
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


def _name_rows(panels: Iterable[Axes], labels: list[str]) -> None:
    for panel in panels:
        panel.set_yticks(range(len(labels)), labels)
        panel.tick_params(axis="y", which="both", left=False, right=False)
        panel.set_ylim(len(labels) - 0.4, -0.6)


def _marks(panel: Axes, part: pd.DataFrame, labels: list[str], base: str, unit: str, *, pairs: bool = False) -> None:
    """Draw a mark for each label on a logarithmic axis, and beside it its number and its factor over `base`."""
    present = part[part["shown"] > 0]
    if present.empty:
        panel.text(0.5, 0.5, "no data", transform=panel.transAxes, ha="center")
        return
    for place, label in enumerate(labels):
        mine = present[present["label"] == label]
        if len(mine):
            _mark(panel, mine, place)
            factor = "" if label == base else _factor(mine, present[present["label"] == base], pairs=pairs)
            lone = " (n = 1)" if estimate(mine, "shown").n == 1 else ""
            words = "; ".join(filter(None, [f"{estimate_text(_bare(mine), unit)}{lone}", factor]))
            look: dict[str, Any] = {"transform": panel.get_yaxis_transform(), "fontsize": 7.5}
            panel.text(0.985, place, words, ha="right", va="center", **look)
    low, high = present["shown"].min() / 1.15, present["shown"].max() * 1.15
    panel.set(xscale="log", xlim=(low, low * (high / low) ** (1 / _MARKED)))
    log_ticks(panel.xaxis, *panel.get_xlim(), narrow=True)


def _bare(mine: pd.DataFrame) -> Any:
    """Estimate without its interval, which the mark shows."""
    from dataclasses import replace

    return replace(estimate(mine, "shown"), half_width=math.nan)


def _mark(panel: Axes, mine: pd.DataFrame, place: int) -> None:
    engine, good, found = str(mine["engine"].iloc[0]), clean(mine), estimate(mine, "shown")
    colour = COLOURS[engine_named(engine).colour]
    bad = flagged(mine)
    panel.plot(bad["shown"], [place + 0.25] * len(bad), **open_mark(colour))
    panel.scatter(good["shown"], [place] * len(good), s=5, color=colour, alpha=0.5, zorder=1.5)
    if not found.n:
        return
    width = None if math.isnan(found.half_width) else [found.half_width]
    panel.errorbar([found.mean], [place], xerr=width, color=colour, marker=MARKERS[place % len(MARKERS)], capsize=3)


def paired(mine: pd.DataFrame, base: pd.DataFrame, value: str) -> Ratio:
    """Ratio of a column of runs to that of runs of another engine with the same seeds."""
    both = mine.set_index("repeat")[[value]].join(base.set_index("repeat")[value].rename("base"), how="inner").dropna()
    both = both[(both > 0).all(axis=1)]
    return paired_ratio(list(both[value]), list(both["base"]))


def _factor(mine: pd.DataFrame, base: pd.DataFrame, *, pairs: bool) -> str:
    if pairs:
        return factor_text(paired(mine, base, "shown"))
    return factor_text(ratio_of_means(list(clean(mine)["shown"]), list(clean(base)["shown"])))


def factor_text(ratio: Ratio) -> str:
    """Write a factor, such as ``1.44x less``; ``~`` where its interval holds 1 or is missing, nothing without one."""
    if math.isnan(ratio.value):
        return ""
    larger = max(ratio.value, 1 / ratio.value)
    if larger < _EQUAL:
        return "equal"
    unsure = "" if ratio.low > 1 or ratio.high < 1 else "~"
    number = f"{larger:.0f}" if larger >= 20 else f"{larger:.1f}" if larger >= 10 else f"{larger:.2f}"
    return f"{unsure}{number}x {'more' if ratio.value > 1 else 'less'}"
