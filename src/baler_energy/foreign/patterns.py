"""Pure arithmetic on windows: constant power, power per gigabyte, nested and containing windows, runs of windows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STAMPS_S", "Nesting", "constant_power_w", "containing", "nested", "per_size", "split_runs"]

Array = NDArray[np.float64]

#: How far (s) two windows that follow each other may overlap, as many time stamps are whole seconds.
STAMPS_S = 2.0
#: Largest relative deviation from a constant power that rounding in a model explains.
_TOLERANCE = 1e-3
#: Longest delay between reading the clock and the model at a window's edges (s), which matters in short windows.
_EDGE_S = 0.01
#: Shortest window whose power is used (s).
_SHORTEST_S = 0.5
_FEWEST = 3
#: Smallest ratio of two sizes or durations that counts as a difference.
_DIFFERENT = 1.05


def constant_power_w(energy_j: Array, duration_s: Array) -> float | None:
    """Power (W) of windows whose energy is a constant times their duration, as in models that ignore the load.

    Parameters
    ----------
    energy_j, duration_s
        Energy and length of each window, shape (n,).

    Returns
    -------
    float or None
        The power. None if there are fewer than three windows of at least 0.5 s, if all are about equally long, or if
        the power varies: the median deviation exceeds 1e-3, or a single one exceeds 1e-3 plus 10 ms over the duration.
    """
    long = duration_s >= _SHORTEST_S
    energy, length = energy_j[long], duration_s[long]
    if len(length) < _FEWEST or length.max() < _DIFFERENT * length.min():
        return None
    power = energy / length
    centre = float(np.median(power))
    if centre <= 0:
        return None
    away = np.abs(power / centre - 1)
    if np.median(away) > _TOLERANCE or np.any(away > _TOLERANCE + _EDGE_S / length):
        return None
    return centre


def per_size(powers: Mapping[float, float]) -> float | None:
    """Power per unit of size, if it is the same on machines of different sizes.

    Parameters
    ----------
    powers
        Power by size.

    Returns
    -------
    float or None
        Mean of power over size. None if no two sizes differ by at least 5 %, or if the ratio varies by more than
        0.3 %.
    """
    sizes = np.array(sorted(powers))
    if len(sizes) < 2 or sizes[0] <= 0 or sizes[-1] < _DIFFERENT * sizes[0]:
        return None
    ratios = np.array([powers[size] for size in sizes]) / sizes
    centre = float(ratios.mean())
    return centre if centre > 0 and np.ptp(ratios) <= 3 * _TOLERANCE * centre else None


@dataclass(frozen=True)
class Nesting:
    """Pairs of nested windows: indices of the outer and the inner ones, shape (n,), and the clocks' difference (s)."""

    outer: NDArray[np.intp]
    inner: NDArray[np.intp]
    offset_s: float = 0.0


def nested(
    outer: tuple[Array, Array], inner: tuple[Array, Array], *, offsets_s: tuple[float, ...] = (0.0,)
) -> Nesting | None:
    """Find the windows of one series that lie inside those of another, by their times.

    Parameters
    ----------
    outer, inner
        Starts and ends (s) of the windows of each series; those of `outer` do not overlap.
    offsets_s
        Differences of the two clocks to try (outer minus inner), such as time zones.

    Returns
    -------
    Nesting or None
        The pairs at the offset with the most pairs. None unless nine tenths of the inner windows, and at least three,
        each have their own outer window. A window may stick out by a second, the resolution of many time stamps, but
        by at most a quarter of the median outer window.
    """
    starts, ends = outer
    order = np.argsort(starts)
    starts, ends = starts[order], ends[order]
    if len(inner[0]) < _FEWEST or not len(starts):
        return None
    slack = min(1.0, 0.25 * float(np.median(ends - starts)))
    best = Nesting(np.array([], dtype=np.intp), np.array([], dtype=np.intp))
    for offset in offsets_s:
        begin, stop = inner[0] + offset, inner[1] + offset
        place = np.clip(np.searchsorted(starts, (begin + stop) / 2, side="right") - 1, 0, None)
        inside = (begin >= starts[place] - slack) & (stop <= ends[place] + slack)
        chosen, first = np.unique(place[inside], return_index=True)
        if len(chosen) > len(best.outer):
            best = Nesting(order[chosen], np.flatnonzero(inside)[first], offset)
    enough = len(best.inner) >= max(_FEWEST, 0.9 * len(inner[0]))
    return best if enough else None


def containing(start_s: Array, duration_s: Array) -> NDArray[np.bool_]:
    """Find the windows in which another one lies, so that the energy of both is in both.

    Parameters
    ----------
    start_s, duration_s
        Of each window, shape (n,); NaN if unknown.

    Returns
    -------
    numpy.ndarray
        Whether another window shares more than two seconds, and half of the shorter one, with this longer one.
    """
    found = np.zeros(len(start_s), dtype=bool)
    begin, length = start_s.tolist(), duration_s.tolist()
    dated = np.flatnonzero(np.isfinite(start_s + duration_s))
    around: list[int] = []
    for place in dated[np.lexsort((-duration_s[dated], start_s[dated]))].tolist():
        while around and begin[around[-1]] + length[around[-1]] <= begin[place]:
            around.pop()
        if around:
            last = around[-1]
            shared = min(begin[last] + length[last], begin[place] + length[place]) - begin[place]
            if shared > max(STAMPS_S, min(length[last], length[place]) / 2):
                found[last if length[last] >= length[place] else place] = True
        around.append(place)
    return found


def split_runs(start_s: Array, duration_s: Array, epoch: Array) -> NDArray[np.int64]:
    """Assign each window to a run: a new run begins after a long pause, or when the epoch number does not increase.

    Parameters
    ----------
    start_s, duration_s, epoch
        Of each window, shape (n,); NaN if unknown.

    Returns
    -------
    numpy.ndarray
        Number of each window's run, from 0. A pause is long if it exceeds a minute and ten median windows.
    """
    if not len(start_s):
        return np.zeros(0, dtype=np.int64)
    pause = start_s[1:] - (start_s[:-1] + duration_s[:-1])
    limit = max(60.0, 10 * float(np.nanmedian(duration_s))) if np.isfinite(duration_s).any() else 60.0
    new = (pause > limit) | (np.diff(epoch) <= 0)
    return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)
