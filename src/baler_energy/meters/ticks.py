"""The tick of a counter (the time between its changes), which limits the resolution of a window."""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median

__all__ = ["watch_ticks"]

#: Number of intervals between changes that determine a tick well enough.
_ENOUGH = 20
#: Pause between reads (s): well below RAPL's tick of a millisecond, but long enough not to load the machine.
_PAUSE_S = 0.0001


def watch_ticks(read: Callable[[], Mapping[str, float]], limit_s: float, *, fewest: int = 4) -> dict[str, float | None]:
    """Measure the time between changes of counters.

    Parameters
    ----------
    read
        Reads the counters.
    limit_s
        Maximum time to watch (s).
    fewest
        Minimum number of changes to determine a tick.

    Returns
    -------
    dict
        The median time between changes (s) of each counter; None if it changed too seldom. If a read takes longer than
        a tick, this is the time between reads, which is a safe (larger) value.
    """
    end_s, last = time.monotonic() + limit_s, dict(read())
    changes_s: dict[str, list[float]] = {name: [] for name in last}
    while time.monotonic() < end_s and any(len(times_s) <= _ENOUGH for times_s in changes_s.values()):
        time.sleep(_PAUSE_S)
        for name, value in read().items():
            if name in last and value != last[name]:
                last[name] = value
                changes_s[name].append(time.monotonic())
    return {
        name: median(later - earlier for earlier, later in pairwise(times_s))
        if len(times_s) >= max(2, fewest)
        else None
        for name, times_s in changes_s.items()
    }
