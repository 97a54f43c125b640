"""How to train, whichever engine does it."""

from baler_energy.config.parameters import Training

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
