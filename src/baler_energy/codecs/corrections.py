"""Corrections that keep every value of a reconstructed table within a bound of the original.

Where the codec's own error exceeds the bound, the residual is stored in steps of twice the bound, as error-bounded
compressors such as SZ do (Di and Cappello 2016); most steps are 0 and compress to almost nothing. Where a step does not
help (a value far outside, a number format that is too coarse), the original value is stored.

Decoding may round differently from encoding (other batches, threads or machines). A value therefore counts as within
the bound only if it stays there when the decoded value is shifted by `Bound.noise` either way and rounded to its
column's type. Rounding is monotonic, so no shift in between gives a larger error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.fitted import Fitted
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing

__all__ = ["NOISE", "Bound", "Corrections"]

Floats = NDArray[np.float64]

#: Largest difference between two ways of decoding a value, by the precision of the arithmetic. It is relative to the
#: column's range or, if larger, the value's distance from the column's minimum. It is 50 to 300 times what was observed
#: (float64 3e-15, float32 2e-6; tests/codecs/baler/test_streaming.py).
NOISE = {"float64": 1e-12, "float32": 1e-4}

#: Marks a value that is stored exactly.
_EXACT = np.iinfo(np.int16).min
_MOST = np.iinfo(np.int16).max


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of a block.

    Parameters
    ----------
    steps
        (rows, columns) int16: multiples of `Bound._step`; the smallest int16 marks values that are stored exactly.
    exact
        (marked values,) float64: the marked values, row by row.
    """

    steps: NDArray[np.int16]
    exact: Floats

    def check(self) -> None:
        """Raise `ValueError` if there are more or fewer exact values than marks."""
        marks = np.count_nonzero(self.steps == _EXACT)
        if marks != len(self.exact):
            raise ValueError(f"{len(self.exact)} exact values for {marks} marks")


@dataclass(frozen=True, eq=False)
class Bound:
    """A bound on every value's error.

    Parameters
    ----------
    error_bound
        Relative to the column's range in training. Where that range is 0, values come back exactly.
    normalisation
        Features of the training table.
    dtypes
        Native types of the columns.
    precision
        Precision of the codec's arithmetic: ``float64`` or ``float32``.
    """

    error_bound: float
    normalisation: Normalisation
    dtypes: Sequence[str]
    precision: str

    @classmethod
    def of(cls, fitted: Fitted, packing: Packing) -> "Bound | None":
        """Give the bound of a packing; None if it has no bound, or the codec was not trained."""
        if packing.error_bound is None or fitted.normalisation is None:
            return None
        return cls(packing.error_bound, fitted.normalisation, fitted.dtypes, fitted.precision)

    def corrections(self, original: Floats, decoded: Floats, rounding: Floats | float = 0.0) -> Corrections:
        """Find the corrections of decoded values (rows, columns), which are not yet rounded to the native types.

        `rounding` is the largest error of each column (columns,) of `original` itself, within the bound.
        """
        bound, noise = self.values - rounding, self.noise(decoded)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            wanted = np.nan_to_num((original - decoded) / self._step, nan=0.0, posinf=0.0, neginf=0.0)
            # Only where the decoded value itself is outside the bound, so that most steps are 0.
            kept = self._holds(original, decoded, bound, noise)
            steps = np.where(kept, 0.0, np.rint(wanted).clip(-_MOST, _MOST))
            holds = kept | self._holds(original, decoded + steps * self._step, bound, noise)
        steps = np.where(holds, steps, _EXACT).astype(np.int16)
        return Corrections(steps, original[~holds])

    def restore(self, decoded: Floats, corrections: Corrections) -> None:
        """Correct decoded values (rows, columns) in place, and round them to the native types."""
        exact = corrections.steps == _EXACT
        decoded += np.where(exact, 0, corrections.steps) * self._step
        round_to_native(decoded, self.dtypes)
        decoded[exact] = corrections.exact

    def noise(self, decoded: Floats) -> Floats:
        """Largest difference between two ways of decoding these values (rows, columns).

        `NOISE`, plus a few spacings of float64, which matter if the minimum, added last, is much larger than the range.
        """
        minimum, column_range = self.normalisation.features
        with np.errstate(over="ignore", invalid="ignore"):
            relative = NOISE[self.precision] * np.maximum(column_range, np.abs(decoded - minimum))
            noise: Floats = relative + 4 * np.spacing(np.abs(decoded) + np.abs(minimum))
        return np.where(column_range > 0, noise, 0.0)

    @property
    def values(self) -> Floats:
        """The bound of each column (columns,), in its unit."""
        bound: Floats = self.error_bound * self.normalisation.features[1]
        return bound

    @property
    def _step(self) -> Floats:
        """Twice what the noise leaves of the bound, but at least the bound itself."""
        step: Floats = 2 * np.maximum(
            self.values - NOISE[self.precision] * self.normalisation.features[1], self.values / 2
        )
        return step

    def _holds(self, original: Floats, value: Floats, bound: Floats, noise: Floats) -> NDArray[np.bool_]:
        low, high = value - noise, value + noise
        round_to_native(low, self.dtypes)
        round_to_native(high, self.dtypes)
        holds: NDArray[np.bool_] = (original - low <= bound) & (high - original <= bound)
        return holds
