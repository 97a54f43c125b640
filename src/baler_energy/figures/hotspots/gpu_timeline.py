"""One operation on a GPU over time: power, load, memory, temperature, clocks, and why clocks were lowered."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis import throttled
from baler_energy.analysis.statistics import flag_words
from baler_energy.analysis.thermal import Curve, Rise, rise
from baler_energy.figures.bars import name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows
from baler_energy.figures.selection import at_point, centre_of, describe, first_clean, interval_text, with_flags
from baler_energy.figures.style import COLOURS, few_ticks, grid, subtitle
from baler_energy.meters.throttling import REASONS, THROTTLED
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES", "draw_gpu_timeline", "temperature_words"]

_Panel = tuple[str, float, bool, Mapping[str, str]]
#: Panels: label of the axis with its unit, factor to it, whether it starts at 0, and its quantities with their labels.
_PANELS: tuple[_Panel, ...] = (
    ("Power,\n{evidence} (W)", 1.0, True, {"power": "power"}),
    ("Utilisation\n(%)", 100.0, True, {"utilisation": "utilisation"}),
    ("Memory\n(GB)", 1e-9, True, {"memory": "memory in use"}),
    ("Temperature\n(°C)", 1.0, False, {"temperature": "sensor"}),
    ("Clock\n(GHz)", 1e-9, True, {"clock": "SMs", "memory_clock": "memory"}),
)
_REASONS = "throttle_reasons"
_HEAT_OR_POWER = {word for bit, word in REASONS.items() if bit & THROTTLED}


def draw_gpu_timeline(tables: Tables) -> Figure:
    """Draw what NVML reported about the GPU during one training at the study's centre, the first clean repeat.

    If there are several GPUs, draw the one with the largest mean power in the window.

    Raises
    ------
    NoData
        No training at the study's centre ran on a GPU and has samples from it.
    """
    one, where = _one_gpu(tables)
    window_s = float(one["window_s"].iloc[0])
    found, reasons = _rise(one, window_s), one[one["quantity"] == _REASONS]
    held = throttled.spans(reasons["time_s"].to_list(), reasons["value"].to_list())
    shown = [panel for panel in _PANELS if one["quantity"].isin(panel[3]).any()]
    heights = [1.0] * len(shown) + ([0.4 + 0.2 * len(held)] if held else [])
    figure, panels = grid(len(heights), 1, 1.9 + 1.25 * sum(heights), sharex=True, height_ratios=heights)
    for axes in panels[:, 0]:
        axes.axvspan(0, window_s, color="0.92", zorder=0, label="_window")
    for axes, panel in zip(panels[:, 0], shown, strict=False):
        _lines(axes, one, panel, found.curve, window_s)
    if held:
        _strip(panels[-1, 0], held)
    panels[-1, 0].set_xlabel("Time from the start of the window (s)")
    lines = [f"Centre: {where} (n = 1).", f"Shaded: the measured window of {window_s:.3g} s. {_wrong(one)}"]
    lines += [f"Temperature: {temperature_words(found)}."] if found.n else []
    lines += [] if held else ["This GPU does not report why its clocks are lowered."]
    subtitle(figure, *lines)
    return figure


def temperature_words(found: Rise) -> str:
    """Write start, maximum, steady state and time constant, or why there is no fit.

    Parameters
    ----------
    found
        A rise with at least one sample in the window.
    """
    seen = f"{found.start_degc:g} °C at the start, maximum {found.maximum_degc:g} °C"
    if found.curve is None:
        return f"{seen}; no fit: {found.reason}"
    tau = interval_text(found.curve.tau_s, found.curve.tau_error_s)
    fitted = f"steady state {found.curve.steady_degc:.1f} °C, time constant ({tau}) s"
    return f"{seen}; fit (dashed): {fitted}, standard error from {found.n} samples"


def _one_gpu(tables: Tables) -> tuple[pd.DataFrame, str]:
    """Choose and describe the run and the GPU."""
    samples, runs = tables["samples"], tables["runs"]
    if runs.empty or not (runs["device"] == "cuda").any():
        raise NoData("no run used a GPU")
    centre = centre_of(runs)
    here = at_point(samples, {**centre, "operation": Operation.TRAIN, "device": "cuda"})
    here = here[here["component"].str.startswith("gpu")].dropna(subset=["value"])
    require_rows("no training at the study's centre ran on a GPU with samples from its driver", here)
    one = first_clean(with_flags(here, runs))
    names = sorted(one["component"].unique())
    inside = one[(one["quantity"] == "power") & one["time_s"].between(0, one["window_s"])]
    powers_w = inside.groupby("component", observed=True)["value"].mean()
    chosen = str(powers_w.idxmax()) if len(powers_w) else names[0]
    which = chosen if len(names) == 1 else f"{chosen} (highest power of {len(names)} GPUs)"
    one = one[one["component"] == chosen].sort_values("time_s")
    return one, f"{describe(centre)}, {which}, repeat {one['repeat'].iloc[0]}"


def _wrong(one: pd.DataFrame) -> str:
    return f"This run is flagged: {words}." if (words := flag_words(one)) else ""


def _rise(one: pd.DataFrame, window_s: float) -> Rise:
    degrees = one[one["quantity"] == "temperature"]
    return rise(degrees["time_s"].to_list(), degrees["value"].to_list(), window_s)


def _lines(axes: Axes, one: pd.DataFrame, panel: _Panel, curve: Curve | None, window_s: float) -> None:
    """Draw the series of a panel and, for the temperature, the fit; scale the axis to them."""
    label, factor, from_zero, quantities = panel
    drawn = one[one["quantity"].isin(quantities)]
    for number, (quantity, words) in enumerate(quantities.items()):
        part = drawn[drawn["quantity"] == quantity]
        look: dict[str, Any] = {"color": COLOURS[2 * number], "linestyle": ("-", "-.")[number], "linewidth": 1.2}
        marker = "." if len(part) < 60 else ""
        axes.plot(part["time_s"], part["value"] * factor, marker=marker, label=words, **look)
    if curve is not None and "temperature" in quantities:
        times_s = [window_s * step / 200 for step in range(201)]
        axes.plot(times_s, curve.at(times_s), color=COLOURS[1], linestyle="--", linewidth=2, label="fit")
    if len(axes.lines) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)
    low, high = (0.0 if from_zero else drawn["value"].min() * factor), drawn["value"].max() * factor
    reach = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - 0.08 * reach, high + 0.15 * reach)
    axes.set_ylabel(label.format(evidence=drawn["evidence"].iloc[0]))
    few_ticks(axes.yaxis, 5)


def _strip(axes: Axes, held: Mapping[str, list[tuple[float, float]]]) -> None:
    """Draw a bar for each reason over the times at which it applied."""
    for place, (word, parts) in enumerate(held.items()):
        colour = "0.65" if word == throttled.NONE else COLOURS[1] if word in _HEAT_OR_POWER else COLOURS[0]
        axes.broken_barh([(begin, end - begin) for begin, end in parts], (place - 0.3, 0.6), facecolor=colour)
    name_rows(axes, held, margin=0.5)
    axes.set_title("Why clocks are lowered, according to the driver", fontsize=9)


FIGURES = (
    FigureSpec(
        "gpu_timeline",
        "One training on the GPU over time",
        "What the driver (NVML) reported about the GPU in and around the window (shaded) of one training at the "
        "study's centre, first unflagged repeat (n = 1): power, utilisation (share of time in which a kernel ran), "
        "memory in use, temperature, SM and memory clocks, and why clocks were lowered. The dashed line is a fit of a "
        "rise to a steady state with one time constant (lumped model, Newton's law of cooling, constant power); if the "
        "samples do not determine it, the subtitle says why. Only quantities that this GPU reports have a panel. The "
        "table of temperatures has all operations and repeats.",
        draw_gpu_timeline,
    ),
)
