"""The state of a training at an epoch's edge, from which it goes on as if it had not been interrupted."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from baler_energy.codecs.baler.model import Autoencoder

__all__ = ["Epoch", "Keeper", "Learner", "Patience"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the table: its number from 1, the mean of its batches' losses, and its length in seconds.

    The losses are those seen in passing, each before its own step, as in Baler's ``loss_data.npy``.
    """

    epoch: int
    loss: float
    duration_s: float


class Keeper(Protocol):
    """Keeps a training's state for it; `Learner` says what that is."""

    def restore(self) -> dict[str, Any] | None:
        """Give the state to go on from; None: begin anew. Called once, before the first epoch."""

    def offer(self, capture: Callable[[], dict[str, Any]]) -> None:
        """Take note of an epoch's end after which another follows; `capture` gives the state."""


@dataclass
class Patience:
    """Counts the epochs since the loss last fell."""

    patience: int | None
    best: float = math.inf
    waited: int = 0

    def exhausted_by(self, loss: float) -> bool:
        """Take an epoch's loss; say whether the patience is at its end."""
        if loss < self.best:
            self.best = loss
            self.waited = 0
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience


@dataclass(frozen=True)
class Learner:
    """All that a training changes: with the epochs so far, its state.

    Parameters
    ----------
    model, optimizer
        The network and what updates it.
    order
        The random numbers that shuffle the rows.
    schedule
        Lowers the learning rate at a plateau, if anything does.
    patience
        Of early stopping.
    """

    model: Autoencoder
    optimizer: torch.optim.Optimizer
    order: torch.Generator
    schedule: ReduceLROnPlateau | None
    patience: Patience

    def capture(self, epochs: list[Epoch]) -> dict[str, Any]:
        """Give the state: tensors, numbers and text in dictionaries and lists, as ``weights_only`` loading takes."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "schedule": self.schedule and self.schedule.state_dict(),
            "patience": asdict(self.patience),
            "epochs": [asdict(epoch) for epoch in epochs],
        }

    def restore(self, state: dict[str, Any]) -> list[Epoch]:
        """Take over a state, and return the epochs that led to it."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.patience.__dict__.update(state["patience"])
        return [Epoch(**epoch) for epoch in state["epochs"]]
