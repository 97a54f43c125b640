"""Early stopping: a training ends when its last tenth of the energy bought too little."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from baler_energy.analysis.gain import gained_too_little
from baler_energy.analysis.totals import primary_readings
from baler_energy.meters.base import Meter, channels_of
from baler_energy.records import Reading
from baler_energy.stages.history import ENERGY, History
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["StopAtGain", "evidence_of"]


class StopAtGain:
    """Adds epochs to a history, and decides at which one the training stops.

    A training that is repeated in its window must do the same work each time, so the first iteration decides for all.

    Parameters
    ----------
    gain
        As for `gained_too_little`; None: never stop.
    history
        History of the training.
    evidence
        Evidence of each energy of the history, keyed "<meter>/<component>".
    uses_gpu
        Whether the energy of the GPU counts.
    """

    def __init__(self, gain: float | None, history: History, evidence: Mapping[str, Evidence], uses_gpu: bool) -> None:
        self._gain, self._history, self._evidence, self._uses_gpu = gain, history, evidence, uses_gpu
        self._iterations = 0
        self._epoch: int | None = None
        self._basis: str | None = None

    def restart(self) -> None:
        """Start an iteration."""
        self._iterations += 1
        self._history.restart()

    def add(self, epoch: Any) -> bool:
        """Add an epoch to the history; return whether the training ends with it."""
        self._history.add(epoch)
        if self._gain is not None and self._iterations == 1:
            rows = self._history.rows
            counters = self._counters()
            costs = [sum(row[f"{ENERGY}{name}"] for name in counters) for row in rows] if counters else _times_s(rows)
            if gained_too_little(costs, [row["loss"] for row in rows], self._gain):
                self._epoch, self._basis = epoch.epoch, "+".join(counters) or "time"
        return bool(epoch.epoch == self._epoch)

    def facts(self) -> dict[str, str | int | None]:
        """Give the record's entries: the epoch at which this stopped the training, and the energies it went by."""
        return {"stopped_at_gain_epoch": self._epoch, "stopped_at_gain_by": self._basis}

    def _counters(self) -> list[str]:
        """List the measured energies of the primary meters; a meter that failed in any epoch has none in the last."""
        readings = []
        for name, evidence in self._evidence.items():
            if (energy_j := self._history.rows[-1].get(f"{ENERGY}{name}")) is not None:
                meter, component = name.split("/")
                readings.append(Reading.of(MeterName(meter), component, Quantity.ENERGY, energy_j, evidence))
        primary = primary_readings(readings, Quantity.ENERGY, uses_gpu=self._uses_gpu).values()
        return [f"{one.meter}/{one.component}" for one in primary if one.evidence is Evidence.MEASURED]


def evidence_of(meters: Iterable[Meter]) -> dict[str, Evidence]:
    """Return the evidence of each energy that meters read, keyed "<meter>/<component>"."""
    return {
        f"{meter.name}/{channel.component}": channel.evidence
        for meter in meters
        for channel in channels_of(meter)
        if channel.energy and channel.evidence
    }


def _times_s(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    total_s, times_s = 0.0, []
    for row in rows:
        total_s += row["duration_s"]
        times_s.append(total_s)
    return times_s
