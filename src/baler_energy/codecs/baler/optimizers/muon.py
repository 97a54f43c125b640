"""Muon: orthogonalised momentum of the weight matrices (Jordan et al. 2024); the biases are updated by Adam."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Adam, Muon, Optimizer

__all__ = ["LEARNING_RATE", "NAME", "VALUES_MOVED", "make"]

NAME = "Muon"
LEARNING_RATE = 3e-3
VALUES_MOVED = None


def make(parameters: Sequence[Tensor], learning_rate: float, *, vector: Tensor | None = None) -> Optimizer:
    """Make the optimizer; arguments as for `OptimizerModule`."""
    return _MuonWithAdam(parameters, learning_rate, fused=True if vector is not None else None)


class _MuonWithAdam(Optimizer):
    """Updates matrices by Muon and other parameters by Adam, at one learning rate.

    Muon's steps are scaled to the size of Adam's, so that one rate suits both (Liu et al. 2025). There is no weight
    decay.
    """

    def __init__(self, parameters: Sequence[Tensor], learning_rate: float, fused: bool | None) -> None:
        matrices = [one for one in parameters if one.ndim == 2]
        others = [one for one in parameters if one.ndim != 2]
        super().__init__(parameters, {"lr": learning_rate})
        self._both = (
            Muon(matrices, learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            Adam(others, learning_rate, fused=fused),
        )
        self._share_groups()

    def _share_groups(self) -> None:
        """Use the groups of both, so that a schedule that changes a group's rate changes theirs."""
        self.param_groups = [group for one in self._both for group in one.param_groups]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step."""
        for one in self._both:
            one.step()  # type: ignore[no-untyped-call]

    def state_dict(self) -> dict[str, Any]:
        """Give the state of both."""
        return {"both": [one.state_dict() for one in self._both]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of both."""
        for one, state in zip(self._both, state_dict["both"], strict=True):
            one.load_state_dict(state)
        self._share_groups()
