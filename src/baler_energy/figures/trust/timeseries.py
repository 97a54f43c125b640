"""One run over time: power, utilisation, temperature, memory and clocks."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import flag_words
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import at_point, centre_of, describe, device_name, first_clean, with_flags
from baler_energy.figures.style import COLOURS, LINES, grid, plain, subtitle
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES"]

#: Quantities of the time series: label, unit and factor to it. Reasons for low clocks are in `gpu_timeline`.
_PANELS: dict[str, tuple[str, str, float]] = {
    "power": ("Power", "W", 1.0),
    "utilisation": ("Utilisation", "%", 100.0),
    "temperature": ("Temperature", "°C", 1.0),
    "memory": ("Memory", "GB", 1e-9),
    "clock": ("Clock", "GHz", 1e-9),
    "memory_clock": ("Memory clock", "GHz", 1e-9),
}
_MOST_SERIES = 6


def draw_timeseries(tables: Tables) -> Figure:
    """Draw all quantities of one training over time, with its window shaded.

    Raises
    ------
    NoData
        No training at the study's centre has samples.
    """
    samples, runs = tables["samples"], tables["runs"]
    require_rows("no run has samples", runs, samples)
    centre = centre_of(runs)
    here = at_point(samples, {**centre, "operation": Operation.TRAIN}).dropna(subset=["value"])
    here = here[here["quantity"].isin(_PANELS)]
    require_rows("no training at the study's centre has samples", here)
    # A clean run if there is one; the subtitle says so if it is flagged.
    one = first_clean(with_flags(here, runs))
    quantities = [name for name in _PANELS if (one["quantity"] == name).any()]
    figure, panels = grid(len(quantities), 1, 1.3 + 1.75 * len(quantities), sharex=True)
    for panel, quantity in zip(panels[:, 0], quantities, strict=True):
        panel.axvspan(0, float(one["window_s"].iloc[0]), color="0.9", zorder=0, label="_window")
        _time_panel(panel, one[one["quantity"] == quantity], quantity)
    panels[-1, 0].set_xlabel("Time from the start of the window (s)")
    where = f"{describe(centre)}, {device_name(one['device'].iloc[0])}, repeat {one['repeat'].iloc[0]}"
    wrong = f"This run is flagged: {words}." if (words := flag_words(one)) else ""
    lines = (f"Centre: {where} (n = 1).", f"Shaded: the measured window. {wrong}")
    subtitle(figure, *lines)
    return figure


def _time_panel(panel: Axes, part: pd.DataFrame, quantity: str) -> None:
    """Draw a line per meter, component and evidence; of many similar ones, such as cores, only the first."""
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


FIGURES = (
    FigureSpec(
        "timeseries",
        "One training over time",
        "Samples in and around the window (shaded) of one training at the study's centre, first unflagged repeat "
        "(n = 1). Only quantities that this machine reports have a panel. The legend gives the source of each series "
        "and whether power is measured or modelled.",
        draw_timeseries,
    ),
)
