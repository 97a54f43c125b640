"""The loss of a training against its epochs and against the energy spent."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.error_measures import ALL, COMPRESSED
from baler_energy.analysis.statistics import flagged, mean_interval
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import EVIDENCE
from baler_energy.figures.selection import at_point, centre_of, describe, device_name, scaled_unit, sweep, with_flags
from baler_energy.figures.style import (
    count_text,
    grid,
    legend_of_panels,
    log_ticks,
    numbered_look,
    subtitle,
    value_ticks,
)
from baler_energy.figures.trivial import mark_value

__all__ = ["FIGURES"]


def _trainings(tables: Tables) -> tuple[pd.DataFrame, str]:
    """Return the histories to compare, with a column ``training``, and a description of what they share.

    They are the longest training at the centre, and those with other batch sizes.
    """
    history, runs = tables["history"], tables["runs"]
    require_rows("no training recorded its loss", history, runs)
    centre = centre_of(runs)
    longest = sweep(history, "epochs", centre)
    longest = longest[longest["epochs"] == longest["epochs"].max()]
    chosen = pd.concat([longest, sweep(history, "batch_size", centre)]).drop_duplicates(["run_id", "epoch"])
    require_rows("no training at the study's centre recorded its loss", chosen)
    # The longest training with the centre's batch size includes the shorter one, epoch by epoch.
    most = chosen.groupby(["batch_size", "device"])["epochs"].transform("max")
    chosen = chosen[chosen["epochs"] == most]
    names = [f"batch size {b}, {e} epochs" for b, e in zip(chosen["batch_size"], chosen["epochs"], strict=True)]
    return chosen.assign(training=names), describe(centre, without=("batch_size", "epochs"))


def draw_loss_epochs(tables: Tables) -> Figure:
    """Draw the training loss after each epoch, a panel per device.

    Raises
    ------
    NoData
        No training at the study's centre has a history.
    """
    chosen, words = _trainings(tables)
    devices = sorted(chosen["device"].unique())
    figure, (panels,) = grid(1, len(devices), 5.0, width_in=max(7.5, 4.6 * len(devices)), sharey=True)
    for panel, device in zip(panels, devices, strict=True):
        for look, part in _by_training(chosen, chosen["device"] == device):
            means = mean_interval(part, ["epoch"], "loss_per_value")
            panel.plot(means["epoch"], means["mean"], **look, markevery=max(1, len(means) // 12))
            low = (means["mean"] - means["half_width"]).clip(lower=part["loss_per_value"].min() / 2)
            high = means["mean"] + means["half_width"]
            panel.fill_between(means["epoch"], low, high, color=look["color"], alpha=0.2, linewidth=0)
        value_ticks(panel, _round_epochs(int(chosen["epoch"].max())))
        panel.set_xlabel("Epoch")
        panel.set_title(f"{device_name(device)} run" if len(devices) > 1 else "")
    _finish_loss(figure, panels, tables)
    subtitle(figure, f"Centre: {words}.", "Mean and 95 % t interval.")
    return figure


def _round_epochs(last: int) -> list[int]:
    """Epochs with ticks: 1, 2, 5, 10, ... and the last."""
    steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    return [*(step for step in steps if step * 1.4 < last), last]


def draw_loss_energy(tables: Tables) -> Figure:
    """Draw the training loss against the energy used so far, a line per repeat, a panel per device and evidence.

    Raises
    ------
    NoData
        No training has energy by epoch.
    """
    chosen, words = _trainings(tables)
    chosen = chosen.dropna(subset=["energy_j"])
    require_rows("no training has an energy per epoch", chosen)
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
                panel.plot(run["energy_j"] * factor, run["loss_per_value"], **thin, **face)
        panel.set_xscale("log")
        panel.set_xlim(low / 1.2, high * 1.2)
        log_ticks(panel.xaxis, low, high, narrow=len(kinds) > 1)
        panel.set_xlabel(f"Energy since the start, {evidence} ({unit})")
        panel.set_title(f"{device_name(device)} run" if len(kinds) > 1 else "")
    _finish_loss(figure, panels, tables)
    bad = flagged(chosen)["run_id"].nunique()
    said = f"One line per repeat{f'; {bad} flagged (open marks)' if bad else ''}."
    subtitle(figure, f"Centre: {words}.", said)
    return figure


def _by_training(chosen: pd.DataFrame, mask: "pd.Series[bool]") -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield style and rows of each training in `mask`; a training looks the same in all panels."""
    order = chosen.drop_duplicates("training").sort_values(["batch_size", "epochs"])["training"]
    for number, name in enumerate(order):
        part = chosen[mask & (chosen["training"] == name)]
        if len(part):
            look = numbered_look(number) | {
                "markersize": 4,
                "linestyle": ("-", "--", "-.", ":")[number % 4],
                "label": f"{name}, {count_text([part['run_id'].nunique()])}",
            }
            yield look, part


def _trivial_loss(tables: Tables) -> float:
    """Loss per value of the trivial codec: mean over columns of the squared RMS error over the range."""
    errors = at_point(tables["errors"], centre_of(tables["runs"]))
    errors = errors[(errors["column"] != ALL) & (errors["on_rows"] == COMPRESSED)]
    # Normalised constant columns are 0, and so are their errors.
    return float((errors["trivial_rms_over_range"].fillna(0.0) ** 2).mean())


def _finish_loss(figure: Figure, panels: Any, tables: Tables) -> None:
    panels[0].set_yscale("log")
    limits = panels[0].get_ylim()
    for panel in panels:
        low, high = mark_value(panel, _trivial_loss(tables), upright=False, limits=limits)
    panels[0].set_ylim(low, high)
    log_ticks(panels[0].yaxis, float(low), float(high))
    panels[0].set_ylabel("Loss per value: mean squared\nerror of normalised data")
    legend_of_panels(figure, panels)


_TRIVIAL = "The dotted line is the loss of storing only the columns' means."
FIGURES = (
    FigureSpec(
        "loss_epochs",
        "Training loss against epochs",
        "Training loss after each epoch, for the longest training at the study's centre and for other batch sizes. "
        "Baler sums its loss over a batch; the loss shown is per value (mean squared error of the normalised data), so "
        "that batch sizes can be compared. Lines are means over n repeats, bands are 95 % t intervals. " + _TRIVIAL,
        draw_loss_epochs,
    ),
    FigureSpec(
        "loss_energy",
        "Training loss against energy",
        "The same trainings against the energy used since the start, one line per repeat. Measured energy is read from "
        "counters between epochs; modelled energy is read from the model between epochs, or is the run's total "
        f"divided by time. {EVIDENCE} {_TRIVIAL}",
        draw_loss_energy,
    ),
)
