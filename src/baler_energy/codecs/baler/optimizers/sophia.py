"""Sophia: momentum over a diagonal estimate of the Hessian (Liu et al. 2023), pytorch-optimizer's SophiaH."""

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_optimizer import SophiaH
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "Sophia"
LEARNING_RATE = 0.1
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    optimizer: Optimizer = _SeededSophia(parameters, learning_rate)
    return optimizer


class _SeededSophia(SophiaH):
    """SophiaH whose random vectors only depend on the number of the step, so that a rerun gives the same bits."""

    @property
    def _steps(self) -> int:
        steps: int = self.param_groups[0].get("step", 0)
        return steps

    @property
    def needs_graph(self) -> bool:
        """Whether the next step estimates the Hessian, for which the gradients need their graph."""
        return self._steps % self.update_period == 0

    def differentiate(self, loss: Tensor) -> None:
        """Compute the gradients, with their graph before a step that estimates the Hessian."""
        parameters = [one for group in self.param_groups for one in group["params"]]
        gradients = torch.autograd.grad(loss, parameters, create_graph=self.needs_graph)
        for one, gradient in zip(parameters, gradients, strict=True):
            one.grad = gradient

    def step(self, closure: Any = None, hessian: list[Tensor] | None = None) -> Any:
        """Take a step; the caller's random state does not change."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._steps)
            return super().step(closure, hessian)
