"""Corrections that keep every value of a reconstructed table within a bound of the original.

Where the codec's own error exceeds the bound, the residual is stored in steps of twice the bound, as error-bounded
compressors such as SZ do (Di and Cappello 2016); most steps are 0 and pack to nearly nothing. Where a step does not
help (a value far outside, a number format that is too coarse), the original value is stored.

What decodes may round otherwise than what encoded (other batches, threads or machines). So a value counts as within
the bound only if it stays there, rounded to its column's type, when the decoded value moves by `Bound.noise` either
way; rounding keeps the order of numbers, so that nothing between can be further off.
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

#: Largest change of a decoded value from one way of decoding to another, over its column's range or, where that is
#: more, its distance from the column's minimum, by the precision of the arithmetic: some hundred times what is seen
#: (float64 3e-15, float32 2e-6; tests/codecs/baler/test_streaming.py).
NOISE = {"float64": 1e-12, "float32": 1e-4}

#: Marks a value that is stored as it is.
_EXACT = np.iinfo(np.int16).min
_MOST = np.iinfo(np.int16).max


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of a block.

    Parameters
    ----------
    steps
        (rows, columns) int16: times twice the bound; the least int16 marks values that are stored as they are.
    exact
        (marked values,) float64: these, row by row.
    """

    steps: NDArray[np.int16]
    exact: Floats


@dataclass(frozen=True, eq=False)
class Bound:
    """A bound of every value's error.

    Parameters
    ----------
    error_bound
        Over the range of the column in training. Where that range is 0, values come back exactly.
    normalisation
        Features of the training table.
    dtypes
        Native types of the columns.
    precision
        Of the codec's arithmetic: ``float64`` or ``float32``.
    """

    error_bound: float
    normalisation: Normalisation
    dtypes: Sequence[str]
    precision: str

    @classmethod
    def of(cls, fitted: Fitted, packing: Packing) -> "Bound | None":
        """Give the bound of the error that a packing asks for; None where it asks for none."""
        if packing.error_bound is None or fitted.normalisation is None:
            return None
        return cls(packing.error_bound, fitted.normalisation, fitted.dtypes, fitted.precision)

    def corrections(self, original: Floats, decoded: Floats) -> Corrections:
        """Find the corrections of decoded values (rows, columns), which are not yet rounded to the native types."""
        bound, noise = self._bound, self.noise(decoded)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            wanted = np.nan_to_num((original - decoded) / self._step, nan=0.0, posinf=0.0, neginf=0.0)
            # Only where the value is not within the bound as it is: most steps are to be 0.
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
        """By how much decoded values (rows, columns) may differ from one way of decoding to another.

        `NOISE`, and some spacings of float64 where the minimum, which is added last, is large against the range.
        """
        minimum, spread = self.normalisation.features
        with np.errstate(over="ignore", invalid="ignore"):
            relative = NOISE[self.precision] * np.maximum(spread, np.abs(decoded - minimum))
            noise: Floats = relative + 4 * np.spacing(np.abs(decoded) + np.abs(minimum))
        return np.where(spread > 0, noise, 0.0)

    @property
    def _bound(self) -> Floats:
        bound: Floats = self.error_bound * self.normalisation.features[1]
        return bound

    @property
    def _step(self) -> Floats:
        """Twice what is left of the bound after the noise, or of half the bound where little is left."""
        step: Floats = 2 * np.maximum(
            self._bound - NOISE[self.precision] * self.normalisation.features[1], self._bound / 2
        )
        return step

    def _holds(self, original: Floats, value: Floats, bound: Floats, noise: Floats) -> NDArray[np.bool_]:
        low, high = value - noise, value + noise
        round_to_native(low, self.dtypes)
        round_to_native(high, self.dtypes)
        holds: NDArray[np.bool_] = (original - low <= bound) & (high - original <= bound)
        return holds
