"""How duration decreases with threads: speed-up, efficiency, and Amdahl's law.

Amdahl 1967, AFIPS Conference Proceedings 30, 483: if a share s of the work on one thread is serial and the rest divides
evenly, ``T(n) = T(1) (s + (1 - s) / n)``, so that the speed-up is below ``1 / s`` for any number of threads.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from baler_energy.analysis.quantiles import t_quantile

__all__ = ["Amdahl", "amdahl_duration_s", "amdahl_speed_up", "fit_amdahl", "speed_up"]

Floats = NDArray[np.float64]
#: A serial fraction this close to 0 or 1 is equal to it up to rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Amdahl:
    """A fit of Amdahl's law."""

    duration_1_s: float
    """Duration on one thread (s)."""
    serial_fraction: float
    """Share of `duration_1_s` that is serial; outside of 0 to 1, or NaN, if the law does not hold."""
    serial_fraction_se: float
    """Its standard error; NaN without degrees of freedom."""
    degrees_of_freedom: int
    """Number of runs minus two."""

    @property
    def serial_fraction_half_width(self) -> float:
        """Half width of the serial fraction's 95 % t interval (Student 1908); NaN without degrees of freedom."""
        if self.degrees_of_freedom < 1:
            return math.nan
        return float(t_quantile(self.degrees_of_freedom)) * self.serial_fraction_se

    @property
    def verdict(self) -> str:
        """Return why the law does not hold; empty if it does."""
        if not self.serial_fraction <= 1:
            return "slower with more threads"
        if self.serial_fraction < 0:
            return "faster than in proportion to the threads"
        return ""


def amdahl_duration_s(threads: ArrayLike, duration_1_s: float, serial_fraction: float) -> Floats:
    """Duration (s) on `threads` (any shape) by Amdahl's law (1967)."""
    return np.asarray(duration_1_s * (serial_fraction + (1 - serial_fraction) / np.asarray(threads, dtype=np.float64)))


def amdahl_speed_up(threads: ArrayLike, serial_fraction: float, *, smallest: int = 1) -> Floats:
    """Duration on `smallest` threads over that on `threads` (any shape) by Amdahl's law (1967); a pure number."""
    return amdahl_duration_s(smallest, 1.0, serial_fraction) / amdahl_duration_s(threads, 1.0, serial_fraction)


def fit_amdahl(threads: ArrayLike, duration_s: ArrayLike) -> Amdahl:
    """Fit Amdahl's law to single runs.

    Parameters
    ----------
    threads
        Threads of each run, shape (runs,).
    duration_s
        Its duration (s), shape (runs,).

    Raises
    ------
    ValueError
        There are fewer than two numbers of threads, or values are invalid.

    Notes
    -----
    The law is a straight line in 1 / n, ``T(n) = a + b / n`` with ``a = T(1) s`` and ``b = T(1) (1 - s)``. It is fitted
    by least squares. The weight of a run is one over the squared mean duration on its number of threads, since the
    scatter of timings is proportional to them. The error of ``s = a / (a + b)`` follows from the covariance of a and b
    to first order. Values of s outside of 0 to 1 are kept: see `Amdahl.verdict`. If durations rise so fast that the
    fitted ``T(1)`` is not positive, T(1) and s are NaN. (`scipy.optimize.curve_fit` of T(1) and s does not converge in
    this case.)
    """
    count, time_s = _checked(threads, duration_s)
    values, group = np.unique(count, return_inverse=True)
    if len(values) < 2:
        raise ValueError(f"only one number of threads ({values[0]:g}); a fit needs two")
    mean_s = np.bincount(group, time_s) / np.bincount(group)
    freedom = len(count) - 2
    line: dict[str, Any] = {"x": 1 / count, "y": time_s, "deg": 1, "w": 1 / mean_s[group]}
    # Without degrees of freedom NumPy raises an error for the covariance.
    (b, a), covariance = np.polyfit(**line, cov=True) if freedom else (np.polyfit(**line), np.full((2, 2), math.nan))
    total = float(a + b) if a + b > 0 else math.nan
    gradient = np.array([-a, b]) / total**2
    return Amdahl(
        duration_1_s=total,
        serial_fraction=_in_range(float(a) / total),
        serial_fraction_se=math.sqrt(gradient @ covariance @ gradient),
        degrees_of_freedom=freedom,
    )


def _in_range(fraction: float) -> float:
    """Round to 0 or 1 a fraction that only differs from it by rounding errors; NaN stays."""
    nearest = float(np.clip(fraction, 0, 1))
    return nearest if abs(fraction - nearest) < _ROUNDING else fraction


def _checked(threads: ArrayLike, duration_s: ArrayLike) -> tuple[Floats, Floats]:
    count, time_s = np.asarray(threads, dtype=np.float64), np.asarray(duration_s, dtype=np.float64)
    if count.ndim != 1 or count.shape != time_s.shape or not len(count):
        raise ValueError(f"threads {count.shape} and durations {time_s.shape} do not have one value per run")
    if not (np.all(count >= 1) and np.all(time_s > 0) and np.all(np.isfinite(time_s))):
        raise ValueError("threads below 1, or durations that are not positive")
    return count, time_s


def speed_up(threads: ArrayLike, duration_s: ArrayLike) -> pd.DataFrame:
    """Return speed-up and efficiency relative to the smallest number of threads.

    Parameters
    ----------
    threads
        Threads of each run, shape (runs,).
    duration_s
        Its duration (s), shape (runs,).

    Returns
    -------
    pandas.DataFrame
        A row per number of threads, ascending: ``threads``, ``speed_up`` (mean duration on the smallest number over
        that on this one), ``half_width`` of its 95 % interval (NaN if a mean has one run, and for the smallest number,
        whose speed-up is 1 by definition), ``efficiency`` (speed-up over threads in multiples of the smallest number)
        and ``n`` runs.

    Raises
    ------
    ValueError
        There are no runs, or values are invalid.

    Notes
    -----
    The relative error of the ratio of two means is, to first order, the quadratic sum of their relative standard
    errors; the t quantile uses the effective degrees of freedom of Welch 1947, Biometrika 34, 28.
    """
    count, time_s = _checked(threads, duration_s)
    runs = pd.DataFrame({"threads": count.astype(int), "duration_s": time_s})
    table = runs.groupby("threads")["duration_s"].agg(["mean", "sem", "count"]).reset_index()
    ratio = table["mean"].iloc[0] / table["mean"]
    variance = (table["sem"] / table["mean"]) ** 2
    freedom = table["count"] - 1
    both, first = variance + variance.iloc[0], variance.iloc[0] ** 2 / max(1, freedom.iloc[0])
    effective = both**2 / (variance**2 / freedom.clip(lower=1) + first).where(both > 0, 1.0)
    half_width = ratio * np.sqrt(both) * t_quantile(effective.where(effective > 0, 1.0))
    half_width.iloc[0] = math.nan
    efficiency = ratio * table["threads"].iloc[0] / table["threads"]
    return pd.DataFrame(
        {
            "threads": table["threads"],
            "speed_up": ratio,
            "half_width": half_width,
            "efficiency": efficiency,
            "n": table["count"],
        }
    )
