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
        Parameters of the law; the coefficient is y at x = 1 and has its unit.
    exponent_half_width
        Half width of the exponent's 95 % t interval; NaN for two points, which determine the law exactly.
    """

    exponent: float
    coefficient: float
    exponent_half_width: float

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """Evaluate the law."""
        values: NDArray[np.float64] = self.coefficient * np.asarray(x, dtype=float) ** self.exponent
        return values


def fit_power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw | None:
    """Fit a straight line to the logarithms by least squares (`scipy.stats.linregress`).

    Parameters
    ----------
    x, y
        Positive values of the same shape (n,).

    Returns
    -------
    PowerLaw or None
        None if x has fewer than two different values.

    Notes
    -----
    The slope's interval is that of linear regression with normal errors of equal standard deviation, here of the
    logarithms: the t quantile for n - 2 degrees of freedom times the slope's standard error.
    """
    from scipy import stats

    log_x, log_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    if len(np.unique(log_x)) < 2:
        return None
    line = stats.linregress(log_x, log_y)
    # SciPy returns NaN if all y are the same, although the fit is exact; two points have no t quantile.
    error = np.nan_to_num(line.stderr)
    return PowerLaw(float(line.slope), math.exp(line.intercept), float(t_quantile(len(log_x) - 2) * error))
