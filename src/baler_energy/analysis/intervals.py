"""Intervals of time and their union."""

from collections.abc import Iterable

__all__ = ["merge"]


def merge(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge intervals that overlap or touch.

    Parameters
    ----------
    intervals
        Begin and end of each, in any order.

    Returns
    -------
    list of (float, float)
        Their union, in order; between two of them there is a gap.
    """
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged
