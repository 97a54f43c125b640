"""What the operating system counts for this process and its children."""

import resource
from collections.abc import Sequence
from pathlib import Path

import psutil

from baler_energy.meters.base import Channel, Meter
from baler_energy.meters.contamination import tree_cpu_s
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["ProcessMeter"]

_UNIT_B = 1024  # of Linux's ru_maxrss and VmHWM


class ProcessMeter(Meter):
    """CPU time, peak resident memory and bytes read and written, of this process and its children.

    Bytes are those of read and write calls, from whatever file, pipe or cache; pages of a mapped file are not among
    them. The memory peak is that of the largest single process.
    """

    name = MeterName.PROCESS

    def __init__(self) -> None:
        self._cpu_s = 0.0
        self._bytes: tuple[int, int] | None = None
        self._own_peak_b = 0
        self._child_peak_b = 0
        self._peak_was_reset = False
        self._readings: list[Reading] = []

    def channels(self) -> Sequence[Channel]:
        """Say that the operating system's counters are there."""
        return (
            Channel("process", Evidence.MEASURED, "CPU time, memory and input/output of the process", energy=False),
        )

    def begin(self) -> None:
        """Read the counters and forget the memory peak so far."""
        self._peak_was_reset = _reset_peak()
        self._own_peak_b = _peak_b(resource.RUSAGE_SELF)
        self._child_peak_b = _peak_b(resource.RUSAGE_CHILDREN)
        self._bytes = _bytes()
        self._cpu_s = tree_cpu_s()

    def end(self) -> None:
        """Read the counters at the end of the window."""
        cpu_s = tree_cpu_s() - self._cpu_s
        now = _bytes()
        reason = None if now and self._bytes else "the kernel does not count this process's input and output"
        read, written = (None, None)
        if now and self._bytes:
            read, written = (later - earlier for later, earlier in zip(now, self._bytes, strict=True))
        peak_b = self._window_peak_b()
        lost = None if peak_b else "the peak was reached before the window, and the kernel does not let it be reset"
        self._readings = [
            Reading.of(self.name, "process", Quantity.CPU_TIME, max(0.0, cpu_s)),
            Reading.of(self.name, "process", Quantity.MEMORY_PEAK, peak_b, reason=lost),
            Reading.of(self.name, "process", Quantity.BYTES_READ, read, reason=reason),
            Reading.of(self.name, "process", Quantity.BYTES_WRITTEN, written, reason=reason),
        ]

    def readings(self) -> list[Reading]:
        """Give CPU time, memory peak and bytes of the window."""
        return self._readings

    def _window_peak_b(self) -> int | None:
        own_b = _peak_b(resource.RUSAGE_SELF)
        child_b = _peak_b(resource.RUSAGE_CHILDREN)
        peaks = []
        if self._peak_was_reset:
            peaks.append(_reset_peak_b())
        elif own_b > self._own_peak_b:
            peaks.append(own_b)
        else:
            return None
        if child_b > self._child_peak_b:
            peaks.append(child_b)
        return max(peaks)


def _peak_b(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * _UNIT_B


def _reset_peak() -> bool:
    """Let Linux forget the resident peak of this process (``VmHWM``)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _reset_peak_b() > 0
    except OSError:
        return False


def _reset_peak_b() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _UNIT_B
    return 0


def _bytes() -> tuple[int, int] | None:
    try:
        counters = psutil.Process().io_counters()
    except (psutil.Error, OSError, AttributeError):
        return None
    return counters.read_chars, counters.write_chars
