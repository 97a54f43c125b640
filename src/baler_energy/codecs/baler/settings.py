"""How to train, whichever engine does it."""

from typing import Any, Self

from baler_energy.config.parameters import Parameters, Training

__all__ = ["TrainingSettings"]


class TrainingSettings(Training):
    """The settings of a training, with what a point says of it."""

    epochs: int
    """Passes over the table."""
    batch_size: int
    """Rows per step; the last batch of an epoch may be smaller."""
    seed: int
    """Of the network's starting parameters, and of the shuffling."""
    precision: str = "float64"
    """Of parameters and arithmetic."""

    @classmethod
    def of(cls, point: Parameters, seed: int, training: Training) -> Self:
        """Put together what a point says of its training and what all points share."""
        shared = {name: getattr(training, name) for name in Training.model_fields}
        of_point: dict[str, Any] = {"batch_size": point.batch_size, "precision": point.precision, "seed": seed}
        return cls(epochs=point.epochs or 1, **of_point, **shared)
