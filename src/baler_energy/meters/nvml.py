"""NVML: energy, power, load and state of NVIDIA's GPUs."""

import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.gpus import Gpu, describe, foreign_processes, load_library, open_gpus
from baler_energy.meters.poller import Poller
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = ["NvmlMeter", "describe_gpus", "integrate"]

#: Clocks lowered by: software power cap, hardware slowdown, software and hardware thermal limits, power brake.
_THROTTLE_BITS = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
#: How many samples lie between two looks for other processes, which are slow.
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


def integrate(times_s: Sequence[float], powers_w: Sequence[float]) -> float:
    """Integrate sampled power by the trapezoidal rule.

    Parameters
    ----------
    times_s
        Times (s), not falling.
    powers_w
        Powers (W) at these times.

    Returns
    -------
    float
        Energy (J).

    Raises
    ------
    ValueError
        Fewer than two samples, lengths that differ, or a time that falls.
    """
    if len(times_s) != len(powers_w) or len(times_s) < 2:
        raise ValueError(f"at least two samples of time and power are needed, not {len(times_s)} and {len(powers_w)}")
    if any(later < earlier for earlier, later in pairwise(times_s)):
        raise ValueError("the times fall")
    return sum((times_s[i + 1] - times_s[i]) * (powers_w[i + 1] + powers_w[i]) / 2 for i in range(len(times_s) - 1))


def describe_gpus(library: Any = None) -> list[dict[str, Any]]:
    """Describe the GPUs that this process may use: index, name, uuid, memory, driver ([]: none)."""
    try:
        library = library or load_library()
        gpus = open_gpus(library)
    except Exception:  # no package, driver or GPU: nothing to describe
        return []
    try:
        return [describe(library, gpu) for gpu in gpus]
    finally:
        library.nvmlShutdown()


class NvmlMeter(Meter):
    """Energy of the visible GPUs from their counter, or from their power sensor over time; sums ``gpu``.

    Parameters
    ----------
    sample_interval_s
        How often power, load, temperature, memory and clock are read.
    library
        A module with pynvml's functions; None: pynvml.
    """

    name = MeterName.NVML

    def __init__(self, *, sample_interval_s: float = 0.2, library: Any = None) -> None:
        self._interval_s = sample_interval_s
        self._library = library
        self._gpus: list[Gpu] = []
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._begin_s = self._end_s = 0.0
        self._begin_j: dict[str, float] = {}
        self._end_j: dict[str, float] = {}
        self._faults: dict[str, str] = {}
        self._flags: set[Flag] = set()
        self._series: list[Sample] = []
        self._polls = 0

    def channels(self) -> Sequence[Channel]:
        """Say which GPUs there are, and how their energy is had."""
        try:
            library = self._library or load_library()
        except ImportError:
            return (Channel("gpu", None, "the package nvidia-ml-py is not installed", "pip install nvidia-ml-py"),)
        try:
            gpus = open_gpus(library)
        except Exception as error:
            return (Channel("gpu", None, f"there is no NVIDIA driver or GPU here ({error})"),)
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
        self._gpus = open_gpus(self._library)
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()

    def begin(self) -> None:
        """Read the counters at the start of the window."""
        with self._lock:
            self._faults.clear()
            self._flags.clear()
            self._begin_s = time.monotonic()
            self._series = [sample for sample in self._series if sample.time_s > self._begin_s - 1.0]
            self._begin_j = self._counts_j()
            self._sample(powers_only=True)

    def energies_j(self) -> dict[str, float]:
        """Read the counters' energy since `begin`; a GPU without a counter gives none."""
        with self._lock:
            counts_j = self._counts_j()
        energies = {name: count_j - self._begin_j[name] for name, count_j in counts_j.items() if name in self._begin_j}
        if len(energies) == len(self._gpus) and energies:
            energies["gpu"] = sum(energies.values())
        return energies

    def end(self) -> None:
        """Read the counters at the end of the window."""
        with self._lock:
            self._end_j = self._counts_j()
            self._sample(powers_only=True)
            self._end_s = time.monotonic()

    def readings(self) -> list[Reading]:
        """Give energy, largest power, load, temperatures, memory and clocks of the window."""
        counts_j = self._end_j
        with self._lock:
            series = [sample for sample in self._series if self._begin_s <= sample.time_s <= self._end_s]
        energies = {gpu.component: self._energy_j(gpu, counts_j, series) for gpu in self._gpus}
        readings = [
            Reading.of(
                self.name, name, Quantity.ENERGY, value, reason=None if value is not None else self._faults[name]
            )
            for name, value in energies.items()
        ]
        values = [value for value in energies.values() if value is not None]
        whole = len(values) == len(self._gpus)
        reason = None if whole else "; ".join(self._faults.values())
        readings.append(Reading.of(self.name, "gpu", Quantity.ENERGY, sum(values) if whole else None, reason=reason))
        for gpu in self._gpus:
            readings += _statistics(gpu.component, [s for s in series if s.component == gpu.component])
        return readings

    def flags(self) -> set[Flag]:
        """Say whether a GPU failed, throttled or was shared."""
        # Not in `end`: looking for this process's children is slow, and other meters are still in their window.
        with self._lock:
            self._look_for_others()
        return self._flags | ({Flag.COUNTER_FAULT} if self._faults else set())

    def samples(self) -> list[Sample]:
        """Give power, load, temperature, memory and clock over time."""
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

    def _sample(self, *, powers_only: bool = False) -> None:
        for gpu in self._gpus:
            try:
                values = {"power": gpu.power_w()} if powers_only else gpu.state()
                if gpu.throttle_reasons() & _THROTTLE_BITS:
                    self._flags.add(Flag.THROTTLED)
            except Exception as error:
                self._fault(gpu, error)
                continue
            now_s = time.monotonic()
            self._series += [Sample(now_s, gpu.component, key, value) for key, value in values.items()]

    def _look_for_others(self) -> None:
        for gpu in self._gpus:
            try:
                if gpu.partition or foreign_processes(gpu.process_ids()):
                    self._flags.add(Flag.SHARED_GPU)
            except Exception as error:
                self._fault(gpu, error)

    def _counts_j(self) -> dict[str, float]:
        counts = {}
        for gpu in self._gpus:
            if gpu.has_counter:
                try:
                    counts[gpu.component] = gpu.count_j()
                except Exception as error:
                    self._fault(gpu, error)
        return counts

    def _energy_j(self, gpu: Gpu, counts_j: dict[str, float], series: Sequence[Sample]) -> float | None:
        name = gpu.component
        if name in self._faults:
            return None
        if gpu.has_counter:
            energy_j = counts_j[name] - self._begin_j[name]
            if energy_j < 0:
                self._faults[name] = f"{name}: its energy counter fell by {-energy_j:.1f} J"
                return None
            return energy_j
        powers = [sample for sample in series if sample.component == name and sample.quantity == "power"]
        try:
            return integrate([sample.time_s for sample in powers], [sample.value for sample in powers])
        except ValueError as error:
            self._faults[name] = f"{name}: its power could not be integrated: {error}"
            return None

    def _fault(self, gpu: Gpu, error: Exception) -> None:
        self._faults.setdefault(gpu.component, f"{gpu.component} could not be read: {error}")


def _statistics(component: str, series: Sequence[Sample]) -> list[Reading]:
    readings = []
    for pairs, statistic in ((_MEANS, _mean), (_PEAKS, max)):
        for key, quantity in pairs:
            values = [sample.value for sample in series if sample.quantity == key]
            if values:
                readings.append(Reading.of(MeterName.NVML, component, quantity, statistic(values)))
    return readings


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
