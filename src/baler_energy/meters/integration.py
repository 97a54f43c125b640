"""Energy from power sampled at irregular times, with a bound on its error."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["gap_bound_j", "integrate", "window_energy_j"]

Series = Sequence[float] | npt.NDArray[np.float64]
#: Longest allowed gap between samples (s, or as a share of the window if larger). Power is interpolated across it.
_LONGEST_GAP_S, _LONGEST_GAP_SHARE = 5.0, 0.1


def integrate(times_s: Series, powers_w: Series) -> float:
    """Integrate sampled power by the trapezoidal rule.

    Parameters
    ----------
    times_s
        Times (s), non-decreasing.
    powers_w
        Powers (W) at these times.

    Returns
    -------
    float
        Energy (J).

    Raises
    ------
    ValueError
        Fewer than two samples, different lengths, or decreasing times.
    """
    times, powers = _checked(times_s, powers_w)
    return float(np.trapezoid(powers, times))


def window_energy_j(times_s: Series, powers_w: Series, begin_s: float, end_s: float) -> float:
    """Integrate sampled power over a window; power is interpolated linearly at the window's edges.

    Parameters
    ----------
    times_s, powers_w
        As for `integrate`.
    begin_s, end_s
        The window (s).

    Raises
    ------
    ValueError
        As for `integrate`, or the samples do not cover the whole window, or have too long a gap in it.
    """
    return integrate(*_cut(times_s, powers_w, begin_s, end_s))


def gap_bound_j(times_s: Series, powers_w: Series, begin_s: float, end_s: float) -> float:
    """Bound the error of `window_energy_j` (J).

    If the power between two samples stays between their values, its integral is between ``gap x min`` and
    ``gap x max``. The trapezoid is the middle of that range, so it is off by at most ``gap x |step| / 2``. Excursions
    between two samples are invisible to sampling, and not covered by the bound.
    """
    times, powers = _cut(times_s, powers_w, begin_s, end_s)
    return float(np.sum(np.diff(times) * np.abs(np.diff(powers))) / 2)


def _checked(times_s: Series, powers_w: Series) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    times, powers = np.asarray(times_s, dtype=float), np.asarray(powers_w, dtype=float)
    if len(times) != len(powers) or len(times) < 2:
        raise ValueError(f"at least two samples of time and power are required, not {len(times)} and {len(powers)}")
    if np.any(np.diff(times) < 0):
        raise ValueError("the times decrease")
    return times, powers


def _cut(
    times_s: Series, powers_w: Series, begin_s: float, end_s: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cut the series to the window, with interpolated samples at its edges."""
    times, powers = _checked(times_s, powers_w)
    if not times[0] <= begin_s <= end_s <= times[-1]:
        raise ValueError(
            f"the samples do not cover the window: they start {times[0] - begin_s:+.3f} s from its start and end "
            f"{times[-1] - end_s:+.3f} s from its end"
        )
    first, last = np.searchsorted(times, begin_s, side="right") - 1, np.searchsorted(times, end_s, side="left")
    gap_s = float(np.max(np.diff(times[first : last + 1]), initial=0.0))
    if gap_s > max(_LONGEST_GAP_S, _LONGEST_GAP_SHARE * (end_s - begin_s)) + 1e-6:  # differences of times are rounded
        raise ValueError(f"the samples have a gap of {gap_s:.0f} s in the window")
    inside = (times > begin_s) & (times < end_s)
    edges = np.interp([begin_s, end_s], times, powers)
    cut_times = np.concatenate([[begin_s], times[inside], [end_s]])
    return cut_times, np.concatenate([edges[:1], powers[inside], edges[1:]])
