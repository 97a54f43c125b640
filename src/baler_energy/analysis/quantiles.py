"""Quantiles and probabilities of the t, noncentral t and chi-squared distributions.

From `scipy.special`, which `scipy.stats` uses: the same numbers within rounding, without the import of `scipy.stats`
(0.5 s) and its checks of arguments, which make a quantile 47 times slower.
"""

import math
from typing import Any

__all__ = ["chi_squared_quantile", "t_quantile", "two_sided_power"]


def t_quantile(freedom: Any, probability: float = 0.975) -> Any:
    """Return the quantile of Student's t distribution, by default that of a 95 % interval.

    Parameters
    ----------
    freedom
        Degrees of freedom, a number or an array; the result is NaN where it is NaN.
    probability
        Probability of a smaller value.
    """
    from scipy import special

    return special.stdtrit(freedom, probability)


def chi_squared_quantile(freedom: float, probability: float) -> float:
    """Return the quantile of the chi-squared distribution."""
    from scipy import special

    return float(2 * special.gammaincinv(freedom / 2, probability))


def two_sided_power(freedom: float, noncentrality: float, alpha: float) -> float:
    """Return the probability that a two-sided t test finds an effect.

    Parameters
    ----------
    freedom
        Degrees of freedom.
    noncentrality
        Noncentrality of the statistic's noncentral t distribution, 0 or more.
    alpha
        Probability of finding an effect that does not exist.
    """
    from scipy import special

    limit = float(special.stdtrit(freedom, 1 - alpha / 2))
    above = 1 - float(special.nctdtr(freedom, noncentrality, limit))
    below = float(special.nctdtr(freedom, noncentrality, -limit))
    # SciPy returns NaN if this tail is far below double precision.
    return above if math.isnan(below) else above + below
