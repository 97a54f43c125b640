"""RMSprop (Hinton 2012)."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer, RMSprop

from baler_energy.codecs.baler.optimizers.base import captured, whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "RMSprop"
LEARNING_RATE = 1e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return RMSprop(whole(parameters, vector), learning_rate, capturable=captured(vector))
