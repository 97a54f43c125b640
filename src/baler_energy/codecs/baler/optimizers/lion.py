"""Lion: the sign of a momentum (Chen et al. 2023), from pytorch-optimizer."""

from collections.abc import Sequence

from pytorch_optimizer import Lion
from torch import Tensor
from torch.optim import Optimizer

from baler_energy.codecs.baler.optimizers.base import whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "Lion"
LEARNING_RATE = 1e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    optimizer: Optimizer = Lion(whole(parameters, vector), learning_rate)
    return optimizer
