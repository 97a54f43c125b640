"""The meter protocol, and the plain values that meters return."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = [
    "SAMPLE_UNITS",
    "Channel",
    "Meter",
    "Sample",
    "absent_reason",
    "channels_of",
    "null_energies",
    "prepare",
    "unreadable",
]

#: The quantities of a time series and their units. `clock` is the clock of the cores (on a GPU, of the SMs).
#: `throttle_reasons` is NVML's bit mask of why a GPU's clocks are lowered (0: they are not); `throttling.reason_words`
#: translates it. A quantity that a device does not offer has no samples.
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
    """What a meter can read, or cannot read, for one component of this machine."""

    component: str
    """Name from the vocabulary (``package-0``, ``cpu``, ``gpu-0``, ``process``)."""
    evidence: Evidence | None
    """How its values are obtained; None: it is absent."""
    detail: str
    """How it is read, or why it is absent."""
    remedy: str | None = None
    """The command or step that would enable it."""
    energy: bool = True
    """Whether it reports energy (the channels of `process` and `sampler` do not)."""
    source: MeterName | None = None
    """The meter of ours that reads the same counters with more checks: where it has no energy, this one is not believed
    either."""


@dataclass(frozen=True)
class Sample:
    """One point of a time series."""

    time_s: float
    """Time by `time.monotonic`."""
    component: str
    quantity: str
    """A key of `SAMPLE_UNITS`."""
    value: float
    evidence: Evidence = Evidence.MEASURED


class Meter(Protocol):
    """A source of readings over a window.

    Meters inherit from this class explicitly. The order of calls is `open`, any number of windows (the idle baseline
    is one), and `close`; each window is `begin`, `end`, `readings`. A value that cannot be read is a null reading with
    the reason. If a method raises, the session records the error for all channels of the meter, and the run continues.
    """

    name: MeterName
    sampled: bool = False
    """Whether its constructor takes ``sample_interval_s``."""
    counts: bool = False
    """Whether `energies_j` reads hardware counters, which have ticks."""
    edge: int = 0
    """Order at the window's edges: the lowest begins first and ends last. The highest, which read counters quickly, are
    closest to the operation."""
    rare: bool = False
    """Whether few machines have the hardware, so that its absence need not be listed separately."""
    imports: tuple[str, ...] = ()
    """Packages that it imports slowly, so that a process that forks jobs imports them once."""

    @classmethod
    def detect(cls) -> None:
        """Detect hardware once, for all processes that are forked from this one; must leave nothing open."""
        return

    def channels(self) -> Sequence[Channel]:
        """Report what can and cannot be read on this machine; works without `open`, in well under a second."""
        ...

    def open(self) -> None:
        """Do the slow setup, outside the window."""
        return

    def prepare(self) -> None:
        """Start slow parts of `open` in the background; optional, and `open` need not follow."""
        return

    def begin(self) -> None:
        """Start a window."""
        ...

    def energies_j(self) -> dict[str, float]:
        """Read the energy (J) per component since `begin`; {} if that is too slow for the end of an epoch."""
        return {}

    def end(self) -> None:
        """End the window; must be fast."""
        ...

    def readings(self) -> list[Reading]:
        """Return the readings of the last window; may briefly wait for a slow sensor."""
        ...

    def flags(self) -> set[Flag]:
        """Report what was wrong in the last window."""
        return set()

    def samples(self) -> list[Sample]:
        """Return the time series around the last window (empty: the meter records none)."""
        return []

    def close(self) -> None:
        """Release everything; may be called twice or without `open`."""
        return


def prepare(meters: Iterable[Meter]) -> None:
    """Start slow parts of opening meters in the background; what fails here is reported when they open."""
    for meter in meters:
        with suppress(Exception):
            meter.prepare()


def channels_of(meter: Meter) -> Sequence[Channel]:
    """Return what a meter can read; if it fails to answer, one absent channel with the error as the reason."""
    try:
        return meter.channels()
    except Exception as error:
        reason = f"{meter.name} could not list what it reads: {str(error) or type(error).__name__}"
        return (Channel("machine", None, reason),)


def absent_reason(meter: Meter) -> str | None:
    """Return why `meter` cannot read anything on this machine, or None if it can."""
    return unreadable(channels_of(meter))


def unreadable(channels: Sequence[Channel]) -> str | None:
    """Return why none of the channels can be read, or None if one can."""
    if any(channel.evidence for channel in channels):
        return None
    return "; ".join(dict.fromkeys(channel.detail for channel in channels)) or "it has nothing to read here"


def null_energies(name: MeterName, channels: Sequence[Channel], reason: str, *, failed: bool) -> list[Reading]:
    """Make null energy readings for a meter that failed or is absent, one per channel that reports energy."""
    return [
        Reading.of(name, one.component, Quantity.ENERGY, None, one.evidence or Evidence.MEASURED, reason, failed=failed)
        for one in channels
        if one.energy
    ]
