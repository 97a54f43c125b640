"""The state of a training between two epochs, from which it resumes as if it had not been interrupted."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch

from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.schedules.base import Schedule

__all__ = ["Epoch", "Keeper", "Learner", "Patience"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the table: its number from 1, the mean of its batches' losses, and its length in seconds.

    Each batch's loss is computed before the batch's own step, as in Baler's ``loss_data.npy``.
    """

    epoch: int
    loss: float
    duration_s: float


class Keeper(Protocol):
    """Saves the state of a training, which `Learner` defines."""

    def restore(self) -> dict[str, Any] | None:
        """Give the state to resume from; None: start from the beginning. Called once, before the first epoch."""

    def offer(self, capture: Callable[[], dict[str, Any]]) -> None:
        """Note the end of an epoch that is not the last one; `capture` gives the state."""


@dataclass
class Patience:
    """Counts the epochs since the loss last fell."""

    patience: int | None
    best: float = math.inf
    waited: int = 0

    def exhausted_by(self, loss: float) -> bool:
        """Count an epoch's loss; return whether the patience is exhausted."""
        if loss < self.best:
            self.best = loss
            self.waited = 0
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience


@dataclass(frozen=True)
class Learner:
    """Everything that a training changes; with the epochs so far, it is the training's state.

    Parameters
    ----------
    model, optimizer
        The network and what updates it.
    order
        The random number generator that shuffles the rows.
    schedule
        Changes the learning rate; None: the rate is constant.
    patience
        Patience of early stopping.
    """

    model: Autoencoder
    optimizer: torch.optim.Optimizer
    order: torch.Generator
    schedule: Schedule | None
    patience: Patience

    def after_step(self) -> None:
        """Note the end of a batch."""
        if self.schedule is not None:
            self.schedule.after_step()

    def after_epoch(self, loss: float) -> None:
        """Note the end of an epoch, and its loss."""
        if self.schedule is not None:
            self.schedule.after_epoch(loss)

    def capture(self, epochs: list[Epoch]) -> dict[str, Any]:
        """Give the state: tensors, numbers and text in dictionaries and lists, as ``weights_only`` loading needs."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "schedule": self.schedule and self.schedule.state_dict(),
            "patience": asdict(self.patience),
            "epochs": [asdict(epoch) for epoch in epochs],
        }

    def restore(self, state: dict[str, Any]) -> list[Epoch]:
        """Load a state, and return its epochs."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.patience.__dict__.update(state["patience"])
        return [Epoch(**epoch) for epoch in state["epochs"]]
