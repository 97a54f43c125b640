"""What each optimizer's module has: facts about the optimizer, and a function that makes it."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor
from torch.optim import Optimizer

__all__ = ["OptimizerModule", "captured", "whole"]


class OptimizerModule(Protocol):
    """A module of this package."""

    NAME: str
    """Its name in text."""
    LEARNING_RATE: float
    """Default learning rate."""
    VALUES_MOVED: int | None
    """Numbers that a step reads or writes per parameter, each once; None: unknown."""

    def make(self, parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
        """Make the optimizer.

        Parameters
        ----------
        parameters
            The network's parameters, in its order.
        learning_rate
            The learning rate.
        vector
            One vector with all parameters (the engine ``fast``), or None. An optimizer that updates each number by its
            own gradient uses it instead of `parameters`, in PyTorch's fastest implementation.
        """
        ...


def whole(parameters: Sequence[Tensor], vector: Tensor | None) -> Sequence[Tensor]:
    """Return the one vector, if there is one; it is updated faster than the parameters one by one."""
    return parameters if vector is None else [vector]


def captured(vector: Tensor | None) -> bool:
    """Whether a CUDA graph captures the step."""
    return vector is not None and vector.device.type == "cuda"
