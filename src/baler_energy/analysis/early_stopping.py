"""What Baler's own training would have cost if it had stopped when it gained too little, and the loss that it had then.

The rule is that of `training.stop_at_gain`, applied to what was recorded of complete trainings.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from baler_energy.analysis.gain import gained_too_little
from baler_energy.analysis.savings import DEFAULT, SETTING, Factor, comparisons, default_of, flat_factors
from baler_energy.analysis.target_loss import from_start
from baler_energy.vocabulary import Evidence

__all__ = ["GAIN", "PART", "stopped_trainings"]

#: Stop when the last tenth of the cost lowered the loss by less than this fraction of it.
GAIN = 0.01
#: The ``part`` of these rows in the table of `savings.savings`.
PART = "stopped"


@dataclass(frozen=True)
class _Stop:
    """Where a training would have stopped, with its costs and loss there, as fractions of those at its end."""

    epoch: int
    time: float
    energy: float
    loss: float


def stopped_trainings(trained: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Compare Baler's own training with the same one, stopped early.

    Parameters
    ----------
    trained
        From `savings.with_setting`; the costs of flagged runs are null, and these do not count.
    history
        The table ``history``.

    Returns
    -------
    pandas.DataFrame
        A row per comparison, like those of `savings.savings`, of ``part`` `PART`: the factors in time and energy are
        not at the same error, but at ``loss_ratio`` times the loss, after ``stopped_epoch`` epochs (means over the
        repeats). Both have no value in other rows.

    Notes
    -----
    The cost of which the last tenth has to pay is the energy if it is measured, and otherwise the time.
    """
    return pd.DataFrame([row for shared, part in comparisons(trained) for row in _rows(shared, part, history)])


def _rows(shared: dict[str, Any], part: pd.DataFrame, history: pd.DataFrame) -> Iterator[dict[str, Any]]:
    base, about = default_of(shared, part)
    base = base.dropna(subset=["training_s"])
    runs = base[["run_id", "repeat", "training_s"]]
    epochs = history.drop(columns="repeat").merge(runs, on="run_id")
    epochs = epochs.assign(elapsed_s=from_start(epochs)).dropna(subset=["elapsed_s", "loss"]).sort_values("epoch")
    stops = {repeat: _stop(mine) for repeat, mine in epochs.groupby("repeat")}
    if not stops:
        return
    known = {repeat: 1 / stop.energy for repeat, stop in stops.items() if not math.isnan(stop.energy)}
    unknown = Factor({}, reason="it has another error")
    factors = {
        "time": Factor({repeat: 1 / stop.time for repeat, stop in stops.items()}),
        "energy": Factor(known, reason=None if known else "its energy by epoch is unknown"),
        "held_out_time": unknown,
        "held_out_energy": unknown,
    }
    found = list(stops.values())
    label: dict[str, Any] = {"setting": f"{DEFAULT}, stopped at a gain below {100 * GAIN:g} %", "part": PART}
    label |= {"stopped_epoch": sum(stop.epoch for stop in found) / len(found)}
    label |= {"loss_ratio": math.exp(sum(math.log(stop.loss) for stop in found) / len(found))}
    yield about | {axis: base[axis].iloc[0] for axis in SETTING} | label | flat_factors(factors)


def _stop(epochs: pd.DataFrame) -> _Stop:
    """Apply the rule to the epochs of one training; without a stop it ends with its last epoch."""
    times_s, energies_j, losses = (epochs[name].tolist() for name in ("elapsed_s", "energy_j", "loss"))
    measured = (epochs["energy_evidence"] == Evidence.MEASURED).all() and epochs["energy_j"].notna().all()
    costs = energies_j if measured else times_s
    numbers = range(1, len(costs) + 1)
    count = next((n for n in numbers if gained_too_little(costs[:n], losses[:n], GAIN)), len(costs))
    parts = (values[count - 1] / values[-1] for values in (times_s, energies_j, losses))
    return _Stop(int(epochs["epoch"].iloc[count - 1]), *parts)
