"""NAdam: Adam with Nesterov's momentum (Dozat 2016)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import NAdam, Optimizer

from baler_energy.codecs.baler.optimizers.base import captured, whole

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "NAdam"
LEARNING_RATE = 3e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return _NAdam(whole(parameters, vector), learning_rate, capturable=captured(vector))


class _NAdam(NAdam):
    """NAdam that resumes with the same bits.

    PyTorch's product of momenta is float32, but its loading converts a state to the parameters' number type.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, and restore the product's number type."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["mu_product"] = state["mu_product"].to(torch.float32)
