"""Training settings, for every engine."""

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from baler_energy.config.parameters import AXIS_DEFAULTS, Parameters, Training
from baler_energy.errors import InputError
from baler_energy.variants import OPTIMIZERS, load

__all__ = ["TrainingSettings"]


def _default_rate(given: Mapping[str, Any]) -> float:
    """Return the default learning rate of the optimizer among the settings."""
    rate: float = load(OPTIMIZERS[given["optimizer"]]).LEARNING_RATE
    return rate


class TrainingSettings(Training):
    """The settings of one training: those of its point, and those that all points share.

    Settings with the name of a parameter have its meaning, and its default.
    """

    epochs: int
    """Passes over the table."""
    batch_size: int
    """Rows per step; the last batch of an epoch may be smaller."""
    seed: int
    """Seed of the network's starting parameters, and of the shuffling."""
    precision: str = AXIS_DEFAULTS["precision"]
    """Precision of parameters and arithmetic."""
    start: str = AXIS_DEFAULTS["start"]
    """Parameters to start from."""
    optimizer: str = AXIS_DEFAULTS["optimizer"]
    """What turns gradients into steps."""
    learning_rate: float = Field(default_factory=_default_rate)
    """Learning rate, or the largest one of a schedule; by default that of the optimizer."""
    schedule: str = AXIS_DEFAULTS["schedule"]
    """How the learning rate changes."""
    pruning: str = AXIS_DEFAULTS["pruning"]
    """What is pruned before the last epochs."""

    @classmethod
    def of(cls, point: Parameters, seed: int, training: Training) -> Self:
        """Combine a point's training settings with those that all points share."""
        shared = {name: getattr(training, name) for name in Training.model_fields}
        names = cls.model_fields.keys() & Parameters.model_fields.keys()
        of_point = {name: value for name in names if (value := getattr(point, name)) is not None}
        return cls(seed=seed, **{"epochs": 1} | of_point | shared)

    def checked(self, loss: float, epoch: int) -> float:
        """Return the loss of an epoch.

        Raises
        ------
        InputError
            It is not finite.
        """
        if not math.isfinite(loss):
            raise InputError(
                f"Training diverged: the loss of epoch {epoch} is {loss}. "
                f"Try a learning rate below {self.learning_rate:g} (--learning-rate)."
            )
        return loss
