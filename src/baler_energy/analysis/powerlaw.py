"""A power law through measured points."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from baler_energy.analysis.quantiles import t_quantile

__all__ = ["PowerLaw", "fit_power_law"]


@dataclass(frozen=True)
class PowerLaw:
    """The law ``y = coefficient * x ** exponent``.

    Parameters
    ----------
    exponent, coefficient
        Of the law; the coefficient has the unit of y where x is 1.
    exponent_half_width
        Half width of the exponent's 95 % t interval; NaN where two points leave nothing to tell it from.
    n
        Points behind it.
    """

    exponent: float
    coefficient: float
    exponent_half_width: float
    n: int

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """Evaluate the law."""
        values: NDArray[np.float64] = self.coefficient * np.asarray(x, dtype=float) ** self.exponent
        return values


def fit_power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw | None:
    """Fit a straight line to the logarithms by least squares.

    Parameters
    ----------
    x, y
        Positive values, as many of one as of the other.

    Returns
    -------
    PowerLaw or None
        None where x has fewer than two different values.

    Notes
    -----
    The interval of the slope is that of linear regression with normal errors of equal spread, here of the logarithms:
    t quantile of n - 2 degrees of freedom times s / sqrt(sum (log x - mean)^2).
    """
    log_x, log_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    if len(np.unique(log_x)) < 2:
        return None
    centred = log_x - log_x.mean()
    exponent = float(centred @ log_y / (centred @ centred))
    intercept = float(log_y.mean() - exponent * log_x.mean())
    freedom = len(log_x) - 2
    half_width = math.nan
    if freedom > 0:
        rest = log_y - intercept - exponent * log_x
        error = math.sqrt(float(rest @ rest) / freedom / float(centred @ centred))
        half_width = float(t_quantile(freedom)) * error
    return PowerLaw(exponent, math.exp(intercept), half_width, len(log_x))
