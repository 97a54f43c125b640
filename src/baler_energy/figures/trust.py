"""Can the numbers be believed? One run over time, meter against meter, contamination; spread is beside."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import clean, flag_words, flagged
from baler_energy.figures.base import NoData, Tables, specs
from baler_energy.figures.calibration import draw_calibration
from baler_energy.figures.foreign import draw_foreign
from baler_energy.figures.iterations import draw_iterations
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    describe,
    device_name,
    first_clean,
    reference_point,
    scaled_unit,
    with_flags,
)
from baler_energy.figures.spread import draw_repeats_needed, draw_spread
from baler_energy.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    count_text,
    grid,
    legend_below,
    log_ticks,
    open_mark,
    plain,
    title,
)
from baler_energy.vocabulary import Evidence, MeterName, Operation, Quantity

__all__ = ["FIGURES"]

#: Quantities of the time series: words, unit and factor on the axis. Reasons for low clocks are in `gpu_timeline`.
_PANELS: dict[str, tuple[str, str, float]] = {
    "power": ("Power", "W", 1.0),
    "utilisation": ("Utilisation", "%", 100.0),
    "temperature": ("Temperature", "°C", 1.0),
    "memory": ("Memory", "GB", 1e-9),
    "clock": ("Clock", "GHz", 1e-9),
    "memory_clock": ("Memory clock", "GHz", 1e-9),
}
#: Above this share of the machine's CPU time, a dashed line.
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
    # A clean run where there is one; what is shown of a flagged one is said so.
    one = first_clean(with_flags(here, runs))
    quantities = [name for name in _PANELS if (one["quantity"] == name).any()]
    figure, panels = grid(len(quantities), 1, 1.3 + 1.75 * len(quantities), sharex=True)
    for panel, quantity in zip(panels[:, 0], quantities, strict=True):
        panel.axvspan(0, float(one["window_s"].iloc[0]), color="0.9", zorder=0, label="_window")
        _time_panel(panel, one[one["quantity"] == quantity], quantity)
    panels[-1, 0].set_xlabel("Time from the start of the window (s)")
    where = f"{describe(reference)}, {device_name(one['device'].iloc[0])}, repeat {one['repeat'].iloc[0]}"
    wrong = f"This run is flagged: {words}." if (words := flag_words(one)) else ""
    lines = (f"Reference: {where} (n = 1).", f"Shaded: the measured window. {wrong}")
    title(figure, "One training over time", *lines)
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
    """Draw the energy of the same component and window by two meters, and of node and parts, and their ratio.

    Raises
    ------
    NoData
        No component is read by two meters, and no meter reads the node.
    """
    pairs = _meter_pairs(with_flags(tables["measurements"], tables["runs"]), tables["runs"])
    if pairs.empty:
        raise NoData("no component has an energy reading by two meters, so there is nothing to compare")
    factor, unit = scaled_unit(pairs["first"], "J")
    figure, panels = grid(2, 1, 6.8, width_in=7.5, sharex=True, height_ratios=[2, 1])
    for number, (label, part) in enumerate(pairs.groupby("label", sort=True)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        filled = {"color": colour, "marker": marker, "markersize": 4.5, "linestyle": "none"}
        good, bad = clean(part), flagged(part)
        shown = f"{label}, {count_text([len(good)])}{f' and {len(bad)} flagged (open)' if len(bad) else ''}"
        looks = [(filled, good), (open_mark(colour, marker), bad)]
        for look, some in looks if len(good) else looks[1:]:
            look["label"] = "" if some is bad and len(good) else plain(shown)
            panels[0, 0].plot(some["first"] * factor, some["second"] * factor, **look)
            panels[1, 0].plot(some["first"] * factor, some["second"] / some["first"], **look)
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


def _meter_pairs(measurements: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows ``first``, ``second`` (J), ``flags`` and ``label`` for every two energies of a component in one window."""
    energy = measurements[(measurements["quantity"] == Quantity.ENERGY) & (measurements["value"] > 0)]
    found = [pair for _, part in energy.groupby("component", observed=True) for pair in _pairs_of(part)]
    found += _node_pairs(runs)
    filled = [part for part in found if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=["first", "second", "label"])


def _pairs_of(part: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pair the meters of one component."""
    component = part["component"].iloc[0]
    kinds = part[["meter", "evidence"]].drop_duplicates().itertuples(index=False, name=None)
    # Meters that read hardware come first, so that a model is compared with them and not they with it.
    ordered = sorted(kinds, key=lambda kind: (kind[1] != Evidence.MEASURED, list(MeterName).index(MeterName(kind[0]))))
    for one, other in itertools.combinations(ordered, 2):
        if one[0] == other[0]:
            continue
        first, second = (
            part[(part["meter"] == meter) & (part["evidence"] == evidence)].set_index(["run_id", "operation"])
            for meter, evidence in (one, other)
        )
        joined = first[["value", "flags"]].rename(columns={"value": "first"})
        joined = joined.join(second["value"].rename("second"), how="inner")
        yield joined.assign(label=f"{component}: first {one[0]} ({one[1]}), second {other[0]} ({other[1]})")


def _node_pairs(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Set the whole node against the sum of our parts, which it holds."""
    present = runs[(runs["energy_j"] > 0) & (runs["node_energy_j"] > 0)]
    for (meter, evidence, scope), part in present.groupby(["node_meter", "energy_evidence", "energy_scope"]):
        label = f"first our parts {scope} ({evidence}), second the whole node that holds them ({meter})"
        window = part["iterations"]
        pair = {"first": part["energy_j"] * window, "second": part["node_energy_j"] * window, "flags": part["flags"]}
        yield pd.DataFrame(pair).assign(label=label)


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
        _contamination_marks(panel, minutes, runs[mine], number, operation.value)
    if len(flagged(runs)):
        panel.plot([], [], label="open: flagged", **open_mark("black"))
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
    colour, marker = COLOURS[number], MARKERS[number]
    filled: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "label": label}
    for part, look in ((clean(runs), filled), (flagged(runs), open_mark(colour, marker))):
        panel.plot(minutes.loc[part.index], 100 * part["contamination"], **look)


FIGURES = specs(
    "trust",
    {
        "timeseries": draw_timeseries,
        "meters": draw_meters,
        "calibration": draw_calibration,
        "spread": draw_spread,
        "repeats_needed": draw_repeats_needed,
        "iterations": draw_iterations,
        "contamination": draw_contamination,
        "foreign": draw_foreign,
    },
)
