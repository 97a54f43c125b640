"""The iterations of a window: the duration of each, and its energy if a counter resolves it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median, quantiles

from baler_energy.records import IterationTimes, Reading
from baler_energy.vocabulary import Evidence, Quantity

__all__ = ["SESSION", "Iterations", "iteration_times"]

#: Value of the column ``meter`` for rows recorded by the session itself.
SESSION = "session"
#: Counters are only read after iterations of at least this length (s), as reading RAPL takes 0.2 ms.
_LONG_S = 0.05
#: A counter resolves an iteration if its error bound is at most this share of the iteration's energy.
_RESOLVED = 0.1


class Iterations:
    """Records the edges of a window's iterations.

    Parameters
    ----------
    read_energies_j
        Reads the energies (J) of the hardware counters since the window opened, keyed "<meter>/<component>".
    start_s
        The window's start (`time.monotonic`).
    """

    def __init__(self, read_energies_j: Callable[[], Mapping[str, float]], start_s: float) -> None:
        self._read = read_energies_j
        self._edges_s = [start_s]
        self._energies_j: list[tuple[int, Mapping[str, float]]] = []

    def ended(self) -> float:
        """Record the end of an iteration; return the time since the window's start (s)."""
        now_s = time.monotonic()
        self._edges_s.append(now_s)
        if now_s - self._edges_s[-2] >= _LONG_S:
            self._energies_j.append((len(self._edges_s) - 1, self._read()))
        return now_s - self._edges_s[0]

    def __len__(self) -> int:
        return len(self._edges_s) - 1

    @property
    def durations_s(self) -> list[float]:
        """Duration of each iteration (s), including the counter read that follows the previous iteration."""
        return [later - earlier for earlier, later in pairwise(self._edges_s)]

    def rows(self, readings: Sequence[Reading]) -> Iterator[tuple[float, str, str, str, float, str, Evidence]]:
        """Yield rows of the time series: end time, meter, component, quantity, value, unit, evidence.

        The first iteration has no energy, because no counter is read at its start.

        Parameters
        ----------
        readings
            Readings of the whole window; their bounds determine which counters resolve an iteration.
        """
        for end_s, duration_s in zip(self._edges_s[1:], self.durations_s, strict=True):
            yield end_s, SESSION, "machine", "iteration_duration", duration_s, "s", Evidence.MEASURED
        for reading in readings:
            if reading.quantity is Quantity.ENERGY and reading.evidence is Evidence.MEASURED:
                for end_s, energy_j in self._resolved(f"{reading.meter}/{reading.component}", reading.bound):
                    yield end_s, reading.meter, reading.component, "iteration_energy", energy_j, "J", reading.evidence

    def _resolved(self, name: str, bound_j: float | None) -> list[tuple[float, float]]:
        """Return end (s) and energy (J) of iterations with a read at both edges; [] if the counter is too coarse."""
        found = [
            (self._edges_s[end], after[name] - before[name])
            for (start, before), (end, after) in pairwise(self._energies_j)
            if end == start + 1 and name in before and name in after
        ]
        if bound_j is None or not found or bound_j > _RESOLVED * median(energy_j for _, energy_j in found):
            return []
        return found


def iteration_times(durations_s: Sequence[float]) -> IterationTimes:
    """Summarise the durations (s) of a window's iterations; quartiles by linear interpolation."""
    # `quantiles` rejects a single value.
    several = durations_s if len(durations_s) > 1 else [*durations_s] * 2
    lower_s, middle_s, upper_s = quantiles(several, n=4, method="inclusive")
    return IterationTimes(
        lower_quartile_s=lower_s, median_s=middle_s, upper_quartile_s=upper_s, longest_s=max(durations_s)
    )
