"""Counters of energy that wrap, stall and break: their arithmetic and what is wrong with them."""

from collections.abc import Sequence

__all__ = ["StillWatch", "WrappingCounter", "unwrap"]

#: The counters tick about every millisecond; within this time a single tick may look like a huge power.
_TICK_GRACE_S = 0.1
#: Ticks for which a counter may stay the same, and the least time of that: one unit of RAPL (61 uJ) is 0.3 mW over it,
#: which no package, memory or platform falls below, so that a counter that stops for so long is not merely slow.
_STILL_TICKS, _STILL_FLOOR_S = 3, 0.2


def unwrap(counts_uj: Sequence[int], max_uj: int) -> list[int]:
    """Turn the readings of a wrapping counter into the energy since the first.

    Parameters
    ----------
    counts_uj
        Readings in order (microjoule), each within [0, max_uj], at most one wrap between two of them.
    max_uj
        ``max_energy_range_uj``: the counter goes from there to 0.

    Returns
    -------
    list of int
        Energy since the first reading (microjoule), never falling, as long as `counts_uj`.

    Raises
    ------
    ValueError
        A reading lies outside the range.
    """
    totals: list[int] = []
    for index, count in enumerate(counts_uj):
        if not 0 <= count <= max_uj:
            raise ValueError(f"count {count} lies outside the counter's range 0 to {max_uj}")
        step = count - counts_uj[index - 1] if index else 0
        totals.append((totals[-1] if totals else 0) + (step if step >= 0 else step + max_uj))
    return totals


class StillWatch:
    """Notices a counter that has stopped for more than three of its ticks.

    Only readings count, so that a late reading is no standstill: the time runs from the first to the last reading of
    the same count.

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
        """Take a reading in; say for how long the counter has stopped where that is too long, else None.

        Parameters
        ----------
        count
            The reading.
        time_s
            Its time (s).
        loaded
            Whether what it counts was at work since the last reading; where not, it may stop.
        """
        if count != self._count or not loaded:
            self._count, self._since_s = count, time_s
            return None
        still_s = time_s - self._since_s
        return f"it stopped for {still_s:.2f} s" if still_s > self._limit_s else None


class WrappingCounter:
    """The unwrapped total of a counter, and why it cannot be trusted.

    Parameters
    ----------
    max_uj
        Where it wraps (microjoule).
    limit_w
        Power (W) that it does not exceed.
    """

    def __init__(self, max_uj: int, limit_w: float) -> None:
        self.total_uj = 0
        self._max_uj, self._limit_w = max_uj, limit_w
        self._last_uj: int | None = None
        self._time_s = 0.0

    def update(self, count_uj: int, time_s: float) -> str | None:
        """Take a reading in; give what is wrong with it, or None.

        Raises
        ------
        ValueError
            It lies outside the counter's range.
        """
        last_uj, gap_s = self._last_uj, time_s - self._time_s
        step_uj = unwrap((count_uj if last_uj is None else last_uj, count_uj), self._max_uj)[-1]
        self._last_uj, self._time_s = count_uj, time_s
        self.total_uj += step_uj
        if last_uj is None:
            return None
        if gap_s * self._limit_w * 1e6 > self._max_uj:
            return f"it was not read for {gap_s:.1f} s and may have wrapped unnoticed"
        if step_uj > self._limit_w * 1e6 * max(gap_s, _TICK_GRACE_S):
            return f"it jumped from {last_uj} to {count_uj} uJ within {gap_s:.2f} s: it was reset"
        return None
