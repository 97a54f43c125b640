"""Base class of meters whose sensors report power, not energy: sampling, integration over the window, faults."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.integration import gap_bound_j, window_energy_j
from baler_energy.meters.poller import Poller
from baler_energy.records import Reading
from baler_energy.vocabulary import MACHINE_LIMIT_W, Flag, Quantity

__all__ = ["PowerSensorMeter", "absent", "believed_w"]

#: How long (s) to wait for the first sample after the end of a window.
_PATIENCE_S = 15.0


class PowerSensorMeter(Meter):
    """A meter whose power sensors are read by a thread at intervals.

    The energy is the power integrated over the window, from the last sample before it to the first one after it. If a
    sensor fails or returns an invalid value during the window, its energy is null.

    Parameters
    ----------
    interval_s
        Time between reads (s).
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._sources: Mapping[str, Callable[[], float]] = {}
        self._details: dict[str, str] = {}
        self._sums: dict[str, tuple[str, ...]] = {}
        self._poller: Poller | None = None
        self._sampled = threading.Condition()
        self._begin_s = self._end_s = 0.0
        self._series: list[Sample] = []
        self._last_s = 0.0
        self._faults: dict[str, str] = {}

    @abstractmethod
    def sources(self) -> Mapping[str, Callable[[], float]]:
        """Return, for each component, a function that reads its power (W) and may raise OSError or ValueError."""

    def sums(self) -> dict[str, tuple[str, ...]]:
        """Return the parts of each sum, by component ({}: no sums)."""
        return {}

    def open(self) -> None:
        """Start sampling and wait for the first sample."""
        self._sources, self._sums = self.sources(), self.sums()
        self._details = {channel.component: channel.detail for channel in self.channels() if channel.evidence}
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()
        self._wait_for(time.monotonic())

    def begin(self) -> None:
        """Start a window; clear earlier faults."""
        with self._sampled:
            self._begin_s = time.monotonic()
            self._faults.clear()
            # The integral needs one sample before the window; a few more are kept for plots.
            kept = [sample for sample in self._series if sample.time_s > self._begin_s - max(1.0, 3 * self._interval_s)]
            self._series = kept or self._series[-len(self._sources) :]

    def end(self) -> None:
        """End the window."""
        self._end_s = time.monotonic()

    def readings(self) -> list[Reading]:
        """Wait for the first sample after the window; return energies and maximum powers."""
        self._wait_for(self._end_s)
        with self._sampled:
            series, faults = list(self._series), dict(self._faults)
        energies = {name: self._energy(name, series, faults) for name in self._sources}
        readings = [reading for pair in energies.values() for reading in pair]
        for total, parts in self._sums.items():
            readings.append(self._sum(total, [energies[part][0] for part in parts]))
        return readings

    def flags(self) -> set[Flag]:
        """Report whether a sensor failed."""
        return {Flag.COUNTER_FAULT} if self._faults else set()

    def samples(self) -> list[Sample]:
        """Return the power of each sensor over time."""
        with self._sampled:
            return list(self._series)

    def close(self) -> None:
        """Stop sampling."""
        if self._poller is not None:
            self._poller.stop()
            self._poller = None

    def _energy(self, name: str, series: Sequence[Sample], faults: Mapping[str, str]) -> list[Reading]:
        mine = [sample for sample in series if sample.component == name]
        times_s, powers_w = [sample.time_s for sample in mine], [sample.value for sample in mine]
        window, detail = (self._begin_s, self._end_s), self._details.get(name)
        try:
            if name in faults:
                raise ValueError(faults[name])
            energy_j = window_energy_j(times_s, powers_w, *window)
            bound_j = gap_bound_j(times_s, powers_w, *window)
        except ValueError as error:
            self._faults.setdefault(name, str(error))
            reason = f"{name}: {error}"
            return [Reading.of(self.name, name, Quantity.ENERGY, None, reason=reason, detail=detail, failed=True)]
        inside = [sample.value for sample in mine if window[0] <= sample.time_s <= window[1]]
        energy = Reading.of(self.name, name, Quantity.ENERGY, energy_j, bound=bound_j, detail=detail)
        return [energy, *([Reading.of(self.name, name, Quantity.POWER_MAX, max(inside))] if inside else [])]

    def _sum(self, total: str, parts: Sequence[Reading]) -> Reading:
        lost = [part.reason for part in parts if part.value is None]
        values = [part.value for part in parts if part.value is not None]
        bound_j = sum(part.bound or 0.0 for part in parts)
        return Reading.of(
            self.name,
            total,
            Quantity.ENERGY,
            None if lost else sum(values),
            reason="; ".join(reason for reason in lost if reason) or None,
            bound=None if lost else bound_j,
            detail=f"sum of {' + '.join(part.component for part in parts)}",
            failed=bool(lost),
        )

    def _poll(self) -> None:
        samples, faults = [], {}
        for name, read in self._sources.items():
            try:
                before_s, power_w = time.monotonic(), believed_w(name, read())
                # A slow sensor takes its reading at an unknown time during the call.
                samples.append(Sample((before_s + time.monotonic()) / 2, name, "power", power_w))
            except (OSError, ValueError) as error:
                faults[name] = f"its sensor could not be read: {error}"
        with self._sampled:
            self._series += samples
            self._faults = faults | self._faults
            self._last_s = time.monotonic() if not samples else min(sample.time_s for sample in samples)
            self._sampled.notify_all()

    def _wait_for(self, time_s: float) -> None:
        """Wait until every sensor has been read after `time_s`, up to `_PATIENCE_S`."""
        with self._sampled:
            self._sampled.wait_for(lambda: self._last_s >= time_s, timeout=_PATIENCE_S)


def believed_w(component: str, power_w: float) -> float:
    """Return a sensor's power (W) if the component can draw it.

    Raises
    ------
    ValueError
        It is negative, infinite, more than any machine draws, or 0. Only a rail of the board may be switched off.
    """
    least_w = 0.0 if component.startswith("rail-") else 1e-6
    if not least_w <= power_w <= MACHINE_LIMIT_W:
        raise ValueError(f"its sensor returned {power_w:g} W")
    return power_w


def absent(component: str, detail: str, remedy: str | None = None) -> tuple[Channel, ...]:
    """Make the channels of a meter that cannot read anything on this machine."""
    return (Channel(component, None, detail, remedy),)
