"""LZ4 from pyarrow, after a byte shuffle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from baler_energy.codecs.coders.arrow import ArrowCoder
from baler_energy.codecs.coders.base import byte_count

__all__ = ["WORD", "Lz4"]

_SIZE_BYTES = 8


@dataclass(frozen=True)
class Lz4(ArrowCoder):
    """LZ4 in its frame format, at its only level, preceded by the unpacked size (B, little-endian, 8 bytes).

    The size is stored because pyarrow does not notice if a frame holds fewer bytes than requested.
    """

    codec = "lz4"
    suffix = "lz4"
    usage = "lz4"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``lz4``."""
        if parameter is not None:
            raise ValueError("no parameter")
        return cls()

    def encode(self, values: NDArray[Any]) -> bytes:
        """Shuffle the bytes and pack them."""
        return values.nbytes.to_bytes(_SIZE_BYTES, "little") + super().encode(values)

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack the bytes and undo the shuffle."""
        size = byte_count(dtype, shape)
        if int.from_bytes(packed[:_SIZE_BYTES], "little") != size:
            raise ValueError(f"packed bytes are damaged (they should unpack to {size} bytes)")
        return super().decode(packed[_SIZE_BYTES:], dtype, shape)


WORD = Lz4
