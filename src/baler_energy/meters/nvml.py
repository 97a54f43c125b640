"""NVML: energy, power, load and state of NVIDIA GPUs."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.counters import RisingCounter, StillWatch, TwinWatch
from baler_energy.meters.gpus import UPDATE_S, Gpu, driver_version, open_gpus
from baler_energy.meters.integration import gap_bound_j, window_energy_j
from baler_energy.meters.poller import Poller
from baler_energy.meters.settings import SessionSettings
from baler_energy.meters.sharing import Sharing
from baler_energy.meters.throttling import THROTTLED
from baler_energy.meters.ticks import watch_ticks
from baler_energy.meters.visible import load_library
from baler_energy.provenance import SIMULATED
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = ["METER", "NvmlMeter"]

#: Quantities read at the edges of a window in addition to the counters.
_AT_EDGES = ("power", "throttle_reasons")
#: Energy counters tick every 20 to 100 ms. Default tick, and how long to watch for ticks at the start.
_DEFAULT_TICK_S, _WATCH_S = 0.1, 0.6
#: A GPU at rest draws at most this share of its limit, which is twice the driver's, and what its sensor shows, with a
#: tolerance.
_AT_REST, _TOLERANCE = 1 / 8, 1.2
#: Number of samples between two searches for other processes, which are slow.
_POLLS_PER_LOOK = 10
_MEANS = (
    ("utilisation", Quantity.UTILISATION_MEAN),
    ("temperature", Quantity.TEMPERATURE_MEAN),
    ("clock", Quantity.CLOCK_MEAN),
)
_PEAKS = (
    ("power", Quantity.POWER_MAX),
    ("temperature", Quantity.TEMPERATURE_MAX),
    ("memory", Quantity.GPU_MEMORY_PEAK),
)


class NvmlMeter(Meter):
    """Energy of each visible GPU from its counter, or else its integrated power sensor; ``gpu`` is their sum.

    A GPU that shows the counts of another one has no energy, and so there is no sum.

    Parameters
    ----------
    sample_interval_s
        Time (s) between reads of power, load, temperature, memory, clocks and the reasons for low clocks.
    library
        A module with pynvml's functions; None: pynvml.
    """

    name = MeterName("nvml")
    edge = 90
    sampled = True
    counts = True

    def __init__(self, *, sample_interval_s: float = SessionSettings.sample_interval_s, library: Any = None) -> None:
        self._interval_s = sample_interval_s
        self._library = library
        self._gpus: list[Gpu] = []
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._begin_s = self._end_s = 0.0
        self._begin_j: dict[str, float] = {}
        self._end_j: dict[str, float] = {}
        self._faults: dict[str, str] = {}
        self._doubts: dict[str, str] = {}
        self._flags: set[Flag] = set()
        self._sharing: dict[str, dict[Sharing, None]] = {}
        self._simulated = False
        self._series: list[Sample] = []
        self._polls = 0
        self._details: dict[str, str] = {}
        self._ticks_s: dict[str, float] = {}
        self._still: dict[str, StillWatch] = {}
        self._rising: dict[str, RisingCounter] = {}
        self._twins = TwinWatch(())
        self._catcher: threading.Thread | None = None
        self._first_tick: dict[str, tuple[float, float]] = {}

    def channels(self) -> Sequence[Channel]:
        """Report which GPUs are visible, and how their energy is measured."""
        try:
            library = self._library or load_library()
        except ImportError:
            return (Channel("gpu", None, "the package nvidia-ml-py is not installed", "pip install nvidia-ml-py"),)
        try:
            gpus = open_gpus(library)
        except Exception as error:
            return (Channel("gpu", None, f"this machine has no NVIDIA driver or GPU ({error})"),)
        try:
            if not gpus:
                return (Channel("gpu", None, "no GPU is visible", "unset CUDA_VISIBLE_DEVICES, if it hides one"),)
            channels = [gpu.channel() for gpu in gpus]
        finally:
            library.nvmlShutdown()
        lost = [channel for channel in channels if not channel.evidence]
        if lost:
            return (*channels, Channel("gpu", None, lost[0].detail))
        names = " + ".join(channel.component for channel in channels)
        return (*channels, Channel("gpu", Evidence.MEASURED, f"sum of {names}"))

    def open(self) -> None:
        """Connect to the driver and start polling."""
        self._library = self._library or load_library()
        self._details = {channel.component: channel.detail for channel in self.channels()}
        self._gpus = open_gpus(self._library)
        self._simulated = SIMULATED in driver_version(self._library)
        counting = [gpu for gpu in self._gpus if gpu.has_counter]
        if counting:
            found = watch_ticks(lambda: {gpu.component: gpu.count_j() for gpu in counting}, _WATCH_S)
            self._ticks_s = {name: tick_s or _DEFAULT_TICK_S for name, tick_s in found.items()}
            self._still = {name: StillWatch(tick_s) for name, tick_s in self._ticks_s.items()}
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()

    def begin(self) -> None:
        """Read the counters at the start of the window."""
        with self._lock:
            self._faults.clear()
            self._doubts.clear()
            self._flags.clear()
            self._sharing.clear()
            counting = {gpu.component: gpu.limit_w for gpu in self._gpus if gpu.has_counter}
            self._rising = {name: RisingCounter(limit_w, self._ticks_s[name]) for name, limit_w in counting.items()}
            self._sample(at_edge=True)
            self._begin_s = time.monotonic()
            self._series = [sample for sample in self._series if sample.time_s > self._begin_s - 1.0]
            self._begin_j = self._counts_j()
            self._twins = TwinWatch(self._begin_j)
            self._twins.update(self._begin_j, self._reread_j)
        # The time of the next tick shows how far into a tick the window began. A thread waits for it meanwhile.
        self._first_tick = first = {}
        self._catcher = threading.Thread(target=lambda: first.update(self._next_ticks(self._begin_j)), daemon=True)
        self._catcher.start()

    def energies_j(self) -> dict[str, float]:
        """Read the counters' energy (J) since `begin`, without GPUs that have none, or one that is not believed."""
        with self._lock:
            counts_j = self._counts_j()
            self._twins.update(counts_j, self._reread_j)
            copies = self._copies(counts_j, time.monotonic())
            believed = self._begin_j.keys() - self._faults.keys() - copies.keys()
        energies = {name: count_j - self._begin_j[name] for name, count_j in counts_j.items() if name in believed}
        if len(energies) == len(self._gpus) and energies:
            energies["gpu"] = sum(energies.values())
        return energies

    def end(self) -> None:
        """Read the counters at the end of the window."""
        with self._lock:
            self._end_j = self._counts_j()
            self._end_s = time.monotonic()
            self._twins.update(self._end_j, self._reread_j)
            self._sample(at_edge=True)

    def readings(self) -> list[Reading]:
        """Return energy, maximum power, load, temperatures, memory and clocks of the window."""
        last_tick = self._next_ticks(self._end_j)
        if self._catcher is not None:
            self._catcher.join()
        self._wait_for_lag()
        with self._lock:
            # Not in `end`: the search for this process's children is slow, and other meters are still measuring.
            self._look_for_others()
            series = list(self._series)
        energies = [
            self._energy(gpu, [s for s in series if s.component == gpu.component], last_tick) for gpu in self._gpus
        ]
        values = [energy.value for energy in energies if energy.value is not None]
        whole = len(values) == len(energies)
        total = Reading.of(
            self.name,
            "gpu",
            Quantity.ENERGY,
            sum(values) if whole else None,
            reason=None if whole else "; ".join(energy.reason for energy in energies if energy.reason),
            bound=sum(energy.bound or 0.0 for energy in energies) if whole else None,
            detail=self._detail("gpu", *self._sharing),
            failed=any(energy.failed for energy in energies),
        )
        readings = [*energies, total]
        for gpu in self._gpus:
            inside = [s for s in series if s.component == gpu.component and self._begin_s <= s.time_s <= self._end_s]
            readings += _statistics(gpu.component, inside, self._doubts.get(gpu.component))
        return readings

    def flags(self) -> set[Flag]:
        """Report whether a GPU failed, was throttled, was shared or is simulated."""
        always = {Flag.SIMULATED} if self._simulated else set()
        return self._flags | always | ({Flag.COUNTER_FAULT} if self._faults else set())

    def samples(self) -> list[Sample]:
        """Return power, load, temperature, memory, clocks and the reasons for low clocks over time."""
        with self._lock:
            return list(self._series)

    def close(self) -> None:
        """Stop polling and disconnect."""
        if self._poller is not None:
            self._poller.stop()
            self._poller = None
            self._library.nvmlShutdown()
        self._gpus = []

    def _poll(self) -> None:
        with self._lock:
            self._sample()
            self._polls += 1
            if self._polls % _POLLS_PER_LOOK == 0:
                self._look_for_others()

    def _sample(self, *, at_edge: bool = False) -> None:
        for gpu in self._gpus:
            try:
                values = gpu.state(_AT_EDGES if at_edge else ())
            except Exception as error:
                self._fault(gpu, error)
                continue
            now_s = time.monotonic()
            if doubt := gpu.doubt(values.get("power")):
                if values.pop("power", None) is not None:
                    self._doubts.setdefault(gpu.component, doubt)
                if not gpu.has_counter:
                    self._faults.setdefault(gpu.component, f"{gpu.component}: {doubt}")
            if int(values.get("throttle_reasons", 0)) & THROTTLED:
                self._flags.add(Flag.THROTTLED)
            if not at_edge and gpu.has_counter:
                self._counts_j([gpu])
            self._series += [Sample(now_s, gpu.component, key, value) for key, value in values.items()]

    def _look_for_others(self) -> None:
        for gpu in self._gpus:
            try:
                found = gpu.sharing()
            except Exception as error:
                self._fault(gpu, error)
                continue
            if found:
                self._flags.add(Flag.SHARED_GPU)
                self._sharing.setdefault(gpu.component, {}).update(dict.fromkeys(found))

    def _detail(self, component: str, *shared: str) -> str | None:
        """Describe how an energy is measured, and why the energy of the components `shared` is not only the run's."""
        detail = self._details.get(component)
        reasons = dict.fromkeys(reason for part in shared for reason in self._sharing.get(part, ()))
        return f"{detail}; not attributable to the run: {', '.join(reasons)}" if reasons else detail

    def _counts_j(self, gpus: Sequence[Gpu] | None = None) -> dict[str, float]:
        """Read the counters, and check that they advance, as a GPU always draws some power, and not too fast."""
        counts = {}
        for gpu in self._gpus if gpus is None else gpus:
            if gpu.has_counter:
                try:
                    counts[gpu.component] = count_j = gpu.count_j()
                except Exception as error:
                    self._fault(gpu, error)
                    continue
                now_s = time.monotonic()
                still = self._still[gpu.component].stopped(count_j, now_s)
                rising = self._rising.get(gpu.component)
                if fault := (rising.update(count_j, now_s) if rising else None) or still:
                    self._faults.setdefault(gpu.component, f"the energy counter of {gpu.component} failed: {fault}")
        return counts

    def _reread_j(self, names: Collection[str]) -> dict[str, float]:
        return self._counts_j([gpu for gpu in self._gpus if gpu.component in names])

    def _copies(self, counts_j: Mapping[str, float], end_s: float) -> dict[str, str]:
        """Return why GPUs that have shown the counts of another one in the whole window have no energy.

        Two at rest may be alike; and if only one of two has failed, they are two.
        """
        limits_w = {gpu.component: gpu.limit_w for gpu in self._gpus}
        found = {}
        for second, first in self._twins.copies().items():
            power_w = (counts_j[second] - self._begin_j[second]) / max(end_s - self._begin_s, 1e-9)
            shown_w = [s.value for s in self._series if (s.component, s.quantity) == (second, "power")]
            at_rest = power_w <= min(_AT_REST * limits_w[second], _TOLERANCE * max(shown_w, default=0.0))
            if power_w and not at_rest and self._faults.keys().isdisjoint((first, second)):
                found[second] = f"the energy counter of {second} shows the counts of {first}: they are one counter"
        return found

    def _wait_for_lag(self) -> None:
        """Wait until averaging power sensors have covered the end of the window, and sample them."""
        lag_s = max((gpu.averaging_s / 2 for gpu in self._gpus if not gpu.has_counter), default=0.0)
        if lag_s:
            time.sleep(max(0.0, self._end_s + lag_s - time.monotonic()))
            with self._lock:
                self._sample(at_edge=True)

    def _next_ticks(self, counts_j: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """Wait up to two ticks for each counter to rise from `counts_j`; return the times (s) and the counts (J).

        A rise that is too large for the GPU is ignored: without its tick, the bound still covers the edge.
        """
        found: dict[str, tuple[float, float]] = {}
        waiting = [gpu for gpu in self._gpus if gpu.component in counts_j]
        patience_s = 2 * max(self._ticks_s.values(), default=0.0)
        limit_s = time.monotonic() + patience_s
        while waiting and time.monotonic() < limit_s:
            time.sleep(patience_s / 40)
            for gpu in tuple(waiting):
                try:
                    count_j = gpu.count_j()
                except Exception:  # the window's own readings report a fault
                    waiting.remove(gpu)
                    continue
                if 0 < count_j - counts_j[gpu.component] <= gpu.limit_w * 2 * patience_s:
                    found[gpu.component] = (time.monotonic(), count_j)
                    waiting.remove(gpu)
        return found

    def _energy(self, gpu: Gpu, series: Sequence[Sample], last_tick: Mapping[str, tuple[float, float]]) -> Reading:
        name, detail = gpu.component, self._detail(gpu.component, gpu.component)
        powers = [sample for sample in series if sample.quantity == "power"]
        value = bound_j = None
        copied = self._copies(self._end_j, self._end_s).get(name)
        if name not in self._faults and not copied:
            try:
                counted = gpu.has_counter
                value, bound_j = self._counted(name, powers, last_tick) if counted else self._integrated(gpu, powers)
            except ValueError as error:
                self._faults[name] = f"{name}: {error}"
        if value is None:
            reason, failed = self._faults.get(name, copied), name in self._faults
            return Reading.of(self.name, name, Quantity.ENERGY, None, reason=reason, detail=detail, failed=failed)
        return Reading.of(self.name, name, Quantity.ENERGY, value, bound=bound_j, detail=detail)

    def _counted(
        self, name: str, powers: Sequence[Sample], last_tick: Mapping[str, tuple[float, float]]
    ) -> tuple[float, float]:
        """Return the energy from the counter, and its bound: one tick of power at each edge (J).

        The counter only advances at the end of a tick. The first and last tick count with the share that is inside the
        window, assuming constant power during a tick.
        """
        energy_j = self._end_j[name] - self._begin_j[name]
        tick_s = self._ticks_s[name]
        first, last = self._first_tick.get(name), last_tick.get(name)
        if first and last and first[0] < self._end_s:
            before, inside = (
                (count_j - edge_j) * min(1.0, max(0.0, 1 - (time_s - edge_s) / tick_s))
                for (time_s, count_j), edge_j, edge_s in (
                    (first, self._begin_j[name], self._begin_s),
                    (last, self._end_j[name], self._end_s),
                )
            )
            energy_j += inside - before
        # If the power sensor is not believed, the mean power of the window.
        mean_w = max(0.0, energy_j) / max(self._end_s - self._begin_s, 1e-9)
        return energy_j, 2 * tick_s * max((sample.value for sample in powers), default=mean_w)

    def _integrated(self, gpu: Gpu, powers: Sequence[Sample]) -> tuple[float, float]:
        """Return the energy integrated from the power sensor, and its bound (J).

        A mean over the last T seconds is the smoothed power T/2 ago, so the samples are shifted back by T/2. This is
        exact for constant or linearly changing power. The bound is the sum of three errors: between samples
        (`gap_bound_j`), smoothing (T/8 times the range of powers at each edge), and one sensor update at each edge.
        """
        times_s = [sample.time_s - gpu.averaging_s / 2 for sample in powers]
        powers_w = [sample.value for sample in powers]
        energy_j = window_energy_j(times_s, powers_w, self._begin_s, self._end_s)
        smoothing_j = gpu.averaging_s / 4 * (max(powers_w) - min(powers_w))
        gaps_j = gap_bound_j(times_s, powers_w, self._begin_s, self._end_s)
        return energy_j, gaps_j + smoothing_j + 2 * UPDATE_S * max(powers_w)

    def _fault(self, gpu: Gpu, error: Exception) -> None:
        self._faults.setdefault(gpu.component, f"{gpu.component} could not be read: {error}")


def _statistics(component: str, series: Sequence[Sample], doubt: str | None) -> list[Reading]:
    """Summarise the samples; without a maximum power if `doubt` is why a power was not believed."""
    readings = []
    for pairs, statistic in ((_MEANS, _mean), (_PEAKS, max)):
        for key, quantity in pairs:
            values = [sample.value for sample in series if sample.quantity == key]
            if key == "power" and doubt:
                readings.append(Reading.of(NvmlMeter.name, component, quantity, None, reason=doubt))
            elif values:
                readings.append(Reading.of(NvmlMeter.name, component, quantity, statistic(values)))
    return readings


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


METER = NvmlMeter
