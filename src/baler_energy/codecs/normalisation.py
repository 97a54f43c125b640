"""Min-max scaling of each column to [0, 1], with the training table's features in both directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baler_energy.errors import InputError

__all__ = ["Normalisation", "lost_warning"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Minimum and range of each column.

    Parameters
    ----------
    features
        (2, columns): minima, then ranges (maximum minus minimum), as Baler stores them.

    Raises
    ------
    InputError
        The shape is wrong, a value is not finite, or a range is negative.
    """

    features: Floats

    def __post_init__(self) -> None:
        features = self.features
        if features.ndim != 2 or features.shape[0] != 2 or features.dtype != np.float64:
            raise InputError(f"Normalisation features are (2, columns) float64, not {features.shape} {features.dtype}.")
        bad = np.flatnonzero(~np.isfinite(features).all(axis=0) | (features[1] < 0))
        if bad.size:
            raise InputError(
                f"Column number {bad[0]} (counted from 0) has minimum {features[0, bad[0]]} and range "
                f"{features[1, bad[0]]}: it cannot be scaled. Look for NaN, infinity or values near 1e308."
            )

    @classmethod
    def of(cls, data: Floats, names: Sequence[str]) -> "Normalisation":
        """Take the features from a training table (rows, columns).

        Raises
        ------
        InputError
            A column holds NaN or infinity, or its range overflows.
        """
        minimum = data.min(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            column_range = data.max(axis=0) - minimum
        bad = np.flatnonzero(~np.isfinite(column_range))
        if bad.size:
            raise InputError(
                f"Column {names[bad[0]]!r} contains NaN, infinity or values near 1e308 and cannot be scaled; prepare "
                "the table again without it."
            )
        return cls(np.stack([minimum, column_range]))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns had a single value in the training table (columns,)."""
        constant: NDArray[np.bool_] = self.features[1] == 0
        return constant

    def normalise(self, data: Floats) -> Floats:
        """Scale rows (rows, columns); every value of a column that was constant in training becomes 0."""
        minimum, column_range = self.features
        # Division by infinity gives 0 for the constant columns without changing the others' bits.
        result: Floats = (data - minimum) / np.where(column_range > 0, column_range, np.inf)
        return result

    def restore(self, scaled: Floats) -> Floats:
        """Undo `normalise` (rows, columns); columns that were constant in training get that value back exactly."""
        minimum, column_range = self.features
        with np.errstate(over="ignore", invalid="ignore"):  # `check_decoded` refuses what overflows
            result: Floats = scaled * column_range + minimum
        return result


def lost_warning(columns: Sequence[str]) -> list[str]:
    """Warn about columns whose values are lost."""
    words = "constant in training but not here; these values are lost. Train on this table"
    return [f"{', '.join(columns)}: {words}"] if columns else []
