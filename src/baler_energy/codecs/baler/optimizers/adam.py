"""Adam (Kingma and Ba 2015), Baler's optimizer."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Adam, Optimizer

from baler_energy.codecs.baler.optimizers.base import captured

__all__ = ["LEARNING_RATE", "make"]

LEARNING_RATE = 1e-3


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    graph = captured(parameters, vector)
    return Adam(parameters, learning_rate, fused=vector or None, capturable=graph)
