"""RAPL: the energy counters of Intel and AMD processors."""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.contamination import CpuTimes
from baler_energy.meters.counters import CopyWatch, StillWatch, WrappingCounter
from baler_energy.meters.poller import Poller
from baler_energy.meters.powercap import CPUS, POWERCAP, SUMS, Domain, find_channels, find_domains, pyrapl_reader
from baler_energy.meters.settings import SessionSettings
from baler_energy.meters.ticks import watch_ticks
from baler_energy.records import Reading
from baler_energy.vocabulary import Flag, MeterName, Quantity

__all__ = ["METER", "RaplMeter"]

#: No domain of a current machine draws more; a higher power means that the counter was reset. A domain whose power
#: limits are known has a lower one.
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


class _Counter:
    """One domain's counter, with its checks."""

    def __init__(self, domain: Domain, tick_s: float | None, limit_w: float) -> None:
        self.domain = domain
        self.tick_s = tick_s or _DEFAULT_TICK_S
        self.unwrapped = WrappingCounter(domain.max_uj, min(limit_w, domain.limit_w or limit_w), self.tick_s)
        self.dead = False
        """Whether it has never advanced since it was opened, so that it failed in no particular window."""
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
        stopped = self._still.stopped(count_uj, time_s, loaded=at_work)
        self.dead = stopped is not None and self.unwrapped.total_uj == 0
        return fault or (None if self.dead else stopped)


