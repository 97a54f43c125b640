"""Adagrad (Duchi, Hazan and Singer 2011)."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Adagrad, Optimizer

__all__ = ["LEARNING_RATE", "make"]

LEARNING_RATE = 1e-2


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return Adagrad(parameters, learning_rate)
