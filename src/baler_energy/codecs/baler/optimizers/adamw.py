"""AdamW: Adam with decoupled weight decay of 0.01 (Loshchilov and Hutter 2019)."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import AdamW, Optimizer

from baler_energy.codecs.baler.optimizers.base import captured

__all__ = ["LEARNING_RATE", "make"]

LEARNING_RATE = 3e-3


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: bool = False) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    graph = captured(parameters, vector)
    return AdamW(parameters, learning_rate, fused=vector or None, capturable=graph)
