"""What does it cost? Energy, CO2e and time against the axes of the grid; loss against epochs and joules."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from baler_energy.analysis.statistics import clean, flagged, mean_interval
from baler_energy.figures.base import NoData, Tables, specs
from baler_energy.figures.emissions import draw_countries, draw_hours
from baler_energy.figures.selection import (
    OPERATIONS,
    axis_label,
    describe,
    device_name,
    excluded_text,
    reference_point,
    scaled_unit,
    sweep,
    with_flags,
)
from baler_energy.figures.style import (
    CO2E,
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
    value_ticks,
)

__all__ = ["FIGURES"]


@dataclass(frozen=True)
class _Row:
    """A row of panels: column of the table, words, unit, factor to the unit, whether it carries evidence."""

    value: str
    label: str
    unit: str
    factor: float
    energetic: bool


_ROWS = (
    _Row("energy_j", "Energy", "J", 1.0, True),
    _Row("co2e_kg", CO2E, "g", 1000.0, True),
    _Row("duration_s", "Duration", "s", 1.0, False),
)


@dataclass(frozen=True)
class _Series:
    """Runs of one device whose energy has one evidence and one scope, with their look."""

    runs: pd.DataFrame
    label: str
    look: dict[str, Any]


def draw_against(axis: str, tables: Tables) -> Figure:
    """Draw energy, CO2e (where it is known) and duration of each operation against `axis`.

    Raises
    ------
    NoData
        The study holds one value of the axis.
    """
    runs = tables["runs"]
    if runs.empty:
        raise NoData("there are no runs")
    reference = reference_point(runs)
    chosen = sweep(runs, axis, reference)
    values = sorted(chosen[axis].unique())
    if len(values) < 2:
        raise NoData(f"one value of {axis} only ({values[0]}), no axis to draw against")
    # Without a carbon intensity there is no CO2e, and no panel for it.
    rows = [row for row in _ROWS if row.value != "co2e_kg" or chosen[row.value].notna().any()]
    figure, panels = grid(len(rows), 3, 1.4 + 2.2 * len(rows), sharex=True, sharey="row")
    counts = set[int]()
    for row, line in zip(rows, panels, strict=True):
        counts |= _row_of_panels(row, line, chosen, axis)
    for panel, operation in zip(panels[0], OPERATIONS, strict=True):
        panel.set_title(operation.value)
    for panel in panels[-1]:
        panel.set_xlabel(axis_label(axis))
        value_ticks(panel, values)
    legend_below(figure, _legend(chosen))
    title(
        figure,
        f"Cost per operation against {axis_label(axis).lower().removesuffix(' (rows)')}",
        f"Fixed: {describe(reference, without=axis)}.",
        *([f"Mean and 95 % t interval, {count_text(counts)}."] if counts else []),
        *excluded_text(chosen),
    )
    return figure


def _row_of_panels(row: _Row, panels: Any, chosen: pd.DataFrame, axis: str) -> set[int]:
    """Draw one quantity for the three operations; returns the numbers of repeats."""
    present = chosen.dropna(subset=[row.value])
    factor, unit = scaled_unit(present[row.value] * row.factor, row.unit)
    counts, heights = set[int](), []
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        for series in _series(present[present["operation"] == operation], row.energetic):
            means = _draw_series(panel, series, axis, row.value, row.factor * factor)
            counts |= set(means["n"])
            heights += [*(series.runs[row.value] * row.factor * factor), *_tops(means)]
        if not panel.has_data():
            panel.text(0.5, 0.5, "no data", transform=panel.transAxes, horizontalalignment="center")
    panels[0].set_ylabel(f"{row.label}{_evidence_words(present) if row.energetic else ''} ({unit})")
    positive = [height for height in heights if height > 0]
    if positive:
        low, high = min(positive) / 1.6, max(positive) * 1.6
        panels[0].set_yscale("log")
        panels[0].set_ylim(low, high)
        log_ticks(panels[0].yaxis, low, high)
    return counts


def _tops(means: pd.DataFrame) -> pd.Series:
    return means["mean"] + means["half_width"].fillna(0)


def _evidence_words(present: pd.DataFrame) -> str:
    """``, modelled``, or nothing where the legend has to tell the series apart."""
    found = sorted(present["energy_evidence"].dropna().unique())
    return f", {found[0]}" if len(found) == 1 else ""


def _series(runs: pd.DataFrame, energetic: bool) -> Iterator[_Series]:
    """Split runs so that no series mixes devices, measured with modelled energy, or scopes."""
    devices = sorted(runs["device"].unique())
    keys = ["device", "energy_evidence", "energy_scope"] if energetic else ["device"]
    for key, part in runs.groupby(keys, sort=True, observed=True, dropna=False):
        number = devices.index(key[0])
        evidence = str(key[1]) if energetic else ""
        look = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[(number + 2 * (evidence == "modelled")) % len(MARKERS)],
            "linestyle": LINES.get(evidence, "-") if energetic else "-.",
        }
        yield _Series(part, _series_label(key, energetic), look)


def _series_label(key: tuple[Any, ...], energetic: bool) -> str:
    run = f"{device_name(str(key[0]))} run"
    if not energetic:
        return f"{run}: duration (clock)"
    scope = str(key[2]).replace("cpu", "CPU").replace("gpu", "GPU").replace("ram", "RAM").replace("dRAM", "DRAM")
    return f"{run}: {key[1]} energy of {scope.replace('+', ' + ')}"


def _legend(chosen: pd.DataFrame) -> list[Line2D]:
    """Make handles for all series of a figure, and for the open marks where there are any."""
    series = [
        *_series(chosen.dropna(subset=["energy_j"]), energetic=True),
        *_series(chosen.dropna(subset=["duration_s"]), energetic=False),
    ]
    handles = [Line2D([], [], label=plain(s.label), **s.look) for s in series]
    if len(flagged(chosen)):
        handles.append(Line2D([], [], label="open: single flagged run, in no mean", **open_mark("black")))
    return handles


def _draw_series(panel: Axes, series: _Series, axis: str, value: str, factor: float) -> pd.DataFrame:
    """Draw means with intervals, and the single runs, flagged ones open; returns the means, scaled."""
    good, bad = clean(series.runs), flagged(series.runs)
    means = mean_interval(good, [axis], value)
    means[["mean", "half_width"]] *= factor
    colour = series.look["color"]
    panel.plot(means[axis], means["mean"], color=colour, linestyle=series.look["linestyle"])
    panel.scatter(good[axis], good[value] * factor, s=5, color=colour, alpha=0.5, zorder=1.5)
    if len(bad):  # beside the value, so that they do not cover a mean
        beside = panel.transData + ScaledTranslation(7 / 72 if len(means) else 0, 0, panel.figure.dpi_scale_trans)
        panel.plot(bad[axis], bad[value] * factor, transform=beside, **open_mark(colour, series.look["marker"]))
    for _, point in means.iterrows():
        panel.errorbar(
            [point[axis]],
            [point["mean"]],
            yerr=None if point["n"] < 2 else [point["half_width"]],
            color=colour,
            marker=series.look["marker"],
            capsize=3,
        )
        if point["n"] == 1:
            panel.annotate("n = 1", (point[axis], point["mean"]), (4, 5), textcoords="offset points", fontsize=8)
    return means


def _trainings(tables: Tables) -> tuple[pd.DataFrame, str]:
    """Histories to compare, with a column ``training``, and words for what they have in common.

    They are the longest training at the reference, and the other batch sizes.
    """
    history, runs = tables["history"], tables["runs"]
    if history.empty or runs.empty:
        raise NoData("no training has a history")
    reference = reference_point(runs)
    longest = sweep(history, "epochs", reference)
    longest = longest[longest["epochs"] == longest["epochs"].max()]
    chosen = pd.concat([longest, sweep(history, "batch_size", reference)]).drop_duplicates(["run_id", "epoch"])
    if chosen.empty:
        raise NoData("no training at the reference point has a history")
    # The longest training of the reference's batch size holds the shorter one, epoch by epoch.
    most = chosen.groupby(["batch_size", "device"])["epochs"].transform("max")
    chosen = chosen[chosen["epochs"] == most]
    names = [f"batch size {b}, {e} epochs" for b, e in zip(chosen["batch_size"], chosen["epochs"], strict=True)]
    # Baler's loss is a sum over the batch: only per value can batch sizes be compared.
    batches = np.ceil(chosen["rows"] / chosen["batch_size"])
    squared_error = chosen["loss"] * batches / chosen["rows"]
    words = describe(reference, without=("batch_size", "epochs"))
    return chosen.assign(training=names, squared_error=squared_error), words


def draw_loss_epochs(tables: Tables) -> Figure:
    """Draw the training loss after each epoch, a panel per device.

    Raises
    ------
    NoData
        No training at the reference point has a history.
    """
    chosen, words = _trainings(tables)
    devices = sorted(chosen["device"].unique())
    figure, (panels,) = grid(1, len(devices), 5.0, width_in=max(7.5, 4.6 * len(devices)), sharey=True)
    for panel, device in zip(panels, devices, strict=True):
        for look, part in _by_training(chosen, chosen["device"] == device):
            means = mean_interval(part, ["epoch"], "squared_error")
            panel.plot(means["epoch"], means["mean"], **look, markevery=max(1, len(means) // 12))
            low = (means["mean"] - means["half_width"]).clip(lower=part["squared_error"].min() / 2)
            high = means["mean"] + means["half_width"]
            panel.fill_between(means["epoch"], low, high, color=look["color"], alpha=0.2, linewidth=0)
        value_ticks(panel, _round_epochs(int(chosen["epoch"].max())))
        panel.set_xlabel("Epoch")
        panel.set_title(f"{device_name(device)} run" if len(devices) > 1 else "")
    _finish_loss(figure, panels)
    title(figure, "Training loss against epochs", f"Reference: {words}.", "Mean and 95 % t interval.")
    return figure


def _round_epochs(last: int) -> list[int]:
    """Epochs to put ticks at: 1, 2, 5, 10, ... and the last."""
    steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    return [*(step for step in steps if step * 1.4 < last), last]


def draw_loss_energy(tables: Tables) -> Figure:
    """Draw the training loss against the energy spent so far, a line per repeat, a panel per device and evidence.

    Raises
    ------
    NoData
        No training has energy by epoch.
    """
    chosen, words = _trainings(tables)
    chosen = chosen.dropna(subset=["energy_j"])
    if chosen.empty:
        raise NoData("no training has its energy by epoch")
    chosen = with_flags(chosen, tables["runs"])
    factor, unit = scaled_unit(chosen["energy_j"], "J")
    kinds = sorted(set(zip(chosen["device"], chosen["energy_evidence"], strict=True)))
    figure, (panels,) = grid(1, len(kinds), 5.0, width_in=max(7.5, 4.6 * len(kinds)), sharey=True, sharex=True)
    low, high = chosen["energy_j"].min() * factor, chosen["energy_j"].max() * factor
    for panel, (device, evidence) in zip(panels, kinds, strict=True):
        for look, part in _by_training(chosen, (chosen["device"] == device) & (chosen["energy_evidence"] == evidence)):
            for number, (_, run) in enumerate(part.sort_values("epoch").groupby("run_id", observed=True)):
                shown = look["label"] if number == 0 else f"_{look['label']}"
                thin = {**look, "label": shown, "linewidth": 0.9, "markevery": max(1, len(run) // 12)}
                face = {"markerfacecolor": "white"} if len(flagged(run)) else {}
                panel.plot(run["energy_j"] * factor, run["squared_error"], **thin, **face)
        panel.set_xscale("log")
        panel.set_xlim(low / 1.2, high * 1.2)
        log_ticks(panel.xaxis, low, high, narrow=len(kinds) > 1)
        panel.set_xlabel(f"Energy since the start, {evidence} ({unit})")
        panel.set_title(f"{device_name(device)} run" if len(kinds) > 1 else "")
    _finish_loss(figure, panels)
    bad = flagged(chosen)["run_id"].nunique()
    said = f"One line per repeat{f', open marks on {bad} flagged' if bad else ''}."
    title(figure, "Training loss against energy", f"Reference: {words}.", said)
    return figure


def _by_training(chosen: pd.DataFrame, mask: "pd.Series[bool]") -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield look and rows of each training among `mask`; a training looks the same in all panels."""
    order = chosen.drop_duplicates("training").sort_values(["batch_size", "epochs"])["training"]
    for number, name in enumerate(order):
        part = chosen[mask & (chosen["training"] == name)]
        if len(part):
            look = {
                "color": COLOURS[number % len(COLOURS)],
                "marker": MARKERS[number % len(MARKERS)],
                "markersize": 4,
                "linestyle": ("-", "--", "-.", ":")[number % 4],
                "label": f"{name}, {count_text([part['run_id'].nunique()])}",
            }
            yield look, part


def _finish_loss(figure: Figure, panels: Any) -> None:
    panels[0].set_yscale("log")
    low, high = panels[0].get_ylim()
    log_ticks(panels[0].yaxis, float(low), float(high))
    panels[0].set_ylabel("Loss per value: mean squared\nerror of normalised data")
    found = {text: h for panel in panels for h, text in zip(*panel.get_legend_handles_labels(), strict=True)}
    legend_below(figure, list(found.values()))


FIGURES = specs(
    "cost",
    {
        "cost_epochs": partial(draw_against, "epochs"),
        "cost_rows": partial(draw_against, "rows"),
        "cost_batch_size": partial(draw_against, "batch_size"),
        "loss_epochs": draw_loss_epochs,
        "loss_energy": draw_loss_energy,
        "co2e_countries": draw_countries,
        "co2e_hours": draw_hours,
    },
)
