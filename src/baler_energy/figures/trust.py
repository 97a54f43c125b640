"""Can the numbers be believed? One run over time, meter against meter, spread and contamination."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.figures.base import NoData, Tables, specs
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    defects,
    describe,
    device_name,
    flagged,
    reference_point,
    scaled_unit,
)
from baler_energy.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    count_text,
    grid,
    legend_below,
    log_ticks,
    plain,
    title,
)
from baler_energy.vocabulary import Evidence, Operation, Quantity

__all__ = ["FIGURES"]

#: Quantities of the time series: words, unit and factor on the axis.
_PANELS: dict[str, tuple[str, str, float]] = {
    "power": ("Power", "W", 1.0),
    "utilisation": ("Utilisation", "%", 100.0),
    "temperature": ("Temperature", "°C", 1.0),
    "memory": ("Memory", "GB", 1e-9),
    "clock": ("Clock", "GHz", 1e-9),
}
#: Above this share of the machine's CPU time, and above this spread, a dashed line.
_LIMIT_PERCENT = 5.0
_MOST_SERIES = 6


def draw_timeseries(tables: Tables) -> Figure:
    """Draw all quantities of one training over time, with its window shaded.

    Raises
    ------
    NoData
        No training at the reference point has samples.
    """
    samples, runs = tables["samples"], tables["runs"]
    if runs.empty or samples.empty:
        raise NoData("no run has samples")
    reference = reference_point(runs)
    here = at_point(samples, {**reference, "operation": Operation.TRAIN}).dropna(subset=["value"])
    here = here[here["quantity"].isin(_PANELS)]
    if here.empty:
        raise NoData("no training at the reference point has samples")
    one = here[here["repeat"] == here["repeat"].min()]
    one = one[one["run_id"] == one["run_id"].value_counts().idxmax()]
    quantities = [name for name in _PANELS if (one["quantity"] == name).any()]
    figure, panels = grid(len(quantities), 1, 1.3 + 1.75 * len(quantities), sharex=True)
    for panel, quantity in zip(panels[:, 0], quantities, strict=True):
        panel.axvspan(0, float(one["window_s"].iloc[0]), color="0.9", zorder=0, label="_window")
        _time_panel(panel, one[one["quantity"] == quantity], quantity)
    panels[-1, 0].set_xlabel("Time from the start of the window (s)")
    where = f"{describe(reference)}, {device_name(one['device'].iloc[0])}, repeat {one['repeat'].iloc[0]}"
    title(figure, "One training over time", f"Reference: {where} (n = 1).", "Shaded: the measured window.")
    return figure


def _time_panel(panel: Axes, part: pd.DataFrame, quantity: str) -> None:
    """Draw a line per meter, component and evidence; of many alike, such as cores, only the first ones."""
    words, unit, factor = _PANELS[quantity]
    groups = list(part.groupby(["meter", "component", "evidence"], sort=True, observed=True, dropna=False))
    for number, ((meter, component, evidence), same) in enumerate(groups[:_MOST_SERIES]):
        ordered = same.sort_values("time_s")
        said = f", {evidence}" if quantity == "power" else ""
        panel.plot(
            ordered["time_s"],
            ordered["value"] * factor,
            color=COLOURS[number % 3],
            linestyle=LINES.get(str(evidence), ":") if quantity == "power" else ("-", "--", "-.", ":")[number % 4],
            marker="." if len(ordered) < 60 else "",
            linewidth=1.2,
            label=plain(f"{component} ({meter}{said})"),
        )
    if len(groups) > _MOST_SERIES:
        panel.plot([], [], " ", label=f"{len(groups) - _MOST_SERIES} more not drawn")
    low, high = part["value"].min() * factor, part["value"].max() * factor
    if quantity in ("power", "utilisation", "memory"):
        low = 0.0
    reach = (high - low) or abs(high) or 1.0
    panel.set_ylim(low - 0.06 * reach, high + 0.12 * reach)
    panel.set_ylabel(f"{words} ({unit})")
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)


def draw_meters(tables: Tables) -> Figure:
    """Draw the energy of the same component and window by two meters, and their ratio.

    Raises
    ------
    NoData
        No component is read by two meters.
    """
    pairs = _meter_pairs(tables["measurements"])
    if pairs.empty:
        raise NoData("no component has an energy reading by two meters, so there is nothing to compare")
    factor, unit = scaled_unit(pairs["first"], "J")
    figure, panels = grid(2, 1, 6.8, width_in=7.5, sharex=True, height_ratios=[2, 1])
    for number, (label, part) in enumerate(pairs.groupby("label", sort=True)):
        look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "s": 22}
        shown = f"{label}, {count_text([len(part)])}"
        panels[0, 0].scatter(part["first"] * factor, part["second"] * factor, label=plain(shown), **look)
        panels[1, 0].scatter(part["first"] * factor, part["second"] / part["first"], **look)
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
    title(figure, "Meter against meter", "Energy of the same component in the same window; each mark is one run.")
    return figure


def _meter_pairs(measurements: pd.DataFrame) -> pd.DataFrame:
    """Rows ``first``, ``second`` (J) and ``label`` for every two meters that read a component in one window."""
    energy = measurements[(measurements["quantity"] == Quantity.ENERGY) & (measurements["value"] > 0)]
    parts = [pd.DataFrame({"first": [], "second": [], "label": []})]
    for component, part in energy.groupby("component", observed=True):
        kinds = part[["meter", "evidence"]].drop_duplicates().itertuples(index=False, name=None)
        # Meters that read hardware come first, so that a model is compared with them and not they with it.
        ordered = sorted(kinds, key=lambda kind: (kind[1] != Evidence.MEASURED, kind[0] == "codecarbon", kind))
        for one, other in itertools.combinations(ordered, 2):
            if one[0] == other[0]:
                continue
            readings = [
                part[(part["meter"] == meter) & (part["evidence"] == evidence)].set_index(["run_id", "operation"])[
                    "value"
                ]
                for meter, evidence in (one, other)
            ]
            joined = pd.concat(readings, axis=1, keys=["first", "second"], join="inner")
            parts.append(joined.assign(label=f"{component}: first {one[0]} ({one[1]}), second {other[0]} ({other[1]})"))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def draw_spread(tables: Tables) -> Figure:
    """Draw the coefficient of variation over repeats of duration and energy, per point and operation.

    Raises
    ------
    NoData
        No point has two runs.
    """
    runs = tables["runs"]
    figure, (panels,) = grid(1, 2, 4.6, sharey=True)
    drawn, counts, highest, handles = False, set[int](), _LIMIT_PERCENT, dict[str, Line2D]()
    for panel, value, words in zip(panels, ("duration_s", "energy_j"), ("Duration", "Energy"), strict=True):
        spread = _variation(runs, value)
        for number, (evidence, part) in enumerate(spread.groupby("energy_evidence", observed=True)):
            said = f"{evidence} energy" if value == "energy_j" else "duration (clock)"
            handles |= _spread_marks(panel, part, said, number + (value == "energy_j"))
        found = ", ".join(sorted(spread["energy_evidence"].unique())) if value == "energy_j" else "measured"
        panel.set_title(f"{words}, {found}" if found else words)
        panel.set_xticks(range(3), [operation.value for operation in OPERATIONS])
        panel.tick_params(axis="x", which="minor", bottom=False, top=False)
        panel.axhline(_LIMIT_PERCENT, color="0.4", linestyle="--", linewidth=1)
        panel.set(xlim=(-0.6, 2.6), xlabel="Operation")
        drawn, counts, highest = drawn or len(spread) > 0, counts | {*spread["n"]}, max(highest, spread["cv"].max())
    if not drawn:
        raise NoData("every point was run once; a spread needs at least two repeats")
    panels[0].set_ylabel("Standard deviation over mean (%)")
    panels[0].set_ylim(0, float(highest) * 1.15)
    legend_below(figure, list(handles.values()), columns=4)
    title(figure, "Spread over repeats", f"Each mark is a point with {count_text(counts)} repeats. Dashed: 5 %.")
    return figure


def _variation(runs: pd.DataFrame, value: str) -> pd.DataFrame:
    """Coefficient of variation (%) of each point, operation and evidence with two runs or more."""
    keys = ["dataset", "rows", "engine", "model", "device", "precision", "batch_size", "compression_ratio", "epochs"]
    keyed = runs.dropna(subset=[value]).copy()
    keyed["energy_evidence"] = keyed["energy_evidence"].where(keyed["energy_evidence"].notna(), "no")
    if value == "duration_s":
        keyed["energy_evidence"] = "clock"
    rows = [
        {
            "operation": part["operation"].iloc[0],
            "energy_evidence": part["energy_evidence"].iloc[0],
            "cv": 100 * part[value].std(ddof=1) / part[value].mean(),
            "n": len(part),
            "flagged": flagged(part["flags"]),
        }
        for _, part in keyed.groupby([*keys, "operation", "energy_evidence"], observed=True, dropna=False)
        if len(part) > 1
    ]
    return pd.DataFrame(rows, columns=["operation", "energy_evidence", "cv", "n", "flagged"])


def _spread_marks(panel: Axes, part: pd.DataFrame, label: str, number: int) -> dict[str, Line2D]:
    """Draw the points of one kind side by side; returns handles by label."""
    look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": "none"}
    for place, operation in enumerate(OPERATIONS):
        same = part[part["operation"] == operation].sort_values("cv")
        offsets = np.linspace(-0.3, 0.3, len(same)) if len(same) > 1 else np.zeros(len(same))
        for clean, face in ((True, COLOURS[number]), (False, "white")):
            chosen = same["flagged"].to_numpy(dtype=bool) != clean
            panel.plot(place + offsets[chosen], same["cv"][chosen], markerfacecolor=face, **look)
    handles = {label: Line2D([], [], label=label, **look)}
    if part["flagged"].any():
        handles["open"] = Line2D([], [], label="open: holds a flagged run", **look, markerfacecolor="white")
    return handles


def draw_contamination(tables: Tables) -> Figure:
    """Draw the CPU share of other processes during each window, in the order of the runs.

    Raises
    ------
    NoData
        No record has it.
    """
    runs = tables["runs"].dropna(subset=["contamination"]).sort_values("start")
    if runs.empty:
        raise NoData("no record tells what other processes used")
    minutes = (runs["start"] - runs["start"].min()).dt.total_seconds() / 60
    figure, ((panel,),) = grid(1, 1, 4.4)
    for number, operation in enumerate(OPERATIONS):
        mine = (runs["operation"] == operation).to_numpy()
        _contamination_marks(panel, minutes[mine], runs[mine], number, operation.value)
    if flagged(runs["flags"]):
        panel.plot([], [], "o", color="black", markerfacecolor="white", label="open: flagged")
    panel.axhline(_LIMIT_PERCENT, color="0.4", linestyle="--", linewidth=1)
    top = max(1.3 * _LIMIT_PERCENT, 115 * runs["contamination"].max())
    panel.set_ylim(-0.03 * top, top)
    panel.set_xlabel("Start of the window, since the first (min)")
    panel.set_ylabel("CPU time of other processes (% of the machine)")
    legend_below(figure, panel.get_legend_handles_labels()[0], columns=4)
    over = int((100 * runs["contamination"] > _LIMIT_PERCENT).sum())
    words = f"Each mark is one run and operation, {count_text([len(runs)])}; {over} above 5 % (dashed)."
    title(figure, "CPU time of other processes", words)
    return figure


def _contamination_marks(panel: Axes, minutes: "pd.Series[float]", runs: pd.DataFrame, number: int, label: str) -> None:
    look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": "none"}
    wrong: Sequence[bool] = [bool(defects(flags)) for flags in runs["flags"]]
    bad = np.array(wrong, dtype=bool)
    percent = 100 * runs["contamination"].to_numpy()
    panel.plot(minutes[~bad], percent[~bad], label=label, **look)
    panel.plot(minutes[bad], percent[bad], markerfacecolor="white", **look)


FIGURES = specs(
    "trust",
    {
        "timeseries": draw_timeseries,
        "meters": draw_meters,
        "spread": draw_spread,
        "contamination": draw_contamination,
    },
)
