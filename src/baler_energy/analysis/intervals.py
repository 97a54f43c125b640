"""Time intervals and their union."""

from collections.abc import Iterable

__all__ = ["merge"]


def merge(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge intervals that overlap or touch.

    Parameters
    ----------
    intervals
        Start and end of each, in any order.

    Returns
    -------
    list of (float, float)
        Their union as disjoint intervals, in order.
    """
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged
