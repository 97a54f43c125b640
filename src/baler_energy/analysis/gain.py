"""The rule of early stopping: whether the last tenth of the cost of a training gained too little.

Apart from its users, since the results of trainings depend on it.
"""

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["gained_too_little"]

#: Share of the cost before the last tenth.
_BEFORE = 0.9


def gained_too_little(costs: Sequence[float], losses: Sequence[float], gain: float) -> bool:
    """Whether the last tenth of the cost lowered the loss by less than a fraction.

    The last tenth begins at an epoch's edge, so it is at least a tenth: the whole last epoch in the first ten of equal
    cost. Losses are the lowest so far, so that a loss that jumps up for an epoch stops nothing later on.

    Parameters
    ----------
    costs
        Cumulative cost at the end of each epoch, at least one: energy (J) or time (s).
    losses
        Loss of each epoch.
    gain
        Required fall of the loss, as a fraction of the loss before the last tenth.
    """
    before = bisect_right(costs, _BEFORE * costs[-1])
    if costs[-1] <= 0 or before == 0:
        return False
    return min(losses) > (1 - gain) * min(losses[:before])
