"""A thread that reads something at intervals and keeps its own cost small."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from statistics import median

__all__ = ["Poller", "least_pause_s"]

#: Share of one CPU that a poller may take: where reads are slow, the interval grows, but not without end, since the
#: counters of a machine at 5 kW wrap within a minute.
_COST_LIMIT, _LONGEST_PAUSE_S = 0.005, 10.0
#: Reads whose median cost counts. A single slow one, into which a garbage collection fell, says nothing.
_RECENT = 5


def least_pause_s(costs_s: Collection[float]) -> float:
    """Least time from the end of a read to the next (s).

    Parameters
    ----------
    costs_s
        CPU time of the last reads (s); none yet: no pause is needed.
    """
    return min(median(costs_s) / _COST_LIMIT, _LONGEST_PAUSE_S) if costs_s else 0.0


class Poller:
    """Calls `read` every `interval_s`, first at once, in a thread of its own.

    Parameters
    ----------
    read
        What to do; it deals with its own errors. One that it passes on is kept in `error`, and polling goes on.
    interval_s
        Time between calls; longer, up to 10 s, where calls take more than half a percent of it.
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
        """Stop the thread and wait for it; may be called twice, and without `start`."""
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
