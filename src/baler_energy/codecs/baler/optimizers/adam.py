"""Adam (Kingma and Ba 2015), Baler's optimizer."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Adam, Optimizer

from baler_energy.codecs.baler.optimizers.base import captured, whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "Adam"
LEARNING_RATE = 1e-3
#: Parameter, gradient and two moments are read, all but the gradient written.
VALUES_MOVED = 7


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    fused = True if vector is not None else None
    return Adam(whole(parameters, vector), learning_rate, fused=fused, capturable=captured(vector))
