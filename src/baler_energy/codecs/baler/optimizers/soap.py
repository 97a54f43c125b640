"""SOAP: Adam in the basis of Shampoo's preconditioner (Vyas et al. 2024), from pytorch-optimizer."""

from collections.abc import Sequence

from pytorch_optimizer import SOAP
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "SOAP"
LEARNING_RATE = 3e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    optimizer: Optimizer = SOAP(parameters, learning_rate)
    return optimizer
