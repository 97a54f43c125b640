"""Parts of an operation in measured loops: compared with the whole, and split down to operators."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.analysis.statistics import flag_words
from baler_energy.figures.bars import label_end, name_rows
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.captions import LOOPS
from baler_energy.figures.hotspots.icicle import Tile, draw_icicle
from baler_energy.figures.profiled import one_profile, profiler_of
from baler_energy.figures.selection import OPERATIONS, scaled_unit
from baler_energy.figures.style import COLOURS, grid, legend_below, subtitle
from baler_energy.vocabulary import Evidence

__all__ = ["FIGURES", "draw_parts", "draw_whole", "flag_line", "parts_of"]

#: Kinds of parts, their labels and colours, in drawing order.
_KINDS: dict[str, tuple[str, str]] = {
    "static": ("static power", COLOURS[3]),
    "data": ("data", COLOURS[2]),
    "layer": ("layers", COLOURS[0]),
    "optimizer": ("optimizer", COLOURS[1]),
    "overhead": ("framework overhead (unexplained rest)", "0.75"),
}
_EXPLAINED = ("data", "layer", "optimizer")
_OPERATORS = ("operator", "kernel")


def parts_of(tables: Tables) -> tuple[pd.DataFrame, str]:
    """Rows of the measured loops of one run, and its description.

    Raises
    ------
    NoData
        The study measured no parts.
    """
    otherwise = "the study did not measure the parts of any point (profile.points)"
    return one_profile(tables, profiler_of("parts"), ["whole", "peak", *_KINDS, *_OPERATORS], otherwise)


def _cost_unit(found: pd.DataFrame) -> tuple[str, str, str]:
    """Choose the quantity for comparing parts: measured energy, or time if energy is not measured for all of them.

    Returns
    -------
    tuple
        Column, label of the axis, unit.
    """
    compared = found[found["kind"].isin(["whole", *_EXPLAINED]) & found["operation"].isin(list(OPERATIONS))]
    if compared["energy_evidence"].eq(Evidence.MEASURED).all() and compared["energy_scope"].nunique() == 1:
        return "energy_j", f"Energy of {compared['energy_scope'].iloc[0]}, measured", "J"
    return "self_time_s", "Time, since energy is not measured here", "s"


def flag_line(found: pd.DataFrame) -> list[str]:
    """Say how many of the loops were disturbed."""
    loops = found[found["kind"].isin(["whole", "peak", *_EXPLAINED])]
    bad = loops.dropna(subset=["run_flags"])
    return [] if bad.empty else [f"{len(bad)} of {len(loops)} loops are flagged ({flag_words(bad)})."]


def _reading_line(found: pd.DataFrame, value: str, unit: str) -> list[str]:
    """Write the cost of reading the whole table, which is in no operation's window."""
    reading = found[found["operation"] == "prepare"].dropna(subset=[value])
    if reading.empty:
        return []
    factor, prefixed = scaled_unit(reading[value], unit)
    row = reading.iloc[0]
    amount, megabytes = float(row[value]) * factor, float(row["bytes"]) / 1e6
    return [
        f"Not included: reading the whole table ({megabytes:,.3g} MB, from the page cache), {amount:.3g} {prefixed}."
    ]


def draw_parts(tables: Tables) -> Figure:
    """Draw the cost of each layer and each data movement, a panel per operation, and the unexplained rest.

    Raises
    ------
    NoData
        The study measured no parts.
    """
    found, where = parts_of(tables)
    value, label, unit = _cost_unit(found)
    shown = [operation for operation in OPERATIONS if (found["operation"] == operation).any()]
    rows = {name: found[(found["operation"] == name) & found["kind"].isin([*_EXPLAINED, "overhead"])] for name in shown}
    heights = [max(4, len(part)) for part in rows.values()]
    figure, panels = grid(len(shown), 1, 2.2 + 0.22 * sum(heights), height_ratios=heights)
    for panel, (operation, part) in zip(panels[:, 0], rows.items(), strict=True):
        whole = found[(found["operation"] == operation) & (found["kind"] == "whole")]
        _part_bars(panel, part, float(whole[value].iloc[0]), value)
        factor, prefixed = scaled_unit(whole[value], unit)
        explained = part.loc[part["kind"].isin(_EXPLAINED), value].sum(skipna=False) / float(whole[value].iloc[0])
        amount = f"{float(whole[value].iloc[0]) * factor:.3g} {prefixed}"
        panel.set_title(f"{operation.value}: whole {amount}, parts explain {100 * explained:.0f} %")
    panels[-1, 0].set_xlabel(f"{label} (% of the whole)")
    legend_below(
        figure, [Patch(facecolor=_KINDS[kind][1], label=_KINDS[kind][0]) for kind in (*_EXPLAINED, "overhead")]
    )
    subtitle(
        figure,
        f"{where}.",
        "One window each (n = 1) of many repetitions; training is one epoch. "
        "A negative rest means that the parts take longer alone than in the full operation.",
        *_reading_line(found, value, unit),
        *flag_line(found),
    )
    return figure


