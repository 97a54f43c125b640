"""How to train, whichever engine does it."""

from dataclasses import dataclass

__all__ = ["TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Parameters
    ----------
    epochs, batch_size
        Passes over the table, and rows per step; the last batch of an epoch may be smaller.
    seed
        Of the network's starting parameters, and of the shuffling.
    precision
        ``float64`` or ``float32``: of parameters and arithmetic.
    learning_rate
        Of Adam.
    shuffle
        Draw the rows in another order each epoch (Baler does not).
    early_stopping_patience, early_stopping_min_delta
        Stop after so many epochs in which the loss did not fall by more than `early_stopping_min_delta`.
    plateau_patience, plateau_factor
        Multiply the learning rate by the factor after more than so many epochs without a lower loss.
    """

    epochs: int
    batch_size: int
    seed: int
    precision: str = "float64"
    learning_rate: float = 1e-3
    shuffle: bool = False
    early_stopping_patience: int | None = None
    early_stopping_min_delta: float = 0.0
    plateau_patience: int | None = None
    plateau_factor: float = 0.5
