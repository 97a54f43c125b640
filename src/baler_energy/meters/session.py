"""The measured window: only the operation, for long enough, with an idle baseline and the load from other processes."""

import gc
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from baler_energy.meters.base import SAMPLE_UNITS, Channel, Meter, null_energies, unreadable
from baler_energy.meters.contamination import CpuTimes, contamination
from baler_energy.meters.derived import derived_flags, derived_readings
from baler_energy.meters.idle import IdleCache, baseline_key, idle_readings
from baler_energy.meters.iterations import Iterations, iteration_times
from baler_energy.meters.lock import MachineLock
from baler_energy.meters.plausible import believed
from baler_energy.meters.segments import Segment, energies_so_far
from baler_energy.meters.settings import SessionSettings
from baler_energy.progress import announce
from baler_energy.provenance import simulated
from baler_energy.records import Contamination, Idle, IterationTimes, Measurement, Reading, Window
from baler_energy.vocabulary import Evidence, Flag, MeterName

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Outcome", "Session", "SessionSettings"]

T = TypeVar("T")

#: Columns of the time series and their types.
_SERIES = {
    "time_s": "float64",
    "meter": "str",
    "component": "str",
    "quantity": "str",
    "value": "float64",
    "unit": "str",
    "evidence": "str",
}


def _no_device() -> None:
    """Do nothing: without an accelerator, an operation is complete when it returns."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """Result of a measured window; readings cover the whole window, that is, all iterations."""

    result: T
    """Return value of the last iteration."""
    iterations: int
    window: Window
    readings: tuple[Reading, ...]
    idle: Idle | None
    contamination: Contamination
    flags: tuple[Flag, ...]
    samples: "pd.DataFrame"
    """Time series in long format: time_s (s since the window's start; it includes a little before and after the
    window), meter, component, quantity (a key of `SAMPLE_UNITS`, or from `Iterations.rows`), value, unit, evidence."""
    iteration_times: IterationTimes | None = None
    """None if the window was interrupted."""

    def record(self, **own: Any) -> Measurement:
        """Make the operation's record; `own` has what the session does not know, and replaces what it does."""
        known = {name: getattr(self, name) for name in Measurement.model_fields if hasattr(self, name)}
        return Measurement(**(known | own))


@dataclass(frozen=True)
class _Opening:
    """State at the start of the current window."""

    start: datetime
    start_s: float
    before: CpuTimes
    idle: Idle | None


