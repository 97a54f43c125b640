"""Pure arithmetic on windows: constant power, power per gigabyte, windows inside windows, runs of windows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nesting", "constant_power_w", "nested", "per_size", "split_runs"]

Array = NDArray[np.float64]

#: Largest relative departure from a constant power that a model's own rounding explains.
_SPREAD = 1e-3
#: Time between the readings of a window's clock and of its model, at most (s): short windows miss that much.
_EDGE_S = 0.01
#: Shorter windows say nothing about power (s).
_SHORTEST_S = 0.5
_FEWEST = 3
#: Sizes and durations count as different from here on.
_DIFFERENT = 1.05


def constant_power_w(energy_j: Array, duration_s: Array) -> float | None:
    """Power (W) of windows whose energy is a constant times their duration, as models without load write it.

    Parameters
    ----------
    energy_j, duration_s
        Energy and length of each window, shape (n,).

    Returns
    -------
    float or None
        The power. None where there are fewer than three windows of at least 0.5 s, where all are about as long, or
        where the power varies: the median departure is above 1e-3, or one is above 1e-3 plus 10 ms of the window.
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
    if np.median(away) > _SPREAD or np.any(away > _SPREAD + _EDGE_S / length):
        return None
    return centre


def per_size(powers: Mapping[float, float]) -> float | None:
    """Power per unit of size, where it is the same on machines of different sizes.

    Parameters
    ----------
    powers
        Power by size.

    Returns
    -------
    float or None
        Mean of power over size. None where there are fewer than two sizes that differ by 5 %, or the ratio varies by
        more than 0.3 %.
    """
    sizes = np.array(sorted(powers))
    if len(sizes) < 2 or sizes[0] <= 0 or sizes[-1] < _DIFFERENT * sizes[0]:
        return None
    ratios = np.array([powers[size] for size in sizes]) / sizes
    centre = float(ratios.mean())
    return centre if centre > 0 and np.ptp(ratios) <= 3 * _SPREAD * centre else None


@dataclass(frozen=True)
class Nesting:
    """Windows that lie inside windows: indices of both, pair by pair, shape (n,), and the clocks' difference (s)."""

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
        Differences of the two clocks to try (outer less inner), such as time zones.

    Returns
    -------
    Nesting or None
        The pairs at the offset with the most, where nine tenths of the inner windows, and at least three, have an
        outer one of their own. A window may stick out by a second, which is the resolution of many time stamps, but
        by no more than a quarter of the usual outer window.
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


def split_runs(start_s: Array, duration_s: Array, epoch: Array) -> NDArray[np.int64]:
    """Count the runs in a file: a new one begins after a long pause, or where the epochs start again.

    Parameters
    ----------
    start_s, duration_s, epoch
        Of each window, shape (n,); NaN where unknown.

    Returns
    -------
    numpy.ndarray
        Number of each window's run, from 0. A pause is long above a minute and ten usual windows.
    """
    if not len(start_s):
        return np.zeros(0, dtype=np.int64)
    pause = start_s[1:] - (start_s[:-1] + duration_s[:-1])
    limit = max(60.0, 10 * float(np.nanmedian(duration_s))) if np.isfinite(duration_s).any() else 60.0
    new = (pause > limit) | (np.diff(epoch) <= 0)
    return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)
