"""Meter against meter: energy of the same component in the same window, and of the node against its components."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import clean, flagged
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import scaled_unit, with_flags
from baler_energy.figures.style import (
    count_text,
    grid,
    legend_below,
    log_ticks,
    numbered_look,
    open_mark,
    plain,
    subtitle,
)
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["FIGURES"]


def draw_meters(tables: Tables) -> Figure:
    """Draw the energy of the same component and window from two meters, of node and components, and their ratio.

    Raises
    ------
    NoData
        No component is read by two meters, and no meter reads the node.
    """
    pairs = _meter_pairs(with_flags(tables["measurements"], tables["runs"]), tables["runs"])
    require_rows("no component was read by two meters, so there is nothing to compare", pairs)
    factor, unit = scaled_unit(pairs["first"], "J")
    figure, panels = grid(2, 1, 6.8, width_in=7.5, sharex=True, height_ratios=[2, 1])
    for number, (label, part) in enumerate(pairs.groupby("label", sort=True)):
        look = numbered_look(number)
        filled = look | {"markersize": 4.5, "linestyle": "none"}
        good, bad = clean(part), flagged(part)
        shown = f"{label}, {count_text([len(good)])}{f' and {len(bad)} flagged (open)' if len(bad) else ''}"
        marks = [(filled, good), (open_mark(look["color"], look["marker"]), bad)]
        for mark, some in marks if len(good) else marks[1:]:
            mark["label"] = "" if some is bad and len(good) else plain(shown)
            panels[0, 0].plot(some["first"] * factor, some["second"] * factor, **mark)
            panels[1, 0].plot(some["first"] * factor, some["second"] / some["first"], **mark)
    both = np.array([pairs[["first", "second"]].min().min(), pairs[["first", "second"]].max().max()]) * factor
    low, high = both[0] / 1.3, both[1] * 1.3
    for axis_set in (panels[0, 0].set_xscale, panels[0, 0].set_yscale):
        axis_set("log")
    panels[0, 0].plot([low, high], [low, high], color="0.4", linestyle="--", linewidth=1)
    panels[0, 0].set(xlim=(low, high), ylim=(low, high))
    log_ticks(panels[0, 0].yaxis, low, high)
    log_ticks(panels[0, 0].xaxis, low, high)
    panels[1, 0].axhline(1, color="0.4", linestyle="--", linewidth=1)
    panels[0, 0].set_ylabel(f"Window's energy, second meter ({unit})")
    panels[1, 0].set_ylabel("Second / first")
    panels[1, 0].set_xlabel(f"Window's energy, first meter ({unit})")
    legend_below(figure, panels[0, 0].get_legend_handles_labels()[0], columns=1)
    subtitle(figure, "Energy of the same component in the same window; each mark is one run.")
    return figure


def _meter_pairs(measurements: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows ``first``, ``second`` (J), ``in_mean``, ``label`` for each pair of energies of a component in a window."""
    energy = measurements[(measurements["quantity"] == Quantity.ENERGY) & (measurements["value"] > 0)]
    found = [pair for _, part in energy.groupby("component", observed=True) for pair in _pairs_of(part)]
    found += _node_pairs(runs)
    filled = [part for part in found if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=["first", "second", "label"])


def _pairs_of(part: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pair the meters of one component."""
    component = part["component"].iloc[0]
    kinds = part[["meter", "evidence"]].drop_duplicates().itertuples(index=False, name=None)
    # Meters that read hardware come first, so that models are compared with them.
    ordered = sorted(kinds, key=lambda kind: (kind[1] != Evidence.MEASURED, list(MeterName).index(MeterName(kind[0]))))
    for one, other in itertools.combinations(ordered, 2):
        if one[0] == other[0]:
            continue
        first, second = (
            part[(part["meter"] == meter) & (part["evidence"] == evidence)].set_index(["run_id", "operation"])
            for meter, evidence in (one, other)
        )
        joined = first[["value", "in_mean"]].rename(columns={"value": "first"})
        joined = joined.join(second["value"].rename("second"), how="inner")
        yield joined.assign(label=f"{component}: first {one[0]} ({one[1]}), second {other[0]} ({other[1]})")


def _node_pairs(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pair the whole node with the sum of our components, which it includes."""
    present = runs[(runs["energy_j"] > 0) & (runs["node_energy_j"] > 0)]
    for (meter, evidence, scope), part in present.groupby(["node_meter", "energy_evidence", "energy_scope"]):
        label = f"node: first our components {scope} ({evidence}), second the whole node ({meter})"
        window = part["iterations"]
        pair = {"first": part["energy_j"] * window, "second": part["node_energy_j"] * window}
        yield pd.DataFrame(pair).assign(in_mean=part["in_mean"], label=label)


FIGURES = (
    FigureSpec(
        "meters",
        "Meter against meter",
        "Energy of the same component in the same window from two meters, and their ratio; each mark is one run, open "
        "if flagged. On the dashed line they agree. Two meters that read the same counter can agree without being "
        "accurate. The whole node, if a meter reads it, is compared with the sum of our components: it includes them "
        "and everything else that draws power, and is never added to them.",
        draw_meters,
        by_dataset=False,
    ),
)
