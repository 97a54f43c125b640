"""Python functions and their call tree, by the standard library's cProfile."""

import cProfile
import pstats
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from baler_energy.files import atomic_path
from baler_energy.profilers import tree
from baler_energy.profilers.base import Profiler
from baler_energy.profilers.hotspots import Hotspot, short_path, top

__all__ = ["PROFILER", "STATS", "added_up", "hotspots_of", "profile"]

#: File of the profile, for pstats or snakeviz.
STATS = "profile.pstats"

#: Calls, recursive calls among them, self time (s), time including callees (s).
Numbers = tuple[int, int, float, float]

#: An object's memory address differs from run to run, and is meaningless.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def profile(operation: Callable[[], object], stats_file: Path) -> list[Hotspot]:
    """Run `operation` under cProfile.

    Parameters
    ----------
    operation
        The operation to profile.
    stats_file
        Output file of the profile, for pstats or snakeviz.

    Returns
    -------
    list of Hotspot
        The functions with the largest self time, and the call tree. cProfile does not measure memory and FLOPs.
    """
    profiler = _Profile()
    profiler.runcall(operation)
    with atomic_path(stats_file) as temporary:
        profiler.dump_stats(temporary)
    return hotspots_of(pstats.Stats(profiler))


class _Profile(cProfile.Profile):
    """cProfile with a corrected `snapshot_stats`; see `added_up`."""

    def snapshot_stats(self) -> None:
        """Set ``stats``."""
        self.stats = added_up(
            (_place(entry), _numbers(entry), [(_place(call), _numbers(call)) for call in entry.calls or ()])
            for entry in self.getstats()
        )


def _place(entry: Any) -> tuple[str, int, str]:
    place: tuple[str, int, str] = cProfile.label(entry.code)
    return place


def _numbers(entry: Any) -> Numbers:
    return entry.callcount, entry.reccallcount, entry.inlinetime, entry.totaltime


def added_up(entries: Iterable[tuple[Any, Numbers, Iterable[tuple[Any, Numbers]]]]) -> dict[Any, Any]:
    """Make the ``stats`` of pstats, adding up functions with the same file, line and name.

    The ``__init__`` methods of all dataclasses share these. The standard library keeps only the last of them, so the
    time of the others is lost from the self times, and shares of the whole exceed one.

    Parameters
    ----------
    entries
        For each function, its place (file, line, name), its `Numbers`, and the place and `Numbers` of each of its
        callees.

    Returns
    -------
    dict
        By place: primitive calls, calls, self time (s), time including callees (s), and a dict of callers. By the
        caller's place, this holds the calls, the primitive calls and both times of its calls.
    """
    found: dict[Any, Any] = {}
    called: dict[tuple[Any, Any], Any] = {}
    for place, (calls, recursive, *times_s), callees in entries:
        found[place] = _sum(found.get(place), (calls - recursive, calls, *times_s))
        for callee, (calls, recursive, *times_s) in callees:
            called[callee, place] = _sum(called.get((callee, place)), (calls, calls - recursive, *times_s))
    stats = {place: (*numbers, {}) for place, numbers in found.items()}
    for (callee, caller), numbers in called.items():
        stats[callee][4][caller] = numbers
    return stats


def _sum(one: Sequence[float] | None, other: Sequence[float]) -> tuple[float, ...]:
    return tuple(other) if one is None else tuple(a + b for a, b in zip(one, other, strict=True))


def hotspots_of(stats: pstats.Stats) -> list[Hotspot]:
    """Extract the functions with the largest self time, and the call tree, from a profile."""
    # {(file, line, name): (primitive calls, calls, self time, time including callees, callers)}; each caller has
    # (calls, primitive calls, self time, time including callees) of its own calls. Not in the typed interface.
    functions: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = vars(stats)["stats"]
    whole_s = sum(entry[2] for entry in functions.values()) or 1.0
    hotspots = top(
        Hotspot(
            kind="function",
            name=name,
            file=file,
            line=line,
            calls=calls,
            self_share=self_s / whole_s,
            total_share=total_s / whole_s,
            self_time_s=self_s,
            total_time_s=total_s,
        )
        for (file, line, name), (_, calls, self_s, total_s, _) in (
            (_frame(*key), entry) for key, entry in functions.items()
        )
    )
    pairs = {
        _frame(*key): (
            calls,
            self_s,
            total_s,
            {_frame(*caller): (edge[0], edge[3]) for caller, edge in callers.items()},
        )
        for key, (_, calls, self_s, total_s, callers) in functions.items()
    }
    return [_without_addresses(row) for row in hotspots + tree.from_pairs(pairs)]


def _frame(file: str, line: int, name: str) -> tree.Frame:
    """Return a function's frame; C functions have neither file nor line ("~" and 0 in cProfile)."""
    return (None, None, name) if file == "~" else (short_path(file), line, name)


def _without_addresses(row: Hotspot) -> Hotspot:
    stack = None if row.stack is None else _ADDRESS.sub("", row.stack)
    return replace(row, name=_ADDRESS.sub("", row.name), stack=stack)


PROFILER = Profiler(lambda job, out: profile(job.of_batches(job.max_batches), out / STATS))
