"""A thread that reads something at intervals and keeps its own cost small."""

import threading
import time
from collections.abc import Callable

__all__ = ["Poller"]

#: Share of one CPU that a poller may take: where a read is slow, the interval grows.
_COST_LIMIT = 0.005


class Poller:
    """Calls `read` every `interval_s`, first at once, in a thread of its own.

    Parameters
    ----------
    read
        What to do; it deals with its own errors. One that it passes on is kept in `error`, and polling goes on.
    interval_s
        Time between calls; longer where a call takes more than half a percent of it.
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
        while not self._stop.is_set():
            begin_s = time.thread_time()
            try:
                self._read()
            except Exception as error:
                self.error = error
            cost_s = time.thread_time() - begin_s
            due_s = max(due_s + self._interval_s, time.monotonic() + cost_s / _COST_LIMIT)
            self._stop.wait(max(0.0, due_s - time.monotonic()))
