"""Adagrad (Duchi, Hazan and Singer 2011)."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Adagrad, Optimizer

from baler_energy.codecs.baler.optimizers.base import whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "Adagrad"
LEARNING_RATE = 1e-2
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return Adagrad(whole(parameters, vector), learning_rate)
