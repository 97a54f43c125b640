"""What does it cost? Energy, CO2e and time against the axes of the grid; loss against epochs and joules."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import flagged, mean_interval
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
from baler_energy.figures.series import Row, draw_row, handles
from baler_energy.figures.style import (
    CO2E,
    COLOURS,
    MARKERS,
    count_text,
    grid,
    legend_below,
    log_ticks,
    title,
    value_ticks,
)

__all__ = ["FIGURES"]


_ROWS = (
    Row("energy_j", "Energy", "J", 1.0, True),
    Row("co2e_kg", CO2E, "g", 1000.0, True),
    Row("duration_s", "Duration", "s", 1.0, False),
)


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
        counts |= draw_row(row, line, chosen, axis)
    for panel, operation in zip(panels[0], OPERATIONS, strict=True):
        panel.set_title(operation.value)
    for panel in panels[-1]:
        panel.set_xlabel(axis_label(axis))
        value_ticks(panel, values)
    legend_below(figure, handles(chosen))
    title(
        figure,
        f"Cost per operation against {axis_label(axis).lower().removesuffix(' (rows)')}",
        f"Fixed: {describe(reference, without=axis)}.",
        *([f"Mean and 95 % t interval, {count_text(counts)}."] if counts else []),
        *excluded_text(chosen),
    )
    return figure


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
