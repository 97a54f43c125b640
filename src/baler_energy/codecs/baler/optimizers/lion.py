"""Lion: the sign of a momentum (Chen et al. 2023), from pytorch-optimizer."""

from collections.abc import Sequence

from pytorch_optimizer import Lion
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["LEARNING_RATE", "make"]

LEARNING_RATE = 1e-3


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    optimizer: Optimizer = Lion(parameters, learning_rate)
    return optimizer
