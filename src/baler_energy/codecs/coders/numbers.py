"""Number formats to which numbers are rounded before they are stored."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Numbers
from baler_energy.errors import InputError

__all__ = ["FORMATS", "WORD", "NumberFormat"]

#: Number formats, with the bits of their mantissas (without the leading one).
FORMATS = {"float64": 52, "float32": 23, "float16": 10}


@dataclass(frozen=True)
class NumberFormat(Numbers):
    """A number format.

    Parameters
    ----------
    name
        A key of `FORMATS`.
    mantissa_bits
        Mantissa bits of a float32 that are kept, 1 to 22; None: all.
    """

    name: str
    mantissa_bits: int | None = None

    lossless = False
    usage = "a number format (float64, float32, float16), or float32 with fewer mantissa bits (float32-12)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``float32`` or ``float32-12``."""
        if parameter is None:
            return cls(name)
        if name != "float32" or not parameter.isdecimal() or not 1 <= int(parameter) < FORMATS[name]:
            raise ValueError(f"bits {parameter}")
        return cls(name, int(parameter))

    @classmethod
    def ladder(cls, name: str) -> tuple[str, ...]:
        """Give numbers of mantissa bits, from 1 up; only float32 has them."""
        return tuple(f"{name}-{bits}" for bits in range(1, FORMATS[name])) if name == "float32" else ()

    def latent_type(self, precision: str) -> str:
        """Give the format, for every precision."""
        return self.name

    def column_type(self, dtype: str) -> str:
        """Give the format for floats at least as wide; otherwise the column's own type."""
        return self.name if self._fits(dtype) else dtype

    def round_latents(self, latents: NDArray[Any], steps: NDArray[np.float64] | None) -> NDArray[Any]:
        """Round each latent to the nearest number of the format."""
        return self._rounded(latents, "latent")

    def round_column(self, values: NDArray[Any], step: float | None) -> NDArray[Any]:
        """Round each value to the nearest number of the format; NaN and infinity stay unchanged."""
        return self._rounded(values, "value") if self._fits(values.dtype.name) else values

    def _fits(self, dtype: str) -> bool:
        """Whether numbers of a type are rounded to the format: floats that are at least as wide."""
        own = np.dtype(dtype)
        return own.kind == "f" and np.dtype(self.name).itemsize <= own.itemsize

    def _rounded(self, values: NDArray[Any], what: str) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            rounded: NDArray[Any] = values.astype(self.name)
        if self.mantissa_bits is not None:
            rounded = _shortened(rounded.astype(np.float32, copy=False), self.mantissa_bits)
        beyond = np.isfinite(values) & ~np.isfinite(rounded)
        if beyond.any():
            raise InputError(
                f"packing: a {what} of {np.abs(values[beyond]).max():.3g} exceeds the range of {self.name} (at most "
                f"{np.finfo(self.name).max:.3g}). Use a wider number format."
            )
        return rounded


def _shortened(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round float32 to the nearest number with `bits` mantissa bits; infinity if that exceeds the range.

    Halfway cases are rounded away from zero. (numcodecs' BitRound rounds them to even, and turns some NaNs into 0 or
    infinity, so that the files would differ.)
    """
    dropped = FORMATS["float32"] - bits
    patterns = values.view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    kept = np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    # A carry into the exponent is correct. NaN and infinity stay, so that the caller sees them.
    rounded = np.where(np.isfinite(values), (patterns + half) & kept, patterns)
    return rounded.astype(np.uint32, copy=False).view(np.float32)


WORD = NumberFormat
