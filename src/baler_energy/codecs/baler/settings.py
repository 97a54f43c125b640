"""Training settings, for every engine."""

from typing import Self

from baler_energy.config.parameters import Parameters, Training
from baler_energy.variants import OPTIMIZERS, load

__all__ = ["TrainingSettings"]

#: Parameters of a point that its training depends on.
_OF_POINT = ("epochs", "batch_size", "precision", "start", "learning_rate", "schedule", "optimizer", "pruning")


class TrainingSettings(Training):
    """The settings of one training: those of its point, and those that all points share."""

    epochs: int
    """Passes over the table."""
    batch_size: int
    """Rows per step; the last batch of an epoch may be smaller."""
    seed: int
    """Seed of the network's starting parameters, and of the shuffling."""
    precision: str = "float64"
    """Precision of parameters and arithmetic."""
    start: str = "random"
    """Parameters to start from, a value of the axis."""
    learning_rate: float = 1e-3
    """Learning rate, or the largest one of a schedule."""
    optimizer: str = "adam"
    """What turns gradients into steps, a value of the axis."""
    schedule: str = "constant"
    """How the learning rate changes, a value of the axis."""
    pruning: str = "none"
    """What is pruned before the last epochs, a value of the axis."""

    @classmethod
    def of(cls, point: Parameters, seed: int, training: Training) -> Self:
        """Combine a point's training settings with those that all points share."""
        shared = {name: getattr(training, name) for name in Training.model_fields}
        of_point = {name: getattr(point, name) for name in _OF_POINT}
        given = {name: value for name, value in of_point.items() if value is not None}
        default = {"epochs": 1, "learning_rate": load(OPTIMIZERS[point.optimizer]).LEARNING_RATE}
        return cls(seed=seed, **default | given | shared)