class RaplMeter(Meter):
    """Energy of packages, cores, uncore, DRAM and psys from RAPL; ``cpu`` (packages) and ``dram`` are sums.

    psys contains the packages, and the packages contain core and uncore, so these three are not added to any sum. A sum
    is null if a part of it is missing, failed, does not advance, or shows the counts of another part.

    Parameters
    ----------
    sample_interval_s
        Time between reads (s), for the power series and to see every wrap; at most 10 s is used.
    root
        The kernel's powercap folder.
    cpus
        The kernel's folder of CPUs. If it has a package without a counter, there are no sums.
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
        cpus: Path | None = None,
        limit_w: float = _LIMIT_W,
    ) -> None:
        self._root = root
        # The CPUs of this machine belong to the counters in the kernel's own folder.
        self._cpus = cpus if cpus or root != POWERCAP else CPUS
        self._interval_s = min(sample_interval_s, 10.0)
        self._limit_w = limit_w
        self._counters: list[_Counter] = []
        self._sums: dict[str, list[str]] = {}
        self._absent: list[Channel] = []
        self._pyrapl: Callable[[], dict[str, int]] | None = None
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._begin_s = self._end_s = 0.0
        self._end_j: dict[str, float] = {}
        self._missing: dict[str, str] = {}
        self._failed: set[str] = set()
        self._begin_uj: dict[str, int] = {}
        self._polled: dict[str, tuple[float, int]] = {}
        self._faults: dict[str, str] = {}
        self._dead: dict[str, str] = {}
        self._copies = CopyWatch({})
        self._series: list[Sample] = []
        self._details: dict[str, str] = {}
        self._cpu_times: CpuTimes | None = None
        self._was_loaded = False

    def channels(self) -> Sequence[Channel]:
        """Report which counters and sums can be read."""
        return find_channels(self._root, self._cpus)

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
            total: [name for name in channels if kind.match(name)] for total, kind in SUMS.items() if total in readable
        }
        # pyRAPL only reads the kernel's own folder.
        self._pyrapl = pyrapl_reader(domains) if self._root == POWERCAP else None
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()

    def begin(self) -> None:
        """Read the counters at the start of the window."""
        with self._lock:
            self._faults.clear()
            self._dead.clear()
            summed = [name for parts in self._sums.values() for name in parts]
            self._copies = CopyWatch(dict.fromkeys(summed, 0))
            self._read()
            self._begin_s = time.monotonic()
            self._begin_uj = self._totals_uj()
            self._series = [sample for sample in self._series if sample.time_s > self._begin_s - 1.0]

    def energies_j(self) -> dict[str, float]:
        """Read the energy (J) of every counter and sum since `begin`, except those that have none."""
        with self._lock:
            self._read()
            return self._energies_j(self._reasons())

    def end(self) -> None:
        """Read the counters at the end of the window."""
        with self._lock:
            self._read()
            self._end_s = time.monotonic()
            self._missing, self._failed = self._reasons(), set(self._faults)
            self._end_j = self._energies_j(self._missing)

    def readings(self) -> list[Reading]:
        """Return energies and maximum powers of the window."""
        with self._lock:
            series = [sample for sample in self._series if self._begin_s < sample.time_s <= self._end_s]
        readings = []
        for name in self._begin_uj:
            detail, value = self._details.get(name), self._end_j.get(name)
            if value is None:
                reason, failed = self._missing[name], not self._failed.isdisjoint(self._parts(name))
                lost = Reading.of(self.name, name, Quantity.ENERGY, None, reason=reason, detail=detail, failed=failed)
                readings.append(lost)
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
        """Return the power over time of each domain and sum that has an energy."""
        with self._lock:
            return [sample for sample in self._series if sample.component not in self._missing]

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
        counts: dict[str, int] = {}
        start_s = time.monotonic()
        if self._pyrapl is not None:
            try:
                served = self._pyrapl()
            except Exception:  # the kernel's files are read instead, and give a reason if they fail
                self._pyrapl = None
        for counter in self._counters:
            component = counter.domain.component
            try:
                counts[component] = count_uj = served[component] if component in served else counter.domain.read_uj()
                fault = counter.update(count_uj, time.monotonic(), self._loaded)
            except (OSError, ValueError) as error:
                fault = f"it could not be read: {error}"
            if fault:
                self._faults.setdefault(component, f"the RAPL counter {component} failed: {fault}")
            elif counter.dead:
                self._dead.setdefault(component, f"the RAPL counter {component} has not advanced since it was opened")
        self._copies.update(counts, self._limit_w * 1e6 * (time.monotonic() - start_s))

    def _loaded(self) -> bool:
        """Return whether the CPUs were busy between the last two checks, at least `_LOOK_S` apart."""
        before, now = self._cpu_times, CpuTimes.of_machine()
        if before is None or now.time_s - before.time_s > _LOOK_S:
            self._cpu_times = now
            if before is not None:
                capacity_s = (os.cpu_count() or 1) * (now.time_s - before.time_s)
                self._was_loaded = now.machine_s - before.machine_s > _LOADED * capacity_s
        return self._was_loaded

    def _parts(self, name: str) -> list[str]:
        """Return the counters of a sum, or the counter itself."""
        return self._sums.get(name, [name])

    def _tick_s(self, name: str) -> float:
        """Return the tick (s) of a counter, or the longest tick in a sum."""
        return max(counter.tick_s for counter in self._counters if counter.domain.component in self._parts(name))

    def _totals_uj(self) -> dict[str, int]:
        """Return the total (microjoule) of every counter and sum since `open`."""
        totals = {counter.domain.component: counter.unwrapped.total_uj for counter in self._counters}
        return totals | {name: sum(totals[part] for part in parts) for name, parts in self._sums.items()}

    def _used_uj(self) -> dict[str, int]:
        """Return the energy (microjoule) of every counter and sum since `begin`, whether or not it is believed."""
        return {name: total_uj - self._begin_uj[name] for name, total_uj in self._totals_uj().items()}

    def _energies_j(self, missing: Mapping[str, str]) -> dict[str, float]:
        """Return the energy (J) of every counter and sum since `begin`, without those in `missing`."""
        return {name: used_uj * 1e-6 for name, used_uj in self._used_uj().items() if name not in missing}

    def _reasons(self) -> dict[str, str]:
        """Return why counters and sums have no energy, by name."""
        copies = {
            name: f"the RAPL counter {name} shows the counts of {original}: they are one counter"
            for name, original in self._copies.copies(self._used_uj()).items()
        }
        reasons = copies | self._dead | self._faults
        found = {
            name: "; ".join(reasons[part] for part in self._parts(name) if part in reasons) for name in self._begin_uj
        }
        return {name: reason for name, reason in found.items() if reason}


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


METER = RaplMeter
