"""Imported results of other tools and the runs of this study: energy against duration."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import COLOURS, MARKERS, grid, legend_below, log_ticks, plain, subtitle
from baler_energy.foreign.detect import TOOLS
from baler_energy.foreign.own import OWN
from baler_energy.vocabulary import Evidence, Quantity

__all__ = ["FIGURES", "draw_foreign"]

#: Fill of a mark by evidence; a sum of measured and modelled parts is half filled.
_MIXED = "measured and modelled"
_FILL = {Evidence.MEASURED: "full", Evidence.MODELLED: "none", Evidence.UNKNOWN: "none", _MIXED: "left"}
#: Marks and colours of tools, in order; the marks of this study are larger, darker and have other shapes.
_LOOKS = (("v", COLOURS[1]), ("D", COLOURS[2]), ("P", "#8a6d00"), ("X", "0.45"), ("<", "#5b2a86"))
_TOOLS = {tool.name: look for tool, look in zip(TOOLS, itertools.cycle(_LOOKS), strict=False)}
_SMALL, _LARGE = 4.5, 6.5
_MANY = 200
_SUM = "machine"
#: Colours of our runs: dark for one scope (CPU), lighter for the other (with the GPU).
_OWN_COLOURS = (COLOURS[0], "#7d8db5")
_DECADES: dict[str, Any] = {"color": "0.55", "linestyle": ":", "linewidth": 1}
_CONSTANT: dict[str, Any] = {"color": "0.2", "linestyle": "--", "linewidth": 1}


def draw_foreign(tables: Tables) -> Figure:
    """Draw the energy of each imported window against its duration, and the runs of this study.

    Raises
    ------
    NoData
        No file was imported, or none has an energy with its duration.
    """
    windows = _windows(tables["foreign"])
    require_rows("no results of other tools were imported", windows)
    runs = tables["runs"].dropna(subset=["energy_j", "duration_s"])
    runs = runs[(runs["energy_j"] > 0) & (runs["duration_s"] > 0)]
    figure, ((panel,),) = grid(1, 1, 6.6)
    panel.set(xscale="log", yscale="log")
    handles = [*_foreign_marks(panel, windows), *_own_marks(panel, runs)]
    durations, energies = (
        pd.concat([windows["duration_s"], runs["duration_s"]]),
        pd.concat([windows["j"], runs["energy_j"]]),
    )
    _limits(panel, durations, energies)
    handles += _powers(panel, tables["findings"], energies / durations)
    panel.set_xlabel("Duration of the window, or of one operation (s)")
    panel.set_ylabel("Energy (J)")
    legend_below(figure, handles, columns=2)
    count = f"Each mark is one window or operation, n = {len(windows):,} imported and {len(runs):,} of this study."
    fill = "Filled: measured; open: modelled or unknown (see the legend); half filled: a sum of both."
    subtitle(figure, count, fill)
    return figure


def _windows(foreign: pd.DataFrame) -> pd.DataFrame:
    """Energy of each window: the tool's own sum if it has one, else the sum of its components.

    Cores are parts of their packages, so they are not added; a kind of component of which one is missing has no sum,
    and neither has a window whose own sum is missing.

    Returns
    -------
    pandas.DataFrame
        Columns meter, duration_s, j (J), kind (evidence) and scope (components).
    """
    columns = ["meter", "duration_s", "j", "kind", "scope"]
    # The readings of a window are consecutive and begin with its duration.
    window = (foreign["quantity"] == Quantity.DURATION).cumsum()
    every = foreign.assign(window=window, part=foreign["component"].str.split("-").str[0])
    every = every[(every["quantity"] == Quantity.ENERGY) & (every["duration_s"] > 0)]
    every = every[~every["part"].isin(("core", "uncore"))]
    lost = every["value"].isna().groupby([every["window"], every["part"]]).transform("any")
    unsummed = every.loc[(every["part"] == _SUM) & every["value"].isna(), "window"]
    table = every[~lost & ~every["window"].isin(unsummed) & (every["value"] > 0)]
    if table.empty:
        return pd.DataFrame(columns=columns)
    parts = table[table["part"] != _SUM].sort_values("part", kind="stable").groupby("window")
    whole = table[table["part"] == _SUM].groupby("window")
    found = pd.DataFrame({"meter": table.groupby("window")["meter"].first()})
    found["duration_s"] = table.groupby("window")["duration_s"].first()
    found["j"] = whole["value"].first().reindex(found.index).fillna(parts["value"].sum())
    kinds = parts["evidence"].agg(lambda all_of_it: "+".join(sorted(set(all_of_it))))
    found["kind"] = kinds.replace({"measured+modelled": _MIXED, "measured+modelled+unknown": _MIXED})
    found["kind"] = found["kind"].where(found["kind"].isin(_FILL)).fillna(Evidence.UNKNOWN.value)
    alone = ~found.index.isin(kinds.index)
    found.loc[alone, "kind"] = whole["evidence"].first().reindex(found.index)[alone]
    found["scope"] = parts["part"].agg(lambda all_of_it: "+".join(dict.fromkeys(all_of_it))).reindex(found.index)
    return found.fillna({"scope": _SUM})[columns]


def _foreign_marks(panel: Axes, windows: pd.DataFrame) -> Iterator[Line2D]:
    for (meter, scope, kind), part in windows.groupby(["meter", "scope", "kind"], sort=True):
        marker, colour = _TOOLS[str(meter)]
        look = _look(colour, marker, kind, _SMALL)
        # Thousands of marks would make a vector file of megabytes.
        panel.plot(part["duration_s"], part["j"], zorder=2, rasterized=len(part) > _MANY, **look)
        yield Line2D([], [], label=plain(f"{meter}: {scope}, {kind}, n = {len(part):,}"), **look | {"markersize": 6})


def _own_marks(panel: Axes, runs: pd.DataFrame) -> Iterator[Line2D]:
    scopes = sorted(runs["energy_scope"].dropna().unique())
    for number, operation in enumerate(OPERATIONS):
        mine = runs[runs["operation"] == operation]
        for (evidence, scope), part in mine.groupby(["energy_evidence", "energy_scope"], observed=True, dropna=False):
            colour = _OWN_COLOURS[scopes.index(scope) % 2 if scope in scopes else 0]
            look = _look(colour, MARKERS[number], evidence, _LARGE)
            panel.plot(part["duration_s"], part["energy_j"], zorder=3, **look)
            words = f"this study, {operation.value}: {scope}, {evidence}, n = {len(part):,}"
            yield Line2D([], [], label=plain(words), **look | {"markersize": 7})


def _look(colour: str, marker: str, evidence: Any, size: float) -> dict[str, Any]:
    return {
        "color": colour,
        "marker": marker,
        "markersize": size,
        "fillstyle": _FILL.get(str(evidence), "none"),
        "markerfacecoloralt": "white",
        "markeredgewidth": 0.9,
        "linestyle": "none",
    }


def _limits(panel: Axes, durations: "pd.Series[float]", energies: "pd.Series[float]") -> None:
    for values, axis, limit in (
        (durations, panel.xaxis, panel.set_xlim),
        (energies, panel.yaxis, panel.set_ylim),
    ):
        low, high = float(values.min()) / 2, float(values.max()) * 2
        limit(low, high)
        log_ticks(axis, low, high)


def _powers(panel: Axes, findings: pd.DataFrame, drawn_w: "pd.Series[float]") -> Iterator[Line2D]:
    """Draw lines of constant power: dotted at decades, dashed where all energy of a host is one constant power."""
    imported = findings[findings["file"] != OWN]
    constant = sorted(imported.loc[imported["finding"] == "constant_total", "value"].unique())
    low, high = np.floor(np.log10(drawn_w.min())), np.ceil(np.log10(drawn_w.max()))
    decades = [
        power for power in 10.0 ** np.arange(low, high + 1) if not np.any(np.abs(np.log(constant / power)) < 0.5)
    ]
    for powers, look in ((decades, _DECADES), (constant, _CONSTANT)):
        for power in powers:
            _power_line(panel, power, look)
    if decades:
        yield Line2D([], [], label="constant power", **_DECADES)
    if constant:
        words = " and ".join(f"{power:.1f} W" for power in constant)
        yield Line2D([], [], label=f"{words}: all energy of a host is this power", **_CONSTANT)


def _power_line(panel: Axes, power_w: float, look: dict[str, Any]) -> None:
    """Draw a line across the panel, and label it with its power where it leaves the panel."""
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    leaves_right = power_w * right < high
    if power_w * right < 2 * low or power_w * left > high / 2:
        return
    panel.plot([left, right], [power_w * left, power_w * right], zorder=1, scalex=False, scaley=False, **look)
    panel.annotate(
        f"{float(f'{power_w:.3g}'):,.10g} W",
        (right, power_w * right) if leaves_right else (high / power_w, high),
        xytext=(4, 0) if leaves_right else (0, 4),
        textcoords="offset points",
        horizontalalignment="left" if leaves_right else "center",
        verticalalignment="center" if leaves_right else "bottom",
        fontsize=8,
        color=look["color"],
    )


FIGURES = (
    FigureSpec(
        "foreign",
        "Other tools' results and ours",
        "Energy against duration of each window in the imported files of other tools, and of each operation of "
        "this study. A mark is one window or one operation; the legend gives the components of its energy and the "
        "number of marks. Filled marks are measured, open marks modelled or unknown, half-filled marks a sum of "
        "measured and modelled parts. Dotted lines are constant powers. On a dashed line all energy of a host is one "
        "constant power times the duration: nothing was measured there.",
        draw_foreign,
        by_dataset=False,
    ),
)
