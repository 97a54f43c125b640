"""What a meter is: the protocol, and the plain values that meters hand over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = ["SAMPLE_UNITS", "Channel", "Meter", "Sample", "absent_reason", "null_energies"]

#: The quantities of a time series and their units. `clock` is that of the cores (of a GPU: its SMs), `throttle_reasons`
#: NVML's bit mask of why a GPU's clocks are lowered (0: they are not), in words by `throttling.reason_words`. What a
#: device does not offer has no sample.
SAMPLE_UNITS = {
    "power": "W",
    "utilisation": "1",
    "temperature": "degC",
    "memory": "B",
    "clock": "Hz",
    "memory_clock": "Hz",
    "throttle_reasons": "1",
}


@dataclass(frozen=True)
class Channel:
    """What a meter can, or cannot, read of one component on this machine."""

    component: str
    """A word of the vocabulary (``package-0``, ``cpu``, ``gpu-0``, ``process``)."""
    evidence: Evidence | None
    """How its values come about; None: it is absent."""
    detail: str
    """How it is read, or the reason of its absence."""
    remedy: str | None = None
    """The command or step that would enable it."""
    energy: bool = True
    """Whether it gives energy (the process's and the sampler's channels do not)."""


@dataclass(frozen=True)
class Sample:
    """One point of a time series."""

    time_s: float
    """Reading of `time.monotonic`."""
    component: str
    quantity: str
    """A key of `SAMPLE_UNITS`."""
    value: float
    evidence: Evidence = Evidence.MEASURED


class Meter(Protocol):
    """A source of readings over a window.

    Meters inherit from this class explicitly. The order of calls is `open`, then any number of windows (the idle
    baseline is one), each `begin`, `end`, `readings`, then `close`. A value that cannot be read is a reading of None
    with its reason; where a method raises, the session records that for all of the meter's channels, and the measured
    run goes on.
    """

    name: MeterName
    sampled: bool = False
    """Whether it is made with an interval, ``sample_interval_s``."""
    counts: bool = False
    """Whether `energies_j` reads hardware counters, which tick."""
    edge: int = 0
    """Place among the meters at the window's edges: the lowest begins first and ends last, and the highest, which read
    counters quickly, are next to the operation."""
    rare: bool = False
    """Whether few machines have what it reads, so that its absence is worth no line of its own."""

    def channels(self) -> Sequence[Channel]:
        """Say what can be read on this machine and what not; needs no `open` and takes well below a second."""
        ...

    def open(self) -> None:
        """Get ready: slow construction and the first start, outside the window."""
        return

    def prepare(self) -> None:
        """Begin in the background what would make `open` slow; needless, and `open` need not follow."""
        return

    def begin(self) -> None:
        """Start a window."""
        ...

    def energies_j(self) -> dict[str, float]:
        """Read the cumulative energy per component since `begin`; cheap enough for an epoch's edge ({}: it is not)."""
        return {}

    def end(self) -> None:
        """End the window: do what must be done at its edge, and nothing slow."""
        ...

    def readings(self) -> list[Reading]:
        """Give the readings of the window that ended last; may wait a moment for a slow sensor."""
        ...

    def flags(self) -> set[Flag]:
        """Say what was wrong in the window that ended last."""
        return set()

    def samples(self) -> list[Sample]:
        """Give the time series around the window that ended last (empty: the meter takes none)."""
        return []

    def close(self) -> None:
        """Release everything; may be called twice, and without `open`."""
        return


def absent_reason(meter: Meter) -> str | None:
    """Give the reason why `meter` can read nothing on this machine, or None where it can read something."""
    channels = meter.channels()
    if any(channel.evidence for channel in channels):
        return None
    return "; ".join(dict.fromkeys(channel.detail for channel in channels)) or "it has nothing to read here"


def null_energies(meter: Meter, reason: str) -> list[Reading]:
    """Make the null energy readings of a meter that failed or is absent, one for each channel that gives energy."""
    return [
        Reading.of(meter.name, channel.component, Quantity.ENERGY, None, channel.evidence or Evidence.MEASURED, reason)
        for channel in meter.channels()
        if channel.energy
    ]
