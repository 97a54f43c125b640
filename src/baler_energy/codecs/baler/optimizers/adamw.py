"""AdamW: Adam with decoupled weight decay of 0.01 (Loshchilov and Hutter 2019)."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import AdamW, Optimizer

from baler_energy.codecs.baler.optimizers.base import captured, whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "AdamW"
LEARNING_RATE = 3e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    fused = True if vector is not None else None
    return AdamW(whole(parameters, vector), learning_rate, fused=fused, capturable=captured(vector))
