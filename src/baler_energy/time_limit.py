"""A time limit that several tasks in a row share."""

import time
from collections.abc import Callable

__all__ = ["TimeLimit"]


class TimeLimit:
    """A time limit (s), which starts to count when it is made.

    Parameters
    ----------
    limit_s
        The limit.
    now_s
        The clock: seconds from any start, never backwards.
    """

    def __init__(self, limit_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._start_s = now_s()
        self._limit_s = limit_s

    def over(self, share: float = 1.0) -> bool:
        """Whether a share of the time is over, so that later tasks keep the rest."""
        return self._now_s() - self._start_s >= share * self._limit_s
