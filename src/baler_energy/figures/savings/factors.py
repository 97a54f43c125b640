"""What each change of Baler's training saves at the same error: alone, multiplied, and all together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.savings import QUANTITIES, savings
from baler_energy.figures.bars import label_edge, name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows
from baler_energy.figures.selection import excluded_text, interval_text, percent_text
from baler_energy.figures.setting_rows import NOTHING, compared_trainings, where
from baler_energy.figures.style import COLOURS, HATCHES, count_text, grid, log_ticks, subtitle

__all__ = ["FIGURES", "draw_factors"]

#: Colour of the bars, and what is added to their names.
_PARTS = {"alone": (COLOURS[2], "alone"), "product": ("0.6", ""), "together": (COLOURS[1], "all together")}
#: Share of a panel's width for the bars; the numbers are in the rest.
_BARS = 0.6


def draw_factors(tables: Tables) -> Figure:
    """Draw the factors of the recommended changes in time and energy, with their intervals.

    Raises
    ------
    NoData
        The study has none of these changes, or no factor is known.
    """
    shared, part = compared_trainings(tables)
    card = savings(part)
    card = card[card["part"].isin(list(_PARTS))].sort_values("part", kind="stable")
    require_rows(NOTHING, card)
    shown = [name for name in QUANTITIES if card[f"{name}_factor"].notna().any()]
    if not shown:
        raise NoData(f"no factor is known ({card['time_reason'].iloc[0]})")
    rows = card.to_dict("records")
    figure, (panels,) = grid(1, len(shown), 1.9 + 0.42 * len(rows), width_in=max(8.0, 5.5 * len(shown)), sharey=True)
    for panel, name in zip(panels, shown, strict=True):
        _panel(panel, rows, name)
        name_rows(panel, [_name(row) for row in rows], margin=0.6)
    first = rows[0]
    error = percent_text(first["default_error"])
    subtitle(
        figure,
        f"At {where(shared)}. At the error of Baler's default with {first['default_epochs']} epochs ({error} of the "
        "range).",
        f"Geometric mean over repeats and 95 % t interval, {count_text(row['time_n'] for row in rows)}.",
        *excluded_text(part, drawn=False),
    )
    return figure


def _name(row: Mapping[Any, Any]) -> str:
    _, words = _PARTS[row["part"]]
    setting = str(row["setting"]).replace(", learning", ",\nlearning") if row["part"] == "together" else row["setting"]
    return f"{words}: {setting}" if row["part"] == "together" else f"{setting}, {words}".removesuffix(", ")


def _panel(panel: Axes, rows: list[dict[Any, Any]], name: str) -> None:
    """Draw the factors of one quantity from 1 on a logarithmic axis."""
    ends = [1.0]
    evidence = str(rows[0]["evidence"]) if name == "energy" else ""
    for place, row in enumerate(rows):
        value, low, high = (row[f"{name}_factor{end}"] for end in ("", "_low", "_high"))
        if not pd.isna(value):
            look: dict[str, Any] = {
                "color": _PARTS[row["part"]][0],
                "hatch": HATCHES.get(evidence, ""),
                "edgecolor": "white",
            }
            panel.barh(place, value - 1, 0.6, left=1, **look)
            if not pd.isna(low):
                panel.errorbar([value], [place], xerr=[[value - low], [high - value]], color="black", capsize=3)
            ends += [value, low, high]
        label_edge(panel, _text(row, name), place)
    least, most = float(np.nanmin(ends)) / 1.1, float(np.nanmax(ends)) * 1.1
    panel.axvline(1, color="0.3", linewidth=0.8, linestyle="--")
    panel.set(xscale="log", xlim=(least, least * (most / least) ** (1 / _BARS)))
    log_ticks(panel.xaxis, *panel.get_xlim())
    panel.set_xlabel(f"Times less {name}{f', {evidence}' if evidence else ''} (1: as the default)")


def _text(row: Mapping[Any, Any], name: str) -> str:
    value, low, high = (row[f"{name}_factor{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return str(row[f"{name}_reason"]).replace("; ", ";\n")
    number, *ends = (interval_text(one, float("nan")) for one in (value, low, high))
    limit = "at least " if row[f"{name}_at_least"] else ""
    return f"{limit}{number}" + ("" if pd.isna(low) else f"\n({ends[0]} to {ends[1]})")


FIGURES = (
    FigureSpec(
        "factors",
        "What each change of the training saves at the same error",
        "Cost of Baler's default over the cost of a training that changes one thing, at the error of the default in "
        "the same repeat; the product of these factors; and the factor of all changes together, the recommended "
        "setting. The factor of all together need not be the product: a better start leaves fewer steps for a faster "
        "engine or a schedule to save. The table of savings has the ratio of both with its interval. The cost at an "
        "error is interpolated between trainings with different numbers of epochs, on logarithmic scales; at least: "
        "even the shortest training has a lower error. A factor is only given if every repeat reaches the error.",
        draw_factors,
    ),
)
