"""What optimizers and batch sizes cost until the loss reaches a target: an epoch of one may cost several of another."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.savings import FIXED, SETTING
from baler_energy.analysis.statistics import interval
from baler_energy.config.parameters import AXIS_DEFAULTS

__all__ = ["FREE", "MOST_TARGETS", "costs_to_loss", "from_start", "target_losses"]

#: Parameters in which trainings that are compared may differ.
FREE = ("optimizer", "learning_rate", "batch_size")
_SHARED = [*FIXED, *(axis for axis in SETTING if axis not in FREE)]
#: Maximum number of targets.
MOST_TARGETS = 6
_STEPS = (1, 2, 5)


def target_losses(first: float, lowest: float) -> list[float]:
    """Return up to `MOST_TARGETS` round numbers (1, 2, 5 times a power of ten) from below `first` down to `lowest`."""
    if not 0 < lowest < first:
        return []
    decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(first)) + 1)
    numbers = sorted((float(f"{step}e{decade}") for decade in decades for step in _STEPS), reverse=True)
    between = [number for number in numbers if lowest <= number < first]
    places = np.linspace(0, len(between) - 1, min(len(between), MOST_TARGETS)).round().astype(int)
    return [between[place] for place in places]


def costs_to_loss(trained: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Compare optimizers and batch sizes by the time and energy at which their loss per row first is at most a target.

    Parameters
    ----------
    trained
        From `savings.with_setting`; the costs of flagged runs are null, and these do not count.
    history
        The table ``history``.

    Returns
    -------
    pandas.DataFrame
        A row per group of trainings that only differ in `FREE`, their values and target, with the parameters:
        ``peak_learning_rate``, ``target_loss``, ``time_s`` and ``energy_j`` (means over the repeats),
        ``time_half_width_s`` and ``energy_half_width_j`` (95 % t interval), ``evidence`` of the energy, ``n`` repeats,
        ``reached`` (how many of them reach the target), ``most_epochs`` (of the longest training). The costs are null
        unless every repeat reaches the target.

    Notes
    -----
    Losses here are ``loss_per_value`` of ``history``, so that batch sizes can be compared: the mean squared error of
    the scaled values. `training.stop_at_loss` is about the loss of a batch.
    At a constant rate, the longest training passes through the states of all shorter ones, so its history is used: the
    end of the first epoch whose loss is at most the target, where `training.stop_at_loss` would stop. Another schedule
    may depend on the number of epochs, so every training counts with its last loss and its whole cost.
    Costs include what precedes the first epoch (scaling, the start's parameters): energies by epoch count from the
    start of the training, and times get the whole training's time without its epochs. The targets are round numbers
    from the lowest loss after the first epoch, in the group where that is largest, to the lowest loss of all: groups
    with a better start begin below the targets that distinguish the others.
    """
    keys = [*_SHARED, *FREE, "repeat", "run_id"]
    known = trained.dropna(subset=["training_s"])
    about = known[[*keys, "epochs", "training_s", "training_j", "energy_evidence", "peak_learning_rate"]]
    epochs = history[["run_id", "epoch", "loss_per_value", "elapsed_s", "energy_j"]]
    joined = epochs.rename(columns={"loss_per_value": "loss"}).dropna(subset=["loss"]).merge(about, on="run_id")
    joined = joined.assign(elapsed_s=from_start(joined))
    found = []
    for _, part in joined.groupby(list(FIXED), dropna=False, observed=True):
        alike = [one for _, one in part.groupby(_SHARED, dropna=False, observed=True) if _several(one)]
        if alike:
            targets = _targets(alike)
            found += [row for one in alike for row in _rows(one, targets)]
    return pd.DataFrame(found)


def from_start(epochs: pd.DataFrame) -> "pd.Series[float]":
    """Return times (s) at the epochs' ends since the start of the training, which also computes before its epochs.

    A training is as long as the median iteration of its window, and its epochs are those of the last one.

    Parameters
    ----------
    epochs
        Rows of the table ``history`` with ``training_s`` of their run.
    """
    before_s = epochs["training_s"] - epochs.groupby("run_id")["elapsed_s"].transform("max")
    return epochs["elapsed_s"] + before_s.clip(lower=0)


def _several(curves: pd.DataFrame) -> bool:
    """Whether there are several optimizers or batch sizes; one optimizer at several rates is a search of its rate."""
    return len(curves[["optimizer", "batch_size"]].drop_duplicates()) > 1


def _targets(groups: Sequence[pd.DataFrame]) -> list[float]:
    first = max(float(one.loc[one["epoch"] == 1, "loss"].min()) for one in groups)
    last = pd.concat(groups).groupby([*FREE, "repeat"], dropna=False)["loss"].min()
    return target_losses(first, float(last.groupby(level=list(FREE), dropna=False).max().min()))


def _rows(curves: pd.DataFrame, targets: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Rows of one group of trainings."""
    for _, mine in curves.groupby(list(FREE), dropna=False, sort=False):
        evidences = mine["energy_evidence"].dropna().unique()
        first = mine.iloc[0]
        row = {name: first[name] for name in (*_SHARED, *FREE, "peak_learning_rate")}
        row |= {"most_epochs": int(mine["epochs"].max()), "evidence": evidences[0] if len(evidences) == 1 else None}
        states = [_states(run) for _, run in mine.groupby("repeat")]
        for target in targets:
            costs = [cost for one in states if (cost := _first(one, target)) is not None]
            yield (
                row
                | {"target_loss": target, "n": len(states), "reached": len(costs)}
                | _means(costs if len(costs) == len(states) else [], known=row["evidence"] is not None)
            )


def _states(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the states of one repeat's trainings at which it could have stopped: their loss, time and energy."""
    if runs["schedule"].iloc[0] == AXIS_DEFAULTS["schedule"]:
        longest: pd.DataFrame = runs.loc[runs["epochs"] == runs["epochs"].max(), ["loss", "elapsed_s", "energy_j"]]
        return longest
    last = runs.sort_values("epoch").drop_duplicates("run_id", keep="last")
    whole = {"elapsed_s": last["training_s"], "energy_j": last["training_j"]}
    return pd.DataFrame({"loss": last["loss"], **whole})


def _first(states: pd.DataFrame, target: float) -> tuple[float, float] | None:
    """Return time (s) and energy (J) of the quickest state whose loss is at most the target."""
    reached = states[(states["loss"] <= target) & states["elapsed_s"].notna()]
    if reached.empty:
        return None
    elapsed_s, energy_j = reached.sort_values("elapsed_s")[["elapsed_s", "energy_j"]].to_numpy("float64")[0]
    return float(elapsed_s), float(energy_j)


def _means(costs: Sequence[tuple[float, float]], *, known: bool) -> dict[str, float]:
    seconds, joules = (np.array([cost[place] for cost in costs], dtype=float) for place in (0, 1))
    time_s, time_half_width_s, _ = interval(seconds)
    energy_j, energy_half_width_j, _ = interval(joules if known else np.full(len(joules), math.nan))
    means = {"time_s": time_s, "time_half_width_s": time_half_width_s}
    return means | {"energy_j": energy_j, "energy_half_width_j": energy_half_width_j}
