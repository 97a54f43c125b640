"""Shares of time by function, operator or GPU activity, from one profiler."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.figures.bars import label_end, name_rows
from baler_energy.figures.base import NoData, Tables, require_rows
from baler_energy.figures.profiled import absence, one_run, rows_of
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import grid, legend_below, subtitle

__all__ = ["draw_shares"]

#: Names shown per operation; all others are one more bar.
_TOP = 8
_NAME_LENGTH = 46


def draw_shares(profiler: str, kinds: Mapping[str, str], tables: Tables) -> Figure:
    """Draw the largest shares of self time in each operation, from one profiler.

    Parameters
    ----------
    profiler
        The profiler.
    kinds
        Kinds of rows to show, whose shares add up to one whole, and their colours.
    tables
        The dataset.

    Raises
    ------
    NoData
        No run was profiled with it, or it recorded nothing of these kinds.
    """
    hotspots = tables["hotspots"]
    if not ((hotspots["profiler"] == profiler) & (hotspots["self_share"] > 0)).any():
        raise NoData(absence(tables, profiler, f"no run was profiled with {profiler}"))
    found = rows_of(tables, profiler, kinds)
    require_rows(f"{profiler} recorded no {' or '.join(kinds)}: no profiled run used a GPU", found)
    found, where = one_run(found, tables["runs"])
    shown = [operation for operation in OPERATIONS if (found["operation"] == operation).any()]
    figure, panels = grid(len(shown), 1, 1.1 + 2.5 * len(shown), sharex=True)
    for panel, operation in zip(panels[:, 0], shown, strict=True):
        _share_bars(panel, found[found["operation"] == operation], kinds)
        panel.set_title(operation.value)
    panels[-1, 0].set_xlabel("Share of self time (%)")
    if len(kinds) > 1:
        legend_below(figure, [Patch(facecolor=colour, label=kind) for kind, colour in kinds.items()], columns=3)
    subtitle(figure, f"{where}.", "One profiled run, n = 1; shares only.")
    return figure


def _share_bars(panel: Axes, part: pd.DataFrame, kinds: Mapping[str, str]) -> None:
    ordered = part.sort_values("self_share", ascending=False)
    top, rest = ordered.head(_TOP), ordered["self_share"].iloc[_TOP:]
    shares = [*(100 * top["self_share"])]
    names = [_short(row) for row in top.to_dict("records")]
    colours = [kinds[kind] for kind in top["kind"]]
    if len(rest):
        shares.append(100 * rest.sum())
        names.append(f"all {len(rest)} others")
        colours.append("0.65")
    panel.barh(range(len(names)), shares, 0.7, color=colours)
    for place, share in enumerate(shares):
        label_end(panel, f"{share:.1f}", share, place)
    name_rows(panel, names, size=8)
    panel.set_xlim(0, max(panel.get_xlim()[1], max(shares) * 1.12))


def _short(row: Mapping[Any, Any]) -> str:
    """Name of a function or operator with its file, shortened in the middle to fit."""
    name = str(row["name"])
    if isinstance(row["file"], str) and row["file"]:
        line = f":{row['line']:.0f}" if pd.notna(row["line"]) else ""
        name = f"{name} ({PurePath(row['file']).name}{line})"
    half = (_NAME_LENGTH - 3) // 2
    return name if len(name) <= _NAME_LENGTH else f"{name[:half]}...{name[-half:]}"
