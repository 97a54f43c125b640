"""The operating system's counters of this process and its children."""

import os
import resource
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from baler_energy.meters.base import Channel, Meter
from baler_energy.meters.contamination import tree_cpu_s
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["METER", "ProcessMeter"]

_OUTLIVED = "a process outlived its parent, which then does not count what it {}"
_UNIT_B = 1024  # of Linux's ru_maxrss and VmHWM


class ProcessMeter(Meter):
    """CPU time, peak resident memory, and bytes read and written by this process and its children.

    Bytes are those of read and write calls to any file or pipe, cached or not; accesses to memory-mapped files are not
    counted. The memory peak is that of the largest single process: this one, a running child or one that has ended.
    """

    name = MeterName("process")
    edge = 10

    def __init__(self) -> None:
        self._cpu_s = 0.0
        self._bytes: tuple[int, int] | None = None
        self._before: dict[psutil.Process, _Peak] = {}
        self._ended_peak_b = 0
        self._readings: list[Reading] = []

    def channels(self) -> Sequence[Channel]:
        """Report the operating system's counters, which are always available."""
        return (
            Channel("process", Evidence.MEASURED, "CPU time, memory and input/output of the process", energy=False),
        )

    def begin(self) -> None:
        """Read the counters and reset the memory peak."""
        self._before = {process: _reset_peak(process) for process in _tree()}
        self._ended_peak_b = _ended_peak_b()
        self._bytes = _bytes()
        self._cpu_s = tree_cpu_s()

    def end(self) -> None:
        """Read the counters at the end of the window."""
        cpu_s = tree_cpu_s() - self._cpu_s
        now, reason = _bytes(), "the kernel does not report input and output of this process and its children"
        used = [later - earlier for later, earlier in zip(now, self._bytes, strict=True)] if now and self._bytes else []
        if min(used, default=0) < 0:
            used, reason = [], _OUTLIVED.format("read and wrote")
        read, written = used or (None, None)
        peak_b = self._peak_b()
        lost = None if peak_b else "the peak was reached before the window, and the kernel does not allow resetting it"
        self._readings = [
            self._cpu_time(cpu_s),
            Reading.of(self.name, "process", Quantity.MEMORY_PEAK, peak_b, reason=lost),
            Reading.of(self.name, "process", Quantity.BYTES_READ, read, reason=None if used else reason),
            Reading.of(self.name, "process", Quantity.BYTES_WRITTEN, written, reason=None if used else reason),
        ]

    def _cpu_time(self, cpu_s: float) -> Reading:
        known = cpu_s >= 0
        reason = None if known else _OUTLIVED.format("used")
        return Reading.of(self.name, "process", Quantity.CPU_TIME, cpu_s if known else None, reason=reason)

    def readings(self) -> list[Reading]:
        """Return CPU time, memory peak and bytes of the window."""
        return self._readings

    def _peak_b(self) -> int | None:
        """Return the largest peak in the window; None if a larger peak may date from before the window."""
        known, doubtful = [], []
        for process in _tree():
            before, now_b = self._before.get(process), _resident_peak_b(process)
            if before is None or before.was_reset or now_b > before.value_b:
                known.append(now_b)
            else:
                doubtful.append(now_b)
        if (ended_b := _ended_peak_b()) > self._ended_peak_b:
            known.append(ended_b)
        largest_b = max(known, default=0)
        return largest_b if largest_b >= max(doubtful, default=0) else None


@dataclass(frozen=True)
class _Peak:
    """Peak of a process's resident memory at the window's start, and whether the kernel has reset it."""

    value_b: int
    was_reset: bool


def _tree() -> list[psutil.Process]:
    """List this process and its running descendants."""
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _reset_peak(process: psutil.Process) -> _Peak:
    """Let Linux reset the resident peak of a process (``VmHWM``), and read it."""
    try:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
        was_reset = True
    except OSError:
        was_reset = False
    value_b = _resident_peak_b(process)
    return _Peak(value_b, was_reset and value_b > 0)


def _resident_peak_b(process: psutil.Process) -> int:
    """Read a process's resident peak; 0 if it has ended or the system does not report other processes' peaks."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_B if process.pid == os.getpid() else 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) * _UNIT_B if lines else 0


def _ended_peak_b() -> int:
    """Return the largest peak of the children that have ended and have been waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT_B


def _bytes() -> tuple[int, int] | None:
    """Return the bytes read and written by this process, its running descendants, and those it has waited for."""
    read = written = 0
    try:
        for process in _tree():
            with suppress(psutil.NoSuchProcess):
                counters = process.io_counters()
                read, written = read + counters.read_chars, written + counters.write_chars
    except (psutil.Error, OSError, AttributeError):
        return None
    return read, written


METER = ProcessMeter
