"""Energy by component: CPU, memory, GPU."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.analysis.statistics import clean, estimate, flagged
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    centre_of,
    describe,
    device_name,
    excluded_text,
    interval_text,
    scaled_unit,
    with_flags,
)
from baler_energy.figures.style import COLOURS, HATCHES, WIDTH_IN, grid, legend_below, note_empty, open_mark, subtitle
from baler_energy.vocabulary import Quantity

__all__ = ["FIGURES", "component_energies", "draw_components"]

_COMPONENTS = {"cpu": "CPU", "dram": "DRAM", "ram": "RAM", "gpu": "GPU"}


def component_energies(measurements: pd.DataFrame) -> pd.DataFrame:
    """Rows of primary energy readings with a value, which make up the totals, by component and evidence."""
    energy = measurements[(measurements["quantity"] == Quantity.ENERGY) & measurements["primary"].fillna(False)]
    return energy.dropna(subset=["value_per_iteration"])


def draw_components(tables: Tables) -> Figure:
    """Draw the energy of one operation at the study's centre by component, a bar per device and evidence.

    Raises
    ------
    NoData
        No run at the study's centre has an energy reading.
    """
    runs = tables["runs"]
    energy = component_energies(tables["measurements"])
    require_rows("no run has an energy reading", runs, energy)
    centre = centre_of(runs)
    energy = with_flags(at_point(energy, centre), runs)
    require_rows("no run at the study's centre has an energy reading", energy)
    totals = _stack_totals(energy)["value_per_iteration"]
    bars = energy[["device", "evidence"]].drop_duplicates().shape[0]
    figure, (panels,) = grid(1, 3, 4.8, width_in=max(WIDTH_IN, 3.2 * bars))
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        scale = scaled_unit(totals, "J")
        _component_bars(panel, energy[energy["operation"] == operation], *scale)
        panel.set_title(operation.value)
    legend_below(figure, _component_legend(energy), columns=6)
    subtitle(
        figure,
        f"Centre: {describe(centre)}.",
        *([] if clean(energy).empty else ["Mean over the repeats; totals with 95 % t intervals."]),
        *excluded_text(energy.drop_duplicates(["run_id", "operation"])),
    )
    return figure


def _component_bars(panel: Axes, energy: pd.DataFrame, factor: float, unit: str) -> None:
    """Stack the components, with separate stacks for each device and evidence."""
    panel.tick_params(axis="x", which="both", bottom=False, top=False)
    if energy.empty:
        note_empty(panel)
        panel.set_ylabel(f"Energy ({unit})")
        return
    labels = []
    for place, ((device, evidence), part) in enumerate(energy.groupby(["device", "evidence"], observed=True)):
        top = 0.0
        for component, same in clean(part).groupby("component", observed=True):
            height = float(same["value_per_iteration"].mean()) * factor
            look: dict[str, Any] = {"color": _component_colour(str(component)), "hatch": HATCHES[str(evidence)]}
            panel.bar(place, height, 0.55, bottom=top, edgecolor="white", linewidth=0.8, **look)
            top += height
        totals = _stack_totals(part)
        singles = flagged(totals)["value_per_iteration"] * factor
        panel.plot([place + (0.36 if top else 0)] * len(singles), singles, **open_mark("black"))
        words = _total_words(totals, factor)
        top = max([top, *singles])
        panel.annotate(words, (place, top), (0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=9)
        labels.append(f"{device_name(str(device))} run,\n{evidence}")
    panel.set_xticks(range(len(labels)), labels)
    panel.set_xlim(-0.7, len(labels) - 0.3)
    panel.set_ylim(0, panel.get_ylim()[1] * 1.25)
    panel.set_ylabel(f"Energy, {' or '.join(sorted(energy['evidence'].unique()))} ({unit})")


def _total_words(totals: pd.DataFrame, factor: float) -> str:
    """Write a bar's total with its interval and n, or that there is none because all runs are flagged."""
    total = estimate(totals, "value_per_iteration")
    if total.verdict:
        return total.verdict.replace(": ", ":\n")
    said = interval_text(total.mean, total.half_width, factor=factor).replace(" ±", "\n±")
    return f"{said}\nn = {total.n}"


def _stack_totals(energy: pd.DataFrame) -> pd.DataFrame:
    """Sum over components of one run, operation and evidence, without runs that lack one."""
    keys = ["run_id", "operation", "device", "evidence", "in_mean", "run_flags"]
    sums = energy.groupby(keys, observed=True, dropna=False)["value_per_iteration"].agg(["sum", "size"]).reset_index()
    most = sums.groupby(["operation", "device", "evidence"], observed=True)["size"].transform("max")
    return sums[sums["size"] == most].rename(columns={"sum": "value_per_iteration"})


def _component_colour(component: str) -> str:
    return {"cpu": COLOURS[0], "gpu": COLOURS[1], "dram": COLOURS[2], "ram": COLOURS[2]}.get(component, COLOURS[3])


def _component_legend(energy: pd.DataFrame) -> list[Patch]:
    components = [
        Patch(facecolor=_component_colour(name), label=_COMPONENTS.get(name, name))
        for name in sorted(energy["component"].unique())
    ]
    evidence = [
        Patch(facecolor="0.6", edgecolor="white", hatch=HATCHES[name], label=f"{name} energy")
        for name in sorted(energy["evidence"].unique())
    ]
    return [*components, *evidence]


FIGURES = (
    FigureSpec(
        "components",
        "Energy of one operation by component",
        "Energy of one operation at the study's centre by component, mean over the repeats. Bars of modelled energy "
        "are hatched and separate from bars of measured energy; the two are never stacked. The numbers above a bar are "
        "its total with the half width of its 95 % t interval, and the number of runs n. Each operation has its own "
        "axis. Open marks are the totals of flagged runs, which are excluded from the means.",
        draw_components,
    ),
)
