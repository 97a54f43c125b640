"""RAPL: the energy counters of Intel and AMD processors."""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.contamination import CpuTimes
from baler_energy.meters.counters import StillWatch, WrappingCounter
from baler_energy.meters.poller import Poller
from baler_energy.meters.powercap import POWERCAP, Domain, absence, domain_channel, find_domains, pyrapl_reader
from baler_energy.meters.settings import SessionSettings
from baler_energy.meters.ticks import watch_ticks
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = ["METER", "RaplMeter"]

#: No domain of a current machine draws more; a higher power means that the counter was reset.
_LIMIT_W = 5000.0
#: Intel SDM, volume 3, 15.10: the counters are updated about every millisecond.
_DEFAULT_TICK_S = 0.001
#: How long to watch for ticks at the start. The longer time is for virtual machines, where counters may only tick once
#: a second.
_WATCH_S, _LONG_WATCH_S = 0.1, 3.0
#: CPU load above which the cores' counter advances at every tick.
_LOADED = 0.1
#: Minimum time (s) between two checks of the load.
_LOOK_S = 0.1
#: The sums, and patterns of their components.
_SUMS = {"cpu": re.compile(r"package-"), "dram": re.compile(r"dram-")}


class _Counter:
    """One domain's counter, with its checks."""

    def __init__(self, domain: Domain, tick_s: float | None, limit_w: float) -> None:
        self.domain = domain
        self.tick_s = tick_s or _DEFAULT_TICK_S
        self.unwrapped = WrappingCounter(domain.max_uj, limit_w)
        kind = domain.component.split("-")[0]
        self._still = StillWatch(self.tick_s)
        self._last_uj: int | None = None
        # Integrated graphics may be idle and cores may sleep; package, memory and platform always draw some power.
        self._may_rest, self._may_stop = kind == "core", kind == "uncore"

    def update(self, count_uj: int, time_s: float, loaded: Callable[[], bool]) -> str | None:
        """Process a reading; return what is wrong with it, or None. `loaded` returns whether the CPUs are busy."""
        fault = self.unwrapped.update(count_uj, time_s)
        still, self._last_uj = count_uj == self._last_uj, count_uj
        at_work = not self._may_stop and not (still and self._may_rest and not loaded())
        return fault or self._still.stopped(count_uj, time_s, loaded=at_work)


