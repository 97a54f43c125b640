"""Where does it go? Energy by component; time by function and operator."""

from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.analysis.statistics import clean, estimate, flagged
from baler_energy.figures.base import NoData, Tables, specs
from baler_energy.figures.gpu import draw_gpu_timeline
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    describe,
    device_name,
    excluded_text,
    reference_point,
    scaled_unit,
    spread_text,
    with_flags,
)
from baler_energy.figures.style import COLOURS, HATCHES, WIDTH_IN, grid, legend_below, open_mark, plain, title
from baler_energy.vocabulary import Quantity

__all__ = ["FIGURES", "component_energies"]

_COMPONENTS = {"cpu": "CPU", "dram": "DRAM", "ram": "RAM", "gpu": "GPU"}
#: Names shown per operation; what is left is one more bar.
_TOP = 8
_NAME_LENGTH = 46


def component_energies(measurements: pd.DataFrame) -> pd.DataFrame:
    """Rows of primary energy readings with a value: what enters the totals, by component and evidence."""
    energy = measurements[(measurements["quantity"] == Quantity.ENERGY) & measurements["primary"].fillna(False)]
    return energy.dropna(subset=["value_per_iteration"])


def draw_components(tables: Tables) -> Figure:
    """Draw the energy of one operation at the reference point by component, a bar per device and evidence.

    Raises
    ------
    NoData
        No run at the reference point has an energy reading.
    """
    runs = tables["runs"]
    energy = component_energies(tables["measurements"])
    if runs.empty or energy.empty:
        raise NoData("no run has an energy reading")
    reference = reference_point(runs)
    energy = with_flags(at_point(energy, reference), runs)
    if energy.empty:
        raise NoData("no run at the reference point has an energy reading")
    totals = _stack_totals(energy)["value_per_iteration"]
    bars = energy[["device", "evidence"]].drop_duplicates().shape[0]
    figure, (panels,) = grid(1, 3, 4.8, width_in=max(WIDTH_IN, 3.2 * bars))
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        scale = scaled_unit(totals, "J")
        _component_bars(panel, energy[energy["operation"] == operation], *scale)
        panel.set_title(operation.value)
    legend_below(figure, _component_legend(energy), columns=6)
    title(
        figure,
        "Energy of one operation by component",
        f"Reference: {describe(reference)}.",
        *([] if clean(energy).empty else ["Mean over the repeats; totals with 95 % t intervals."]),
        *excluded_text(energy.drop_duplicates(["run_id", "operation"])),
    )
    return figure


def _component_bars(panel: Axes, energy: pd.DataFrame, factor: float, unit: str) -> None:
    """Stack the components of each device and evidence; what differs in either never shares a stack."""
    panel.tick_params(axis="x", which="both", bottom=False, top=False)
    if energy.empty:
        panel.text(0.5, 0.5, "no data", transform=panel.transAxes, horizontalalignment="center")
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
    """Say a bar's total with its interval and n, or that there is none since all runs are flagged."""
    total = estimate(totals, "value_per_iteration")
    if total.verdict:
        return total.verdict.replace(": ", ":\n")
    said = spread_text(total.mean, total.half_width, factor=factor).replace(" ±", "\n±")
    return f"{said}\nn = {total.n}"


def _stack_totals(energy: pd.DataFrame) -> pd.DataFrame:
    """Sum over components of one run, operation and evidence."""
    keys = ["run_id", "operation", "device", "evidence", "flags"]
    return energy.groupby(keys, observed=True, dropna=False)["value_per_iteration"].sum().reset_index()


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


def draw_hotspots(profiler: str, kinds: Mapping[str, str], what: str, tables: Tables) -> Figure:
    """Draw the largest self shares of each operation as one profiler saw them.

    Parameters
    ----------
    profiler
        The profiler.
    kinds
        Kinds of rows to show, whose shares have one whole, and their colours.
    what
        What they are, for the title.
    tables
        The dataset.

    Raises
    ------
    NoData
        No run was profiled with it, or it saw nothing of these kinds.
    """
    hotspots = tables["hotspots"]
    profiled = hotspots[(hotspots["profiler"] == profiler) & (hotspots["self_share"] > 0)]
    if profiled.empty:
        raise NoData(f"no run was profiled with {profiler}")
    found = profiled[profiled["kind"].isin(kinds)]
    if found.empty:
        raise NoData(f"{profiler} saw no {' or '.join(kinds)}: no run that was profiled used a GPU")
    found, where = _one_run(found, tables["runs"])
    shown = [operation for operation in OPERATIONS if (found["operation"] == operation).any()]
    figure, panels = grid(len(shown), 1, 1.1 + 2.5 * len(shown), sharex=True)
    for panel, operation in zip(panels[:, 0], shown, strict=True):
        _share_bars(panel, found[found["operation"] == operation], kinds)
        panel.set_title(operation.value)
    panels[-1, 0].set_xlabel("Share of self time (%)")
    if len(kinds) > 1:
        legend_below(figure, [Patch(facecolor=colour, label=kind) for kind, colour in kinds.items()], columns=3)
    title(figure, f"Where {what}", f"{where}.", "One profiled run, n = 1; shares only.")
    return figure


def _one_run(found: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Choose the profiled run: at the reference point where there is one, else the first."""
    at_reference = found if runs.empty else at_point(found, reference_point(runs))
    chosen = found if at_reference.empty else at_reference
    chosen = chosen[chosen["run_id"] == chosen["run_id"].min()]
    first: Any = chosen.iloc[0].to_dict()
    return chosen, f"{describe(first)}, {device_name(str(first['device']))}"


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
    places = range(len(names))
    panel.barh(places, shares, 0.7, color=colours)
    for place, share in zip(places, shares, strict=True):
        panel.annotate(f"{share:.1f}", (share, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    panel.set_yticks(places, [plain(name) for name in names], fontsize=8)
    panel.tick_params(axis="y", which="both", left=False, right=False)
    panel.set_xlim(0, max(panel.get_xlim()[1], max(shares) * 1.12))
    panel.invert_yaxis()


def _short(row: Mapping[Any, Any]) -> str:
    """Name of a function or operator with its file, cut in the middle to fit."""
    name = str(row["name"])
    if isinstance(row["file"], str) and row["file"]:
        line = f":{row['line']:.0f}" if pd.notna(row["line"]) else ""
        name = f"{name} ({PurePath(row['file']).name}{line})"
    half = (_NAME_LENGTH - 3) // 2
    return name if len(name) <= _NAME_LENGTH else f"{name[:half]}...{name[-half:]}"


FIGURES = specs(
    "hotspots",
    {
        "components": draw_components,
        "functions": partial(
            draw_hotspots, "cprofile", {"function": COLOURS[0]}, "the time goes: functions (cProfile)"
        ),
        "operators": partial(
            draw_hotspots, "torch", {"operator": COLOURS[0]}, "the time goes: operators (torch.profiler)"
        ),
        "gpu": partial(
            draw_hotspots,
            "torch",
            {"kernel": COLOURS[0], "copy": COLOURS[1], "idle": COLOURS[3]},
            "the GPU's time goes: kernels, copies, waiting (torch.profiler)",
        ),
        "gpu_timeline": draw_gpu_timeline,
    },
)
