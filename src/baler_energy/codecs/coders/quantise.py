"""Uniform quantisation: every number is rounded to a multiple of a step, which is stored as an integer."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Steps, bound_ladder, bound_of
from baler_energy.codecs.native import bounds

__all__ = ["WORD", "Quantise"]

#: Integer types that store the multiples of a float's step; integer columns keep their type.
_CODES = {"float16": "int16", "float32": "int32", "float64": "int64"}
#: Rounding errors (of division, product, result) that the step leaves room for; and the smallest usable bound, in
#: rounding errors: a column with a finer bound is not rounded.
_ROUNDINGS, _LEAST_ROUNDINGS = 3, 8
#: Smallest usable bound: it keeps steps away from the subnormal numbers, which have fewer digits.
_SMALLEST = 1e-290
#: Integers up to this one are exact in float64.
_LARGEST_EXACT = 2.0**53


@dataclass(frozen=True)
class Quantise(Steps):
    """Uniform quantisation, anchored at 0, so that zeros stay zeros.

    A value comes back within `value` times its column's range, including the float's own rounding. Integers come back
    as integers, exactly if that bound is below 1. A column is stored unchanged if its bound is finer than its number
    type, or if a value is not finite.

    Parameters
    ----------
    value
        Error bound, relative to the column's range (for latents: their range within a block).
    """

    value: float

    lossless = False
    keeps_bound = True
    usage = "quantise-0.01 (rounds to multiples of a step; largest error relative to the column's range)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``quantise-0.01`` or ``quantise-1e-3``."""
        return cls(bound_of(parameter))

    @classmethod
    def ladder(cls, name: str) -> tuple[str, ...]:
        """Give bounds of the error, from 0.5 down."""
        return bound_ladder(name)

    def latent_type(self, precision: str) -> str:
        """Give the precision: latents keep their number type."""
        return precision

    def column_type(self, dtype: str) -> str:
        """Give the column's own type."""
        return dtype

    def step(self, values: NDArray[Any], column_range: float) -> float:
        """Choose the step of a column.

        Parameters
        ----------
        values
            The column, of any number type (rows,).
        column_range
            Its range.

        Returns
        -------
        float
            The step; 0: the values are stored unchanged. For integers it is an odd integer.
        """
        largest = float(np.abs(values.astype(np.float64)).max()) if len(values) else 0.0
        if values.dtype.kind != "f":
            return 1.0 if largest >= _LARGEST_EXACT else 2 * math.floor(self.value * column_range) + 1.0
        rounding = largest * float(np.finfo(values.dtype).eps) / 2
        bound = self.value * column_range
        if not math.isfinite(largest + bound) or bound < max(_LEAST_ROUNDINGS * rounding, _SMALLEST):
            return 0.0
        return 2 * (bound - _ROUNDINGS * rounding)

    def round_latents(self, latents: NDArray[Any], steps: NDArray[np.float64] | None) -> NDArray[Any]:
        """Round latents to multiples of the steps of their columns, in their own number type."""
        assert steps is not None
        rounded = [self.round_column(column, step) for column, step in zip(latents.T, steps, strict=True)]
        return np.stack(rounded, axis=1)

    def round_column(self, values: NDArray[Any], step: float | None) -> NDArray[Any]:
        """Round a column to multiples of its step, in its own number type."""
        return self.values_of(self.codes_of(values, step), values.dtype.name, step) if step else values

    def codes_of(self, values: NDArray[Any], step: float) -> NDArray[Any]:
        """Give the integers that a column is stored as."""
        if step == 0:
            return values.view(_CODES[values.dtype.name])
        if values.dtype.kind == "f":
            return np.rint(values.astype(np.float64) / step).astype(_CODES[values.dtype.name])
        return values if step == 1 else np.rint(values.astype(np.float64) / step).astype(values.dtype)

    def values_of(self, codes: NDArray[Any], dtype: str, step: float) -> NDArray[Any]:
        """Undo `codes_of`: a column in its number type."""
        if step == 0:
            return codes.view(dtype)
        number = np.dtype(dtype)
        if number.kind != "f" and step == 1:
            return codes
        # A multiple may be outside the type's range; the end of the range is then closer to the value.
        return np.clip(codes * step, *bounds(dtype)).astype(number)

    def code_type(self, dtype: str) -> str:
        """Give the type of the integers that numbers of a type are stored as."""
        return _CODES.get(dtype, dtype)


WORD = Quantise