class RaplMeter(Meter):
    """Energy of packages, cores, uncore, DRAM and psys from RAPL; ``cpu`` (packages) and ``dram`` are sums.

    psys contains the packages, and the packages contain core and uncore, so these three are not added to any sum.

    Parameters
    ----------
    sample_interval_s
        Time between reads (s), for the power series and to see every wrap; at most 10 s is used.
    root
        The kernel's powercap folder.
    limit_w
        Highest possible power of a domain (W); a faster rise is a fault of the counter.
    """

    name = MeterName("rapl")
    edge = 100
    sampled = True
    counts = True

    def __init__(
        self,
        *,
        sample_interval_s: float = SessionSettings.sample_interval_s,
        root: Path = POWERCAP,
        limit_w: float = _LIMIT_W,
    ) -> None:
        self._root = root
        self._interval_s = min(sample_interval_s, 10.0)
        self._limit_w = limit_w
        self._counters: list[_Counter] = []
        self._sums: dict[str, list[str]] = {}
        self._absent: list[Channel] = []
        self._pyrapl: Callable[[], dict[str, int]] | None = None
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._begin_s = self._end_s = 0.0
        self._end_j: dict[str, float | None] = {}
        self._begin_uj: dict[str, int] = {}
        self._polled: dict[str, tuple[float, int]] = {}
        self._faults: dict[str, str] = {}
        self._series: list[Sample] = []
        self._details: dict[str, str] = {}
        self._cpu_times: CpuTimes | None = None
        self._was_loaded = False

    def channels(self) -> Sequence[Channel]:
        """Report which counters and sums can be read."""
        domains = find_domains(self._root)
        if not domains:
            return (absence(),)
        channels = [domain_channel(domain) for domain in domains]
        return (*channels, *_sum_channels(channels))

    def open(self) -> None:
        """Find the readable counters and start polling them."""
        channels = {channel.component: channel for channel in self.channels()}
        readable = {name for name, channel in channels.items() if channel.evidence}
        domains = [domain for domain in find_domains(self._root) if domain.component in readable]
        ticks_s = _find_ticks(domains)
        self._counters = [_Counter(domain, ticks_s.get(domain.component), self._limit_w) for domain in domains]
        self._details = {name: channel.detail for name, channel in channels.items() if channel.evidence}
        self._absent = [channel for channel in channels.values() if not channel.evidence]
        self._sums = {
            total: [name for name in channels if kind.match(name)] for total, kind in _SUMS.items() if total in readable
        }
        # pyRAPL only reads the kernel's own folder.
        self._pyrapl = pyrapl_reader(domains) if self._root == POWERCAP else None
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()

    def begin(self) -> None:
        """Read the counters at the start of the window."""
        with self._lock:
            self._faults.clear()
            self._read()
            self._begin_s = time.monotonic()
            self._begin_uj = self._totals_uj()
            self._series = [sample for sample in self._series if sample.time_s > self._begin_s - 1.0]

    def energies_j(self) -> dict[str, float]:
        """Read the energy (J) of every counter and sum since `begin`, except those that failed."""
        with self._lock:
            self._read()
            return {name: value for name, value in self._energies_j().items() if value is not None}

    def end(self) -> None:
        """Read the counters at the end of the window."""
        with self._lock:
            self._read()
            self._end_s = time.monotonic()
            self._end_j = self._energies_j()

    def readings(self) -> list[Reading]:
        """Return energies and maximum powers of the window."""
        with self._lock:
            energies = self._end_j
            series = [sample for sample in self._series if self._begin_s < sample.time_s <= self._end_s]
        readings = []
        for name, value in energies.items():
            detail = self._details.get(name)
            if value is None:
                reason = self._reason(name)
                readings.append(Reading.of(self.name, name, Quantity.ENERGY, None, reason=reason, detail=detail))
                continue
            powers = [sample.value for sample in series if sample.component == name]
            power_w = max(powers, default=value / max(self._end_s - self._begin_s, 1e-9))
            bound_j = 2 * self._tick_s(name) * power_w
            readings.append(Reading.of(self.name, name, Quantity.ENERGY, value, bound=bound_j, detail=detail))
            if powers:
                readings.append(Reading.of(self.name, name, Quantity.POWER_MAX, max(powers)))
        for channel in self._absent:
            readings.append(Reading.of(self.name, channel.component, Quantity.ENERGY, None, reason=channel.detail))
        return readings

    def flags(self) -> set[Flag]:
        """Report whether a counter failed."""
        return {Flag.COUNTER_FAULT} if self._faults else set()

    def samples(self) -> list[Sample]:
        """Return the power of each domain and sum over time."""
        with self._lock:
            return list(self._series)

    def close(self) -> None:
        """Stop polling."""
        if self._poller is not None:
            self._poller.stop()
            self._poller = None
        self._counters = []
        self._pyrapl = None

    def _poll(self) -> None:
        with self._lock:
            self._read()
            now_s = time.monotonic()
            for name, total_uj in self._totals_uj().items():
                then_s, then_uj = self._polled.get(name, (now_s, total_uj))
                if now_s > then_s:
                    power_w = (total_uj - then_uj) * 1e-6 / (now_s - then_s)
                    self._series.append(Sample((now_s + then_s) / 2, name, "power", power_w))
                self._polled[name] = (now_s, total_uj)

    def _read(self) -> None:
        """Read all counters once; record failures as faults of the window."""
        served: dict[str, int] = {}
        if self._pyrapl is not None:
            try:
                served = self._pyrapl()
            except Exception:  # the kernel's files are read instead, and give a reason if they fail
                self._pyrapl = None
        for counter in self._counters:
            component = counter.domain.component
            try:
                count_uj = served[component] if component in served else counter.domain.read_uj()
                fault = counter.update(count_uj, time.monotonic(), self._loaded)
            except (OSError, ValueError) as error:
                fault = f"it could not be read: {error}"
            if fault:
                self._faults.setdefault(component, f"the RAPL counter {component} failed: {fault}")

    def _loaded(self) -> bool:
        """Return whether the CPUs were busy between the last two checks, at least `_LOOK_S` apart."""
        before, now = self._cpu_times, CpuTimes.of_machine()
        if before is None or now.time_s - before.time_s > _LOOK_S:
            self._cpu_times = now
            if before is not None:
                capacity_s = (os.cpu_count() or 1) * (now.time_s - before.time_s)
                self._was_loaded = now.machine_s - before.machine_s > _LOADED * capacity_s
        return self._was_loaded

    def _tick_s(self, name: str) -> float:
        """Return the tick (s) of a counter, or the longest tick in a sum."""
        parts = self._sums.get(name, [name])
        return max(counter.tick_s for counter in self._counters if counter.domain.component in parts)

    def _totals_uj(self) -> dict[str, int]:
        """Return the total (microjoule) of every counter and sum since `open`."""
        totals = {counter.domain.component: counter.unwrapped.total_uj for counter in self._counters}
        return totals | {name: sum(totals[part] for part in parts) for name, parts in self._sums.items()}

    def _energies_j(self) -> dict[str, float | None]:
        """Return the energy (J) of every counter and sum since `begin`; None if a counter failed."""
        return {
            name: None if self._reason(name) else (total_uj - self._begin_uj[name]) * 1e-6
            for name, total_uj in self._totals_uj().items()
        }

    def _reason(self, name: str) -> str | None:
        """Return why a counter or sum has no energy; None if it has one."""
        parts = self._sums.get(name, [name])
        return "; ".join(self._faults[part] for part in parts if part in self._faults) or None


def _find_ticks(domains: Sequence[Domain]) -> dict[str, float | None]:
    """Watch the counters' ticks (s); watch longer those that must advance but did not."""

    def read(chosen: Sequence[Domain]) -> Callable[[], dict[str, float]]:
        return lambda: {domain.component: domain.read_uj() for domain in chosen}

    try:
        ticks_s = watch_ticks(read(domains), _WATCH_S)
        slow = [d for d in domains if ticks_s[d.component] is None and not re.match("core|uncore", d.component)]
        return ticks_s | (watch_ticks(read(slow), _LONG_WATCH_S, fewest=2) if slow else {})
    except (OSError, ValueError):  # the readings of the window will report it
        return {}


def _sum_channels(channels: Sequence[Channel]) -> list[Channel]:
    """Make the channels of the sums; a sum with an unreadable part is absent, because it would be too low."""
    sums = []
    for total, kind in _SUMS.items():
        parts = [channel for channel in channels if kind.match(channel.component)]
        lost = [channel for channel in parts if not channel.evidence]
        if lost:
            sums.append(Channel(total, None, lost[0].detail, lost[0].remedy))
        elif parts:
            names = " + ".join(channel.component for channel in parts)
            sums.append(Channel(total, Evidence.MEASURED, f"sum of {names}"))
    return sums


METER = RaplMeter
