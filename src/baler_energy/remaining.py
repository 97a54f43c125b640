"""The line that reports, while Snakemake runs, how many steps and about how many minutes are left."""

import logging
import time
from collections.abc import Callable, Mapping

from baler_energy.progress import announce

__all__ = ["RemainingTime"]

#: Minimum time between two lines (s).
_INTERVAL_S = 15.0


class RemainingTime(logging.Handler):
    """Follows the starts and ends of jobs in Snakemake's log, and reports from time to time how much is left.

    Parameters
    ----------
    left
        Returns the number of unfinished jobs by rule.
    guess_s
        Expected duration of a job by rule (s), until one has finished; rules without a guess use the mean of all jobs.
    """

    def __init__(self, left: Callable[[], Mapping[str, int]], guess_s: Mapping[str, float]) -> None:
        super().__init__()
        self._left, self._guess_s = left, guess_s
        self._begin_s = self._said_s = time.monotonic()
        self._running: dict[int, tuple[str, float]] = {}
        self._took_s: dict[str, list[float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Process an event of the log."""
        event, now_s = getattr(record, "event", None), time.monotonic()
        if event == "job_info":
            facts = vars(record)
            self._running[facts["jobid"]] = (facts["rule_name"], now_s)
        elif event == "job_finished":
            rule, start_s = self._running.pop(vars(record)["job_id"], (None, now_s))
            if rule is not None:
                self._took_s.setdefault(rule, []).append(now_s - start_s)
        elif event == "progress" and now_s - self._said_s >= _INTERVAL_S and self._took_s:
            self._said_s = now_s
            if left := self._left():
                announce(self.sentence(left, now_s))

    def sentence(self, left: Mapping[str, int], now_s: float) -> str:
        """Describe how much is left, from the mean duration of each rule's jobs and the mean number run in parallel."""
        all_s = [took_s for times_s in self._took_s.values() for took_s in times_s]
        means_s = {rule: sum(times_s) / len(times_s) for rule, times_s in self._took_s.items()}
        expected_s = dict.fromkeys(left, sum(all_s) / len(all_s)) | dict(self._guess_s) | means_s
        running_s = sum(now_s - start_s for _, start_s in self._running.values())
        at_a_time = max(1.0, (sum(all_s) + running_s) / (now_s - self._begin_s))
        left_s = sum(count * expected_s[rule] for rule, count in left.items()) - running_s
        minutes = max(1, round(max(0.0, left_s) / at_a_time / 60))
        count = sum(left.values())
        steps = ", ".join(f"{number} {rule}" for rule, number in left.items())
        return f"{count} step{'s' if count > 1 else ''} left, about {minutes} min: {steps}."
