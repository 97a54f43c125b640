"""Stochastic gradient descent with a momentum of 0.9."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import SGD, Optimizer

__all__ = ["LEARNING_RATE", "make"]

LEARNING_RATE = 1e-2


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return SGD(parameters, learning_rate, momentum=0.9)