class Session:
    """Measures operations with the given meters, one measurement at a time per machine.

    It holds the machine-wide lock from `open` (or the first `run`) to `close`::

        with Session(meters, settings) as session:
            outcome = session.run(lambda: compress(table))
            write(outcome)

    Parameters
    ----------
    meters
        The meters; an absent or failing meter gives null readings with the reason.
    settings
        Lengths of the window and the idle baseline, and the folder of shared baselines.
    synchronise
        Waits until the accelerator has finished its queue; called at both edges of the window. The idle baseline is
        taken after its first call, so that it includes the accelerator's context. May be set between windows.
    """

    def __init__(
        self,
        meters: Sequence[Meter],
        settings: SessionSettings,
        *,
        synchronise: Callable[[], None] = _no_device,
    ) -> None:
        self.settings = settings
        self._meters = tuple(meters)
        self.synchronise = synchronise
        #: Taken by `open`, unless it is held already.
        self.lock = MachineLock(settings.lock)
        self._opened = False
        self._unopened: dict[MeterName, str] = {}
        self._absent: dict[MeterName, str] = {}
        self._faults: dict[MeterName, str] = {}
        self._live: list[Meter] = []
        self._channels: dict[MeterName, Sequence[Channel]] = {}
        self._opening: _Opening | None = None
        self._baseline: Idle | None = None

    def open(self) -> None:
        """Take the lock and open the meters; does nothing if the session is open."""
        if self._opened:
            return
        self.lock.acquire()
        self._opened = True
        for meter in self._meters:
            try:
                channels = self._channels[meter.name] = meter.channels()
                if reason := unreadable(channels):
                    self._absent[meter.name] = reason
                else:
                    meter.open()
                    self._live.append(meter)
                    with suppress(Exception):  # some meters only know it when they are open
                        self._channels[meter.name] = meter.channels()
            except Exception as error:
                self._unopened[meter.name] = _reason(meter, "could not be opened", error)
                self._close(meter)

    def close(self) -> None:
        """Close the meters and release the lock."""
        for meter in self._live:
            self._close(meter)
        self._live.clear()
        self._unopened.clear()
        self._absent.clear()
        self._channels.clear()
        self.lock.release()
        self._baseline = None
        self._opened = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(
        self,
        operation: Callable[[], T],
        *,
        warm_up: Callable[[], object] | None = None,
        once: bool = False,
        baseline: bool = True,
    ) -> Outcome[T]:
        """Measure `operation`, repeated until the window is long enough.

        Parameters
        ----------
        operation
            Does the same work at each call; an exception ends the window and propagates.
        warm_up
            Called once before the window (the operation itself, or a small part of it).
        once
            Run the operation only once, however short; the record is flagged if the window is too short.
        baseline
            Take an idle baseline, once for all windows of the session; without it there is no dynamic energy.

        Returns
        -------
        Outcome
            The last iteration's result and the readings of the whole window.
        """
        self.open()
        self.synchronise()
        if baseline and self._baseline is None:
            self._baseline = self._idle()
        idle = self._baseline if baseline else None
        if warm_up is not None:
            warm_up()
        gc.collect()
        self.synchronise()
        return self._window(operation, idle, once=once)

    def energies_j(self) -> dict[str, float]:
        """Read the energies (J) since the window opened, keyed "<meter>/<component>"; {} if no meter can do that."""
        return self._energies_j(self._working())

    def _counted_j(self) -> dict[str, float]:
        """Read the energies (J) of the meters with hardware counters."""
        return self._energies_j([meter for meter in self._working() if meter.counts])

    def _energies_j(self, meters: Sequence[Meter]) -> dict[str, float]:
        energies: dict[str, float] = {}
        for meter in meters:
            read = self._ask(meter, "could not be read during the window", meter.energies_j) or {}
            energies |= {f"{meter.name}/{name}": value for name, value in read.items()}
        return energies

    def so_far(self) -> Segment:
        """Return what has been measured since the window opened, for a run that saves its state."""
        assert self._opening is not None, "there is no window"
        energies = list[Reading]()
        for meter in self._working():
            read = partial(energies_so_far, meter, self._channels[meter.name])
            energies += self._ask(meter, "could not be read during the window", read) or []
        now, duration_s = CpuTimes.now(), time.monotonic() - self._opening.start_s
        return Segment(
            start=self._opening.start,
            duration_s=duration_s,
            energies=tuple(believed(energies, duration_s, self._channels)),
            idle=self._opening.idle,
            contamination=self._contamination(self._opening.before, now),
            hostname=platform.node(),
            flags=tuple(sorted(self._raised() - {Flag.COUNTER_FAULT})),
        )

    def _window(self, operation: Callable[[], T], idle: Idle | None, *, once: bool) -> Outcome[T]:
        before = CpuTimes.now()
        begun = self._begin()
        try:
            start = datetime.now(UTC)
            start_s = time.monotonic()
            self._opening = _Opening(start, start_s, before, idle)
            iterations = Iterations(self._counted_j, start_s)
            result = self._repeat(operation, iterations, once=once)
            duration_s = time.monotonic() - start_s
        finally:
            self._end(begun)
        after = CpuTimes.now()
        readings = self._readings(begun, duration_s)

        other = self._contamination(before, after)
        return Outcome(
            result=result,
            iterations=len(iterations),
            iteration_times=iteration_times(iterations.durations_s),
            window=Window(start=start, duration_s=duration_s),
            readings=(*readings, *derived_readings(readings, idle, duration_s)),
            idle=idle,
            contamination=other,
            flags=self._flags(readings, other, duration_s),
            samples=self._samples(start_s, iterations, readings),
        )

    def _contamination(self, before: CpuTimes, after: CpuTimes) -> Contamination:
        return contamination(before, after, os.cpu_count() or 1, self.settings.contamination_limit)

    def _repeat(self, operation: Callable[[], T], iterations: Iterations, *, once: bool) -> T:
        """Run the operation until the window is long enough; return its last result."""
        while True:
            result = operation()
            self.synchronise()
            if iterations.ended() >= self.settings.min_window_s or once:
                return result

    def _begin(self) -> list[Meter]:
        self._faults.clear()
        begun = []
        for meter in sorted(self._live, key=lambda meter: meter.edge):
            try:
                meter.begin()
                begun.append(meter)
            except Exception as error:
                self._fault(meter, "could not be started", error)
        return begun

    def _end(self, begun: list[Meter]) -> None:
        """End the window of the meters that have begun, in reverse order."""
        for meter in reversed(begun):
            try:
                meter.end()
            except Exception as error:
                self._fault(meter, "could not be read at the end of the window", error)

    def _readings(self, begun: list[Meter], duration_s: float) -> list[Reading]:
        """Collect the readings of the last window; meters that never began or failed give null readings."""
        readings: list[Reading] = []
        # Meters closest to the operation first, so that they do not wait for a slow sensor of another meter.
        for meter in reversed(begun):
            if meter.name not in self._faults:
                readings += self._ask(meter, "could not be read after the window", meter.readings) or []
        failed = self._unopened | self._faults
        for name, reason in (self._absent | failed).items():
            channels = self._channels.get(name, (Channel("machine", None, reason),))
            readings += null_energies(name, channels, reason, failed=name in failed)
        return believed(readings, duration_s, self._channels)

    def _idle(self) -> Idle | None:
        if self.settings.idle_s <= 0:
            return None
        cache = None
        if self.settings.idle_cache is not None and self.settings.idle_lifetime_s > 0:
            key = baseline_key(self._meters, accelerator=self.synchronise is not _no_device)
            cache = IdleCache(self.settings.idle_cache, key)
            if shared := cache.load(self.settings.idle_lifetime_s, self.settings.idle_s):
                return shared
        announce(f"Measuring idle power for {self.settings.idle_s:g} s before the operation starts (--idle-s).")
        gc.collect()
        before = CpuTimes.now()
        begun = self._begin()
        start = datetime.now(UTC)
        start_s = time.monotonic()
        time.sleep(self.settings.idle_s)
        duration_s = time.monotonic() - start_s
        self._end(begun)
        after = CpuTimes.now()
        energies = self._readings(begun, duration_s)
        readings = idle_readings(energies, duration_s)
        other = self._contamination(before, after)
        idle = Idle(start=start, duration_s=duration_s, shared=False, readings=readings)
        busy = other.exceeded
        measured = any(reading.evidence is Evidence.MEASURED and reading.value is not None for reading in readings)
        if busy and measured:
            announce(
                f"The idle baseline is not idle: other processes used {other.fraction:.0%} of the CPUs. "
                "Dynamic energies of this run are too low; stop the other processes and run it again."
            )
        # Other jobs must not reuse a disturbed or failed baseline. A modelled one is harmless: no result uses it.
        failed = self._faults or any(reading.failed for reading in energies)
        if cache is not None and not failed and not (busy and measured):
            cache.store(idle)
        return idle

    def _flags(self, readings: Sequence[Reading], other: Contamination, duration_s: float) -> tuple[Flag, ...]:
        flags = self._raised()
        failed = [channel for name in self._faults | self._unopened for channel in self._channels.get(name, ())]
        if any(channel.energy for channel in failed) or any(reading.failed for reading in readings):
            flags.add(Flag.COUNTER_FAULT)
        flags |= derived_flags(readings, other, long_enough=duration_s >= self.settings.min_window_s)
        return tuple(sorted(flags))

    def _raised(self) -> set[Flag]:
        """Return the flags that the meters raise, and whether the counters that all of them read are simulated."""
        flags = {Flag.SIMULATED} if simulated() else set[Flag]()
        for meter in self._working():
            flags |= self._ask(meter, "could not report what was wrong in the window", meter.flags) or set()
        return flags

    def _samples(self, start_s: float, iterations: Iterations, readings: Sequence[Reading]) -> "pd.DataFrame":
        import pandas as pd  # takes half a second, which only a measured run needs

        # Plots also show a little of the time after the window.
        time.sleep(self.settings.sample_interval_s)
        rows = list(iterations.rows(readings))
        for meter in self._working():
            rows += [
                (s.time_s, meter.name, s.component, s.quantity, s.value, SAMPLE_UNITS[s.quantity], s.evidence)
                for s in self._ask(meter, "could not return its samples", meter.samples) or []
            ]
        rows.sort(key=lambda row: row[0])
        table = pd.DataFrame(rows, columns=list(_SERIES)).astype(_SERIES)
        return table.assign(time_s=table["time_s"] - start_s)

    def _working(self) -> list[Meter]:
        return [meter for meter in self._live if meter.name not in self._faults]

    def _ask(self, meter: Meter, what: str, question: Callable[[], T]) -> T | None:
        """Return a meter's answer; None, with `what` as the meter's fault, if it raises."""
        try:
            return question()
        except Exception as error:
            self._fault(meter, what, error)
            return None

    def _fault(self, meter: Meter, what: str, error: Exception) -> None:
        reason = _reason(meter, what, error)
        if self._faults.setdefault(meter.name, reason) == reason:
            announce(reason)

    def _close(self, meter: Meter) -> None:
        try:
            meter.close()
        except Exception as error:
            announce(_reason(meter, "could not be closed", error))


def _reason(meter: Meter, what: str, error: Exception) -> str:
    return f"{meter.name} {what}: {str(error) or type(error).__name__}"
