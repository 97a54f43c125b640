"""Python functions and their call tree, by the standard library's cProfile."""

import cProfile
import pstats
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from baler_energy.files import atomic_path
from baler_energy.profilers import tree
from baler_energy.profilers.hotspots import Hotspot, short_path, top

__all__ = ["hotspots_of", "profile"]

#: Where an object lay in memory says nothing and differs from run to run.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def profile(operation: Callable[[], object], stats_file: Path) -> list[Hotspot]:
    """Run `operation` under cProfile.

    Parameters
    ----------
    operation
        What to profile.
    stats_file
        Where the profile goes, for pstats or snakeviz.

    Returns
    -------
    list of Hotspot
        The functions with the largest self time, and the call tree. Memory and FLOPs are unknown to cProfile.
    """
    profiler = _Profile()
    profiler.runcall(operation)
    with atomic_path(stats_file) as temporary:
        profiler.dump_stats(temporary)
    return hotspots_of(pstats.Stats(profiler))


class _Profile(cProfile.Profile):
    """cProfile that adds up functions of one file, line and name, such as the ``__init__`` of all dataclasses.

    The standard library's own `snapshot_stats` keeps only the last of them, so that the time of the others is in no
    function's self time, and shares of the whole exceed one.
    """

    def snapshot_stats(self) -> None:
        """Set ``stats``: by function its primitive calls, calls, self time, time with callees (s), and callers."""
        entries = self.getstats()
        found: dict[Any, list[Any]] = {}
        for entry in entries:
            counts = (entry.callcount - entry.reccallcount, entry.callcount, entry.inlinetime, entry.totaltime)
            known = found.setdefault(cProfile.label(entry.code), [0, 0, 0.0, 0.0, {}])
            known[:4] = (one + more for one, more in zip(known[:4], counts, strict=True))
        for entry in entries:
            caller = cProfile.label(entry.code)
            for call in entry.calls or ():
                counts = (call.callcount, call.callcount - call.reccallcount, call.inlinetime, call.totaltime)
                callers = found[cProfile.label(call.code)][4]
                earlier = callers.get(caller, (0, 0, 0.0, 0.0))
                callers[caller] = tuple(one + more for one, more in zip(earlier, counts, strict=True))
        self.stats = {function: tuple(known) for function, known in found.items()}


def hotspots_of(stats: pstats.Stats) -> list[Hotspot]:
    """Take the functions with the largest self time, and the call tree, from a profile."""
    # {(file, line, name): (primitive calls, calls, self time, time with callees, callers)}, and of each caller (calls,
    # primitive calls, self time, time with callees) for its calls alone; not in the typed interface.
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
    """Name a function; what is written in C has neither file nor line ("~" and 0 to cProfile)."""
    return (None, None, name) if file == "~" else (short_path(file), line, name)


def _without_addresses(row: Hotspot) -> Hotspot:
    stack = None if row.stack is None else _ADDRESS.sub("", row.stack)
    return replace(row, name=_ADDRESS.sub("", row.name), stack=stack)
