"""Whether repeats suffice to state their mean as a result, and how many more are needed."""

import math

from baler_energy.analysis.quantiles import t_quantile

__all__ = ["LEAST", "WIDEST", "repeats_missing"]

#: Fewest runs whose mean is stated.
LEAST = 3
#: Widest 95 % t interval, from its lower to its upper limit, as a share of the mean.
WIDEST = 0.5
#: More repeats than this are not counted.
_MOST = 10_000


def repeats_missing(mean: float, half_width: float, n: int) -> int:
    """Return how many repeats are missing until a mean can be stated; 0: it can be.

    That takes `LEAST` runs and an interval that is not wider than `WIDEST` of the mean.

    Parameters
    ----------
    mean, half_width, n
        As from `statistics.interval`, at least one run; the half width is NaN for a single one.

    Notes
    -----
    The interval of ``m`` runs is expected to have the width ``2 t(0.975, m - 1) s / sqrt(m)`` with the standard
    deviation ``s`` of the ``n`` runs. Of a single run ``s`` is unknown, and the number is a lower limit.
    """
    if n < 2:
        return LEAST - n
    deviation = half_width * math.sqrt(n) / t_quantile(n - 1)
    allowed = WIDEST * abs(mean) * (1 + 1e-9)  # so that rounding does not refuse what is just allowed
    enough = (m for m in range(max(n, LEAST), _MOST) if 2 * t_quantile(m - 1) * deviation / math.sqrt(m) <= allowed)
    return next(enough, _MOST) - n
