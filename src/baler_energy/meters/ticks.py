"""How often counters change: the tick that limits what a window resolves."""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median

__all__ = ["watch_ticks"]

#: Changes after which a tick is known well enough.
_ENOUGH = 20
#: Pause between reads: well below the millisecond in which RAPL ticks, and no burden to the machine.
_PAUSE_S = 0.0001


def watch_ticks(read: Callable[[], Mapping[str, float]], limit_s: float, *, fewest: int = 4) -> dict[str, float | None]:
    """Watch counters for the time between their changes.

    Parameters
    ----------
    read
        Reads the counters.
    limit_s
        How long to watch at most (s).
    fewest
        Changes below which a tick is not known.

    Returns
    -------
    dict
        For each counter the median time between changes (s); None where it changed too seldom. Where reading is slower
        than a counter ticks, it is the time between reads: no window is the worse for that.
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
