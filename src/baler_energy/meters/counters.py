"""Energy counters that wrap, stop, reset or copy each other: their arithmetic and the detection of faults."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import combinations

__all__ = ["CopyWatch", "RisingCounter", "StillWatch", "TwinWatch", "WrappingCounter", "unwrap"]

#: Over shorter times a single tick (about 1 ms of energy) may look like a huge power.
_TICK_GRACE_S = 0.1
#: Number of ticks, and minimum time (s), for which a counter may stay unchanged. Over that time one RAPL unit (61 uJ)
#: is 0.3 mW. Every package, memory or platform draws more, so a counter that stays unchanged for longer is broken.
_STILL_TICKS, _STILL_FLOOR_S = 3, 0.2
#: Two counters are one if their counts differ by at most this much (J) plus what is used while both are read, and their
#: energies by at most this share. Independent counters of some 262 kJ, which start at different times, are that close
#: with a probability of 1e-5.
_SAME_J, _SAME_SHARE = 1.0, 0.01
#: Most energy (J) of a tick of a GPU's counter, which may come between the reads of two counters.
_TICK_J = 1000.0


def unwrap(counts_uj: Sequence[int], max_uj: int) -> list[int]:
    """Convert the readings of a wrapping counter to the energy since the first reading.

    Parameters
    ----------
    counts_uj
        Readings in order (microjoule), each within [0, max_uj], with at most one wrap between two readings.
    max_uj
        ``max_energy_range_uj``, at which the counter wraps to 0.

    Returns
    -------
    list of int
        Energy since the first reading (microjoule), non-decreasing, with the length of `counts_uj`.

    Raises
    ------
    ValueError
        A reading is outside the range.
    """
    totals: list[int] = []
    for index, count in enumerate(counts_uj):
        if not 0 <= count <= max_uj:
            raise ValueError(f"count {count} lies outside the counter's range 0 to {max_uj}")
        step = count - counts_uj[index - 1] if index else 0
        totals.append((totals[-1] if totals else 0) + (step if step >= 0 else step + max_uj))
    return totals


class StillWatch:
    """Detects a counter that has stopped for more than three ticks (at least 0.2 s).

    The time runs from the first to the last reading of the same count, so a late reading does not count as a stop.

    Parameters
    ----------
    tick_s
        The counter's tick (s).
    """

    def __init__(self, tick_s: float) -> None:
        self._limit_s = max(_STILL_TICKS * tick_s, _STILL_FLOOR_S)
        self._count: float | None = None
        self._since_s = 0.0

    def stopped(self, count: float, time_s: float, *, loaded: bool = True) -> str | None:
        """Process a reading; return a message if the counter has stopped for too long, else None.

        Parameters
        ----------
        count
            The reading.
        time_s
            Its time (s).
        loaded
            Whether the hardware was busy since the last reading; if not, the counter may stop.
        """
        if count != self._count or not loaded:
            self._count, self._since_s = count, time_s
            return None
        still_s = time_s - self._since_s
        return f"it stopped for {still_s:.2f} s" if still_s > self._limit_s else None


class WrappingCounter:
    """The unwrapped total of a counter, with checks for missed wraps and resets.

    Parameters
    ----------
    max_uj
        Value at which it wraps (microjoule).
    limit_w
        Highest possible power (W).
    tick_s
        The counter's tick (s): a reading may include that much time, however soon it follows the last one.
    """

    def __init__(self, max_uj: int, limit_w: float, tick_s: float = 0.0) -> None:
        self.total_uj = 0
        self._max_uj, self._limit_w, self._grace_s = max_uj, limit_w, max(_TICK_GRACE_S, tick_s)
        self._last_uj: int | None = None
        self._time_s = 0.0

    def update(self, count_uj: int, time_s: float) -> str | None:
        """Process a reading; return what is wrong with it, or None.

        Raises
        ------
        ValueError
            It is outside the counter's range.
        """
        last_uj, gap_s = self._last_uj, time_s - self._time_s
        step_uj = unwrap((count_uj if last_uj is None else last_uj, count_uj), self._max_uj)[-1]
        self._last_uj, self._time_s = count_uj, time_s
        self.total_uj += step_uj
        if last_uj is None:
            return None
        if gap_s * self._limit_w * 1e6 > self._max_uj:
            return f"it was not read for {gap_s:.1f} s and may have wrapped unnoticed"
        if step_uj > self._limit_w * 1e6 * max(gap_s, self._grace_s):
            return f"it jumped from {last_uj} to {count_uj} uJ within {gap_s:.2f} s: it was reset"
        return None


class RisingCounter:
    """Checks a counter that never wraps: it may neither fall nor rise faster than the hardware can use energy.

    Parameters
    ----------
    limit_w
        Highest possible power (W).
    tick_s
        The counter's tick (s): a rise may include that much more time than has passed since the last one.
    """

    def __init__(self, limit_w: float, tick_s: float) -> None:
        self._limit_w, self._tick_s = limit_w, tick_s
        self._rise: tuple[float, float] | None = None

    def update(self, count_j: float, time_s: float) -> str | None:
        """Process a reading (J) at a time (s); return what is wrong with it, or None."""
        last = self._rise
        if last is None or count_j != last[0]:
            self._rise = count_j, time_s
        step_j, gap_s = (0.0, 0.0) if last is None else (count_j - last[0], time_s - last[1])
        if step_j < 0:
            return f"it fell by {-step_j:.1f} J"
        if step_j > self._limit_w * (gap_s + self._tick_s):
            return f"it rose by {step_j:.1f} J within {gap_s:.2f} s, faster than {self._limit_w:.0f} W"
        return None


class CopyWatch:
    """Finds counters that only show the count of another one, such as dies that mirror the counter of their socket.

    Two counters are the same if they have equal counts at every reading of a window, and advance equally.

    Parameters
    ----------
    counts_uj
        Counts at the start of the window (microjoule), by name; of two equal counters the later one is the copy.
    """

    def __init__(self, counts_uj: Mapping[str, int]) -> None:
        self._pairs = list(combinations(counts_uj, 2))

    def update(self, counts_uj: Mapping[str, int], between_uj: float) -> None:
        """Process a reading of all counters; they may have advanced by `between_uj` while they were read."""
        slack_uj = _SAME_J * 1e6 + between_uj
        self._pairs = [
            (first, second)
            for first, second in self._pairs
            if abs(counts_uj.get(first, -1e18) - counts_uj.get(second, 1e18)) <= slack_uj
        ]

    def copies(self, energies_uj: Mapping[str, int]) -> dict[str, str]:
        """Return the original of each copy, from the energies of the window (microjoule)."""
        return {
            second: first
            for first, second in self._pairs
            if energies_uj[first] > 0
            and abs(energies_uj[first] - energies_uj[second]) <= _SAME_SHARE * energies_uj[first]
        }


class TwinWatch:
    """Finds GPUs that only show the count of another one: at every reading, it is between two counts of the other.

    The tolerances of `CopyWatch` are too large for them: GPUs count millijoules, all from when the driver was loaded.

    Parameters
    ----------
    names
        The GPUs; of two with equal counts the later one is the copy.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._pairs = list(combinations(names, 2))

    def update(self, counts_j: Mapping[str, float], again: Callable[[Collection[str]], Mapping[str, float]]) -> None:
        """Process a reading of all counters (J), in order; `again` reads some of them once more."""
        nan = math.nan
        near = [pair for pair in self._pairs if 0 <= counts_j.get(pair[1], nan) - counts_j.get(pair[0], nan) < _TICK_J]
        again_j = again({first for first, _ in near})
        self._pairs = [(first, second) for first, second in near if counts_j[second] <= again_j.get(first, nan)]

    def copies(self) -> dict[str, str]:
        """Return the original of each copy."""
        return {second: first for first, second in self._pairs}
