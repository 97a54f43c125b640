"""How often a counter changes: the tick that limits what a window resolves."""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

__all__ = ["watch_tick"]

#: Changes after which the tick is known well enough, and below which it is not known at all.
_ENOUGH, _FEWEST = 20, 4
#: Pause between reads: well below the millisecond in which RAPL ticks, and no burden to the machine.
_PAUSE_S = 0.0001


def watch_tick(read: Callable[[], float], limit_s: float) -> float | None:
    """Watch a counter for the time between its changes.

    Parameters
    ----------
    read
        Reads the counter.
    limit_s
        How long to watch at most (s).

    Returns
    -------
    float or None
        Median time between changes (s); None where it changed fewer than four times. Where reading is slower than the
        counter ticks, it is the time between reads: no window is the worse for that.
    """
    end_s = time.monotonic() + limit_s
    last = read()
    changes_s: list[float] = []
    while time.monotonic() < end_s and len(changes_s) <= _ENOUGH:
        time.sleep(_PAUSE_S)
        value = read()
        if value != last:
            last = value
            changes_s.append(time.monotonic())
    if len(changes_s) < _FEWEST:
        return None
    return median(later - earlier for earlier, later in pairwise(changes_s))
