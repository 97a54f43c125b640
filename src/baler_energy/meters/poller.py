"""A thread that calls a function at intervals and limits its own cost."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from statistics import median

__all__ = ["Poller", "least_pause_s"]

#: Share of one CPU that a poller may use: slow reads lengthen the interval. The interval is limited because counters
#: wrap within a minute at 5 kW.
_COST_LIMIT, _LONGEST_PAUSE_S = 0.005, 10.0
#: Number of recent reads whose median cost counts; the median ignores a read slowed by garbage collection.
_RECENT = 5


def least_pause_s(costs_s: Collection[float]) -> float:
    """Return the minimum time (s) from the end of a read to the next.

    Parameters
    ----------
    costs_s
        CPU times of the last reads (s); empty: no pause is needed.
    """
    return min(median(costs_s) / _COST_LIMIT, _LONGEST_PAUSE_S) if costs_s else 0.0


class Poller:
    """Calls `read` every `interval_s` in a separate thread, starting immediately.

    Parameters
    ----------
    read
        Function to call; it should handle its own errors. An exception is kept in `error`, and polling continues.
    interval_s
        Time between calls (s); longer, up to 10 s, if the calls would use more than half a percent of a CPU.
    """

    def __init__(self, read: Callable[[], None], interval_s: float) -> None:
        self.error: Exception | None = None
        self._read = read
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="baler-energy-poller", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it; may be called twice or without `start`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        due_s = time.monotonic()
        costs_s: deque[float] = deque(maxlen=_RECENT)
        for number in itertools.count():
            if self._stop.is_set():
                return
            begin_s = time.thread_time()
            try:
                self._read()
            except Exception as error:
                self.error = error
            if number > 0:  # the first read is slow: it fills the caches
                costs_s.append(time.thread_time() - begin_s)
            due_s = max(due_s + self._interval_s, time.monotonic() + least_pause_s(costs_s))
            self._stop.wait(max(0.0, due_s - time.monotonic()))
