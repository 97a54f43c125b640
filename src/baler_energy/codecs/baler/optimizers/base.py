"""What each optimizer's module has: a default learning rate, and a function that makes the optimizer."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor
from torch.optim import Optimizer

__all__ = ["OptimizerModule", "captured"]


class OptimizerModule(Protocol):
    """A module of this package."""

    LEARNING_RATE: float

    def make(self, parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
        """Make the optimizer.

        Parameters
        ----------
        parameters
            The network's parameters, in its order.
        learning_rate
            The learning rate.
        vector
            Whether `parameters` is one vector with all of them: the engine ``fast``, which uses PyTorch's fastest
            implementation. Only for optimizers that update each parameter by its own gradients.
        """
        ...


def captured(parameters: Sequence[Tensor], vector: bool) -> bool:
    """Whether a CUDA graph captures the step."""
    return vector and parameters[0].device.type == "cuda"
