"""The factor by which one group of runs differs from another, with an interval."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baler_energy.analysis.quantiles import t_quantile

__all__ = ["Ratio", "paired_ratio", "ratio_of_means"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A factor with its 95 % interval; NaN: unknown (single runs have no interval)."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, logarithm: float, half_width: float) -> "Ratio":
        """Make a ratio from its natural logarithm and the logarithm's half width."""
        return cls(math.exp(logarithm), math.exp(logarithm - half_width), math.exp(logarithm + half_width))

    @classmethod
    def of_row(cls, row: Mapping[str, Any], name: str) -> "Ratio":
        """Return the ratio in a row of a table, from the columns that `columns` makes."""
        return cls(row[name], row[f"{name}_low"], row[f"{name}_high"])

    def columns(self, name: str) -> dict[str, float]:
        """Return the columns of a table that have the ratio."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


_NONE = Ratio(math.nan, math.nan, math.nan)


def ratio_of_means(values: Sequence[float], base: Sequence[float]) -> Ratio:
    """Ratio of the means of two groups of independent runs, such as of energy, time or memory.

    Parameters
    ----------
    values, base
        Values above 0 in the same unit.

    Returns
    -------
    Ratio
        Mean of `values` over mean of `base`. The interval is symmetric in the logarithm, and NaN if a group has one
        run.

    Notes
    -----
    Delta method: the logarithm of a mean has the variance ``s^2 / (n mean^2)``. The variances of both groups add up,
    with the degrees of freedom of Welch and Satterthwaite (Welch 1947, Biometrika 34, 28).
    """
    groups = [np.asarray(group, float) for group in (values, base)]
    if any(len(group) == 0 for group in groups):
        return _NONE
    logarithm = math.log(groups[0].mean() / groups[1].mean())
    if any(len(group) < 2 for group in groups):
        return Ratio.around(logarithm, math.nan)
    variances = [float(group.var(ddof=1)) / (len(group) * group.mean() ** 2) for group in groups]
    if sum(variances) == 0:
        return Ratio.around(logarithm, 0.0)
    freedom = sum(variances) ** 2 / sum(v**2 / (len(g) - 1) for v, g in zip(variances, groups, strict=True))
    return Ratio.around(logarithm, float(t_quantile(freedom)) * math.sqrt(sum(variances)))


def paired_ratio(values: Sequence[float], base: Sequence[float]) -> Ratio:
    """Geometric mean of the ratios of pairs: for errors, which are correlated between runs with the same seed.

    Parameters
    ----------
    values, base
        Values above 0 in the same unit, of the same length; values at the same place are a pair.

    Returns
    -------
    Ratio
        The interval is the t interval of the logarithms, NaN for one pair.
    """
    logarithms: Floats = np.log(np.asarray(values, float) / np.asarray(base, float))
    count = len(logarithms)
    if count == 0:
        return _NONE
    if count == 1:
        return Ratio.around(float(logarithms[0]), math.nan)
    half_width = float(t_quantile(count - 1)) * float(logarithms.std(ddof=1)) / math.sqrt(count)
    return Ratio.around(float(logarithms.mean()), half_width)
