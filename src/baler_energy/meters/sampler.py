"""A thread that samples the machine's load, temperature and clock, and this process's memory."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.poller import Poller
from baler_energy.meters.settings import SessionSettings
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

__all__ = ["METER", "SamplerMeter"]

_CPUS = Path("/sys/devices/system/cpu")
#: Interval (s) for temperature and clock, which are slow to read and change slowly.
_SLOW_S = 1.0
#: Linux's names of the processor's temperature sensors, best first.
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "acpitz")


class SamplerMeter(Meter):
    """CPU load, temperature and clock of the machine, and memory of this process, sampled at intervals.

    Parameters
    ----------
    sample_interval_s
        Time between samples (s); longer if sampling would use more than half a percent of a CPU.
    cpus
        The kernel's folder of CPUs.
    """

    name = MeterName("sampler")
    edge = 40
    sampled = True

    def __init__(self, *, sample_interval_s: float = SessionSettings.sample_interval_s, cpus: Path = _CPUS) -> None:
        self._interval_s = sample_interval_s
        self._cpus = cpus
        self._begin_throttled = self._end_throttled = 0
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._process = psutil.Process()
        self._cpu_times: tuple[float, float] | None = None
        self._begin_s = self._end_s = 0.0
        self._begin_times: tuple[float, float] | None = None
        self._end_times = (0.0, 0.0)
        self._slow_due_s = 0.0
        self._series: list[Sample] = []

    def channels(self) -> Sequence[Channel]:
        """Report what can be sampled on this machine."""
        return (Channel("machine", Evidence.MEASURED, f"every {self._interval_s:g} s: {_seen()}", energy=False),)

    def open(self) -> None:
        """Start sampling."""
        self._poller = Poller(self._poll, self._interval_s)
        self._poller.start()

    def begin(self) -> None:
        """Mark the start of the window."""
        self._begin_throttled = _throttle_count(self._cpus)
        if self._poller is not None:
            self._poller.error = None
        with self._lock:
            self._begin_s = time.monotonic()
            self._slow_due_s = 0.0
            self._begin_times = _busy_and_total_s()
            self._series = [sample for sample in self._series if sample.time_s > self._begin_s - 1.0]

    def end(self) -> None:
        """Read the counters at the end of the window."""
        self._end_s = time.monotonic()
        self._end_times = _busy_and_total_s()
        self._end_throttled = _throttle_count(self._cpus)

    def readings(self) -> list[Reading]:
        """Return mean load and clock, and mean and maximum temperature, of the window."""
        with self._lock:
            series = [sample for sample in self._series if self._begin_s <= sample.time_s <= self._end_s]
        load = _load(self._begin_times, self._end_times)
        temperatures = [sample.value for sample in series if sample.quantity == "temperature"]
        clocks = [sample.value for sample in series if sample.quantity == "clock"]
        error = self._poller.error if self._poller is not None else None
        failed = f"sampling failed: {str(error) or type(error).__name__}" if error is not None else None
        no_temperature = failed or "the machine shows no CPU temperature"
        return [
            _reading(Quantity.UTILISATION_MEAN, load, "the window is shorter than a tick of the kernel's clock"),
            _reading(Quantity.TEMPERATURE_MEAN, _mean(temperatures), no_temperature),
            _reading(Quantity.TEMPERATURE_MAX, max(temperatures, default=None), no_temperature),
            _reading(Quantity.CLOCK_MEAN, _mean(clocks), failed or "the machine does not show the CPU's clock"),
        ]

    def flags(self) -> set[Flag]:
        """Report whether a CPU was thermally throttled, if the kernel counts that."""
        return {Flag.THROTTLED} if self._end_throttled > self._begin_throttled else set()

    def samples(self) -> list[Sample]:
        """Return load, memory, temperature and clock over time."""
        with self._lock:
            return list(self._series)

    def close(self) -> None:
        """Stop sampling."""
        if self._poller is not None:
            self._poller.stop()
            self._poller = None

    def _poll(self) -> None:
        times = _busy_and_total_s()
        load = _load(self._cpu_times, times)
        self._cpu_times = times
        values: list[tuple[str, str, float | None]] = [
            ("machine", "utilisation", load),
            ("process", "memory", float(self._process.memory_info().rss)),
        ]
        now_s = time.monotonic()
        if now_s >= self._slow_due_s:
            self._slow_due_s = now_s + _SLOW_S
            values += [("machine", "temperature", _temperature()), ("machine", "clock", _clock_hz())]
        with self._lock:
            self._series += [Sample(now_s, part, key, value) for part, key, value in values if value is not None]


def _reading(quantity: Quantity, value: float | None, reason: str) -> Reading:
    return Reading.of(SamplerMeter.name, "machine", quantity, value, reason=reason if value is None else None)


def _busy_and_total_s() -> tuple[float, float]:
    times = psutil.cpu_times()
    # User and nice times already include guest time.
    total_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total_s - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "steal", 0.0), total_s


def _load(before: tuple[float, float] | None, after: tuple[float, float]) -> float | None:
    if before is None or after[1] <= before[1]:
        return None
    return min(1.0, max(0.0, (after[0] - before[0]) / (after[1] - before[1])))


def _throttle_count(cpus: Path) -> int:
    """Return how often the kernel saw a core or package thermally throttled; 0 if it does not count that."""
    total = 0
    for path in cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count"):
        try:
            total += int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):  # this CPU was taken offline
            continue
    return total


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _temperature() -> float | None:
    """Return the highest reading (degC) of the best CPU sensor."""
    if not hasattr(psutil, "sensors_temperatures"):  # Linux and FreeBSD only
        return None
    chips = psutil.sensors_temperatures()
    for name in _CPU_SENSORS:
        if chips.get(name):
            return max(float(entry.current) for entry in chips[name])
    return None


def _clock_hz() -> float | None:
    frequency = psutil.cpu_freq()
    return frequency.current * 1e6 if frequency is not None and frequency.current else None


def _seen() -> str:
    seen = ["load", "memory"]
    seen += ["temperature"] if _temperature() is not None else []
    seen += ["clock"] if _clock_hz() is not None else []
    return ", ".join(seen)


METER = SamplerMeter
