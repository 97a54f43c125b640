"""Lines that copy data: NumPy's allocations and torch's copies, line by line, with each line's share of the time."""

import linecache
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import baler_energy
from baler_energy.errors import UnavailableError
from baler_energy.profilers.base import Profiler, Watched
from baler_energy.profilers.hotspots import Hotspot, short_path

__all__ = ["PROFILER", "profile"]

#: Lines that copy less than this share of the profiled rows' bytes are left out.
_SMALLEST_COPY = 0.02
#: NumPy arrays smaller than this share of a batch cannot be distinguished from Python's own objects.
_SMALLEST_ARRAY = 0.125
#: torch's operators that copy existing values: to a new place, in a new order or in another format.
_COPYING = frozenset({"stack", "cat", "clone", "copy_", "_to_copy", "index", "index_select", "gather", "repeat"})
#: Python runs these as separate functions, but they belong to the line that contains them. Tracing each of their steps
#: would take far longer than the step itself.
_WITHIN_A_LINE = frozenset({"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>"})
_Line = tuple[str, int]


@dataclass
class _Cost:
    calls: int = 0
    seconds: float = 0.0
    allocated_bytes: int = 0
    copied_bytes: int = 0


def profile(
    of_batches: Callable[[], Callable[[], object]], folder: Path, *, at_once_bytes: int, smallest_bytes: int
) -> list[Hotspot]:
    """Run an operation twice: once for the time and once for the bytes of each line.

    Parameters
    ----------
    of_batches
        Returns the operation, with all preparation done.
    folder
        Only lines in its files are traced. Calls into other files count for the calling line.
    at_once_bytes
        Smaller single allocations are taken as Python's own objects and not counted.
    smallest_bytes
        Lines that copy less in total are left out.

    Returns
    -------
    list of Hotspot
        Rows of kind ``copy``, most bytes first. ``bytes`` is the memory that the line allocated for NumPy arrays plus
        the bytes that torch's copying operators wrote; the shares are shares of time. Results of torch's matrix
        products, activations and gradients are not copies, and are left out.
    """
    timed = _Lines(folder, at_once_bytes, time.perf_counter)
    timed.watch(of_batches())
    whole_s = sum(cost.seconds for cost in timed.costs.values())
    operation = of_batches()
    tracemalloc.start()
    try:
        weighed = _Lines(folder, at_once_bytes, lambda: 0.0)
        with _Copying(weighed):
            weighed.watch(operation)
    finally:
        tracemalloc.stop()
    rows = []
    for line, cost in weighed.costs.items():
        moved, seconds = cost.allocated_bytes + cost.copied_bytes, timed.costs.get(line, _Cost()).seconds
        if moved >= smallest_bytes:
            share, (file, number) = seconds / whole_s, line
            text = linecache.getline(file, number).strip()
            place = {"file": short_path(file), "line": number, "calls": cost.calls, "bytes": moved}
            times = {"self_time_s": seconds, "total_time_s": seconds, "self_share": share, "total_share": share}
            rows.append(Hotspot(kind="copy", name=text, **place, **times))  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: row.bytes or 0, reverse=True)


class _Lines:
    """Traces the lines of a folder's files; time and bytes count for the line that was started last."""

    def __init__(self, folder: Path, at_once_bytes: int, clock: Callable[[], float]) -> None:
        self.costs: dict[_Line, _Cost] = {}
        self._folder = f"{folder}{os.sep}"
        self._at_once_bytes = at_once_bytes
        self._clock = clock
        self._stack: list[_Line] = []
        self._since_s = 0.0
        self._held_bytes = 0

    def watch(self, operation: Callable[[], object]) -> None:
        """Run `operation` and trace it."""
        before = sys.gettrace()
        self._settle(None)
        sys.settrace(self._enter)
        try:
            operation()
        finally:
            sys.settrace(before)

    def copied(self, count: int) -> None:
        """Add bytes that torch copied to the current line."""
        if self._stack:
            self._cost(self._stack[-1]).copied_bytes += count

    def _cost(self, line: _Line) -> _Cost:
        return self.costs.setdefault(line, _Cost())

    def _settle(self, line: _Line | None) -> None:
        """Add the time and the allocations since the last event to a line."""
        now_s = self._clock()
        current, peak = tracemalloc.get_traced_memory()
        if line is not None:
            cost = self._cost(line)
            cost.seconds += now_s - self._since_s
            new_bytes = peak - self._held_bytes
            cost.allocated_bytes += new_bytes if new_bytes >= self._at_once_bytes else 0
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
        self._since_s, self._held_bytes = self._clock(), current

    def _enter(self, frame: FrameType, event: str, _argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(self._folder) or code.co_filename == __file__:
            return None
        if code.co_name in _WITHIN_A_LINE:
            return None
        self._settle(self._stack[-1] if self._stack else None)
        self._stack.append((frame.f_code.co_filename, frame.f_lineno))
        return self._follow

    def _follow(self, frame: FrameType, event: str, _argument: Any) -> Any:
        self._settle(self._stack[-1] if self._stack else None)
        if event == "line":
            line = (frame.f_code.co_filename, frame.f_lineno)
            self._stack[-1:] = [line]
            self._cost(line).calls += 1
        elif event == "return" and self._stack:
            self._stack.pop()
        return self._follow


class _Copying(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes that torch's copying operators write."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._lines = lines

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in _COPYING and isinstance(result, torch.Tensor):
            self._lines.copied(result.numel() * result.element_size())
        return result


def _profile_job(job: Watched, _out: Path) -> list[Hotspot]:
    smallest = round(_SMALLEST_COPY * job.part(job.max_batches).data.nbytes)
    found = profile(
        lambda: job.of_batches(job.max_batches),
        Path(baler_energy.__file__).parent,
        at_once_bytes=round(_SMALLEST_ARRAY * job.part(1).data.nbytes),
        smallest_bytes=smallest,
    )
    if not found:
        raise UnavailableError(f"no line copies at least {smallest} bytes.")
    return found


PROFILER = Profiler(_profile_job)
