"""Training settings, for every engine."""

from typing import Any, Self

from baler_energy.config.parameters import Parameters, Training

__all__ = ["TrainingSettings"]


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

    @classmethod
    def of(cls, point: Parameters, seed: int, training: Training) -> Self:
        """Combine a point's training settings with those that all points share."""
        shared = {name: getattr(training, name) for name in Training.model_fields}
        of_point: dict[str, Any] = {"batch_size": point.batch_size, "precision": point.precision, "seed": seed}
        return cls(epochs=point.epochs or 1, **of_point, **shared)