def _legend(kinds: Iterable[str]) -> list[Patch]:
    return [Patch(facecolor=_KINDS[kind][1], label=_KINDS[kind][0]) for kind in kinds]


def _part_bars(panel: Axes, part: pd.DataFrame, whole: float, value: str) -> None:
    records = part.to_dict("records")
    shares = [100 * float(row[value]) / whole for row in records]
    colours = [_KINDS[str(row["kind"])][1] for row in records]
    panel.barh(range(len(records)), shares, 0.75, color=colours)
    for place, share in enumerate(shares):
        label_end(panel, f"{share:.1f}", max(share, 0), place)
    name_rows(panel, [str(row["name"]) for row in records], margin=0.6, size=8)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_xlim(min(0.0, *shares) * 1.1, max(shares) * 1.15)


def draw_whole(tables: Tables) -> Figure:
    """Draw each operation from the whole down to operators: static power, data, layers, framework overhead.

    Raises
    ------
    NoData
        The study measured no parts.
    """
    found, where = parts_of(tables)
    value, label, unit = _cost_unit(found)
    shown = [operation for operation in OPERATIONS if (found["operation"] == operation).any()]
    figure, panels = grid(len(shown), 1, 1.6 + 1.9 * len(shown))
    for panel, operation in zip(panels[:, 0], shown, strict=True):
        part = found[found["operation"] == operation]
        factor, prefixed = scaled_unit(part.loc[part["kind"] == "whole", value], unit)
        root = _tree(part, operation.value, value, factor)
        draw_icicle(panel, root, deepest=4)
        whole = float(part.loc[part["kind"] == "whole", value].iloc[0]) * factor
        beyond = root.width / whole - 1
        more = f": the parts alone take {100 * beyond:.0f} % more than the whole" if beyond > 0.005 else ""
        panel.set_title(f"{operation.value}{more}")
        panel.set_xlabel(f"{label} ({prefixed})")
    kinds = [kind for kind in _KINDS if kind in set(found["kind"])]
    legend_below(figure, _legend(kinds), columns=5)
    words = (
        "Static is idle power times the whole's duration; parts are energy above it."
        if value == "energy_j"
        else "Energy is not measured here: time is shown instead, and static power is unknown."
    )
    subtitle(
        figure,
        f"{where}.",
        f"{words} One window each, n = 1.",
        *flag_line(found),
    )
    return figure


def _tree(part: pd.DataFrame, operation: str, value: str, factor: float) -> Tile:
    """Make the tile of the whole: groups of parts, parts, and operators within them."""
    whole = part[part["kind"] == "whole"].iloc[0]
    static = part.loc[part["kind"] == "static", value].sum() if value == "energy_j" else 0.0
    power_w = static / float(whole["self_time_s"])
    groups = []
    for kind, (words, colour) in _KINDS.items():
        same = part[(part["kind"] == kind) & part[value].notna()]
        tiles = [_piece(row, part, value, power_w, factor, colour) for row in same.to_dict("records")]
        tiles = [tile for tile in tiles if tile.width > 0]
        if tiles:
            name = words.partition(" (")[0]
            # A group with a single tile, such as the rest, is not drawn twice.
            inside = tiles if len(tiles) > 1 or tiles[0].parts else []
            groups.append(Tile(name, sum(tile.width for tile in tiles), colour, parts=inside))
    # Parts may exceed the whole; the width is then their sum.
    width = max(float(whole[value]) * factor, sum(group.width for group in groups))
    return Tile(operation, width, "0.92", parts=groups)


def _piece(row: Mapping[Any, Any], part: pd.DataFrame, value: str, power_w: float, factor: float, colour: str) -> Tile:
    """Make a part's tile: its energy above static power, or its time if time is shown instead."""
    above = 0.0 if row["kind"] == "static" else power_w * float(row["self_time_s"] or 0.0)
    width = (float(row[value]) - above) * factor
    inside = part[part["kind"].isin(_OPERATORS) & part["stack"].str.startswith(f"{row['stack']};", na=False)]
    shares = inside["self_share"] / float(row["self_share"]) if len(inside) else inside["self_share"]
    names = [str(name).removeprefix("aten::") for name in inside["name"]]
    parts = [Tile(name, width * share, colour) for name, share in zip(names, shares, strict=True)]
    return Tile(str(row["name"]), width, colour, parts=parts)


FIGURES = (
    FigureSpec(
        "whole",
        "From the whole run down to operators",
        "Each operation as a whole (top), split into static power (idle power times duration, if energy is measured), "
        "data, layers, optimizer and framework overhead, then into single parts, then into the operators that torch's "
        f"profiler recorded in each. {LOOPS} If energy is only modelled, time is shown instead.",
        draw_whole,
    ),
    FigureSpec(
        "parts",
        "What data and layers cost, each in a measured loop",
        "Every layer, forward and backward, and every data movement, as a share of the whole operation, which is also "
        f"measured; the rest is what they do not explain. {LOOPS} If energy is only modelled, time is shown instead. "
        "Training is one epoch.",
        draw_parts,
    ),
)
