"""Shared code of the error-bounded coders, which round each column while packing it."""

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import (
    Like,
    RoundingCoder,
    arrays_like,
    bound_ladder,
    bound_of,
    columns_of,
    joined,
    range_of,
    split_arrays,
)
from baler_energy.codecs.coders.quantise import Quantise
from baler_energy.codecs.coders.zstd import Zstd
from baler_energy.codecs.native import bounds

__all__ = ["BoundedCoder"]

_CHECKSUM_BYTES = 4
#: Byte that records how a column is packed: as floats of a type, or unchanged.
_KINDS, _AS_IT_IS = {"float32": b"f", "float64": b"d"}, b"="
#: Integers up to here are exact in float32.
_LARGEST_EXACT = 2.0**24
#: Tolerance of integers over half a step: the rest is left for the rounding of floats.
_INTEGER_MARGIN = 0.98


@dataclass(frozen=True)
class BoundedCoder(RoundingCoder):
    """A coder of floats that keeps every value within a tolerance.

    A decoded value is within `value` times the range of its column, including the rounding of its number type. Integers
    are packed as floats and decoded to integers; they are exact if the bound is less than 1. zstd stores a column
    bit for bit if its bound is finer than its number type or if it has a value that is not finite (the same conditions
    as in `Quantise`). Each column is unpacked to check its bound, since rounding of floats can make these coders break
    it; a column that breaks it is also stored bit for bit.

    Each column is packed separately, after its CRC-32 (little-endian, 4 bytes), since damaged bytes may crash these
    coders, and a byte that records how it is packed.

    Parameters
    ----------
    value
        Error bound over the range of the column (for latents: over their range within a block).
    """

    value: float

    keeps_bound = True

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read a bound, such as that of ``sz2-0.01``."""
        return cls(bound_of(parameter))

    @classmethod
    def ladder(cls, name: str) -> tuple[str, ...]:
        """Return words with error bounds, coarsest first."""
        return bound_ladder(name)

    @abstractmethod
    def pack(self, values: NDArray[Any], tolerance: float) -> bytes:
        """Pack at least one finite float32 or float64 (rows,) with a maximum error, in their unit."""

    @abstractmethod
    def unpack(self, packed: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Undo `pack`."""

    def rounded(
        self, arrays: Sequence[NDArray[Any]], ranges: Sequence[float] | None
    ) -> tuple[tuple[NDArray[Any], ...], bytes]:
        """Pack the columns of arrays; return the arrays as they will be decoded, and the packed bytes."""
        columns = [np.ascontiguousarray(column) for column in columns_of(arrays)]
        with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are stored unchanged
            known = [range_of(column) for column in columns] if ranges is None else ranges
            done = [self._packed(column, column_range) for column, column_range in zip(columns, known, strict=True)]
        back = arrays_like((column for column, _ in done), [(one.dtype.name, one.shape) for one in arrays])
        return tuple(back), joined([packed for _, packed in done])

    def encode_all(self, arrays: Sequence[NDArray[Any]]) -> bytes:
        """Pack arrays, with each column rounded relative to its own range."""
        return self.rounded(arrays, None)[1]

    def decode_all(self, packed: bytes, like: Sequence[Like]) -> list[NDArray[Any]]:
        """Unpack arrays."""
        columns = [(dtype, shape[0]) for dtype, shape in like for _ in range(1 if len(shape) == 1 else shape[1])]
        parts = zip(split_arrays(packed, len(columns)), columns, strict=True)
        return arrays_like([self._unpacked(part, dtype, rows) for part, (dtype, rows) in parts], like)

    def _packed(self, values: NDArray[Any], column_range: float) -> tuple[NDArray[Any], bytes]:
        """Pack a column; return it as it will be decoded, and its bytes."""
        step = Quantise(self.value).step(values, column_range)
        if step and len(values):
            floats = values.dtype.kind == "f"
            computed = values.astype(_computed_type(values))
            packed = self.pack(computed, step / 2 if floats else step / 2 * _INTEGER_MARGIN)
            back = _native(self.unpack(packed, computed.dtype.name, len(values)), values.dtype.name)
            # Differences of integers beyond 2^53, whose step is 1, are not exact in float64.
            exact = not floats and step == 1
            if np.array_equal(values, back) if exact else _largest_error(values, back) <= self.value * column_range:
                return back, _checked(_KINDS[computed.dtype.name] + packed)
        return values, _checked(_AS_IT_IS + Zstd().encode(values))

    def _unpacked(self, part: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Unpack a column."""
        kind, packed = part[_CHECKSUM_BYTES : _CHECKSUM_BYTES + 1], part[_CHECKSUM_BYTES + 1 :]
        computed = next((name for name, one in _KINDS.items() if one == kind), None)
        if part[:_CHECKSUM_BYTES] != _checksum(part[_CHECKSUM_BYTES:]) or (computed is None and kind != _AS_IT_IS):
            raise ValueError("packed bytes are damaged (checksum)")
        if computed is None:
            return Zstd().decode(packed, dtype, (rows,))
        return _native(self.unpack(packed, computed, rows), dtype)


def _computed_type(values: NDArray[Any]) -> str:
    """Return the float type in which a column is packed."""
    if values.dtype.kind == "f":
        return "float64" if values.itemsize == 8 else "float32"
    return "float32" if np.abs(values.astype(np.float64)).max() <= _LARGEST_EXACT else "float64"


def _native(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Round floats to a column's own number type."""
    number = np.dtype(dtype)
    inside = np.clip(values if number.kind == "f" else np.rint(values.astype(np.float64)), *bounds(dtype))
    rounded: NDArray[Any] = inside.astype(number)
    return rounded


def _largest_error(values: NDArray[Any], back: NDArray[Any]) -> float:
    return float(np.abs(values.astype(np.float64) - back.astype(np.float64)).max())


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")


def _checked(content: bytes) -> bytes:
    return _checksum(content) + content
