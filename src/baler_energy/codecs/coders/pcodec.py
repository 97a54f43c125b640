"""Pcodec, a coder of numbers: it finds a common divisor and bins, and codes each number's offset in its bin.

Each column of an array is coded separately, as columns differ from each other. Booleans are coded as bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, level_of

__all__ = ["WORD", "Pcodec"]

_LENGTH = np.dtype("<u8")


@dataclass(frozen=True)
class Pcodec(Coder):
    """Pcodec at a level from 0 to 12."""

    level: int = 8

    package = "pcodec"
    suffix = "pco"
    usage = "pcodec or pcodec-12 (level)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``pcodec`` or ``pcodec-12``."""
        return cls(level_of(parameter, 0, 12, 8))

    def encode(self, values: NDArray[Any]) -> bytes:
        """Pack each column: lengths of the packed columns (B, little-endian, 8 bytes each), then the columns."""
        from pcodec import ChunkConfig, standalone

        config = ChunkConfig(compression_level=self.level, enable_8_bit=True)
        # pcodec cannot pack an empty array.
        columns = _columns(values) if values.size else []
        packed = [standalone.simple_compress(np.ascontiguousarray(_countable(one)), config) for one in columns]
        return np.array([len(one) for one in packed], _LENGTH).tobytes() + b"".join(packed)

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack each column."""
        from pcodec import standalone

        values = np.empty(shape, dtype)
        columns = _columns(values) if values.size else []
        start = len(columns) * _LENGTH.itemsize
        lengths = np.frombuffer(packed[:start], _LENGTH)
        if len(lengths) != len(columns) or start + int(lengths.sum()) != len(packed):
            raise ValueError("packed bytes are damaged (column lengths)")
        for column, length in zip(columns, lengths.tolist(), strict=True):
            try:
                numbers = standalone.simple_decompress(packed[start : start + length])
            except RuntimeError as error:
                raise ValueError(f"packed bytes are damaged ({error})") from error
            start += length
            expected = _countable(column)
            if numbers is None or numbers.shape != expected.shape or numbers.dtype != expected.dtype:
                raise ValueError("packed bytes are damaged (wrong type or shape)")
            column[:] = numbers.view(column.dtype)
        return values


def _columns(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Give views of the columns of an array; a one-dimensional array is one column."""
    return [values] if values.ndim == 1 else [values[:, number] for number in range(values.shape[1])]


def _countable(values: NDArray[Any]) -> NDArray[Any]:
    return values.view(np.uint8) if values.dtype == np.bool_ else values


WORD = Pcodec
