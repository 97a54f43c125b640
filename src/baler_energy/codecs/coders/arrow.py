"""Byte coders from pyarrow, after a byte shuffle."""

from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, byte_count, from_planes, to_planes

__all__ = ["ArrowCoder"]


class ArrowCoder(Coder):
    """A byte coder from pyarrow."""

    package = "pyarrow"
    codec: ClassVar[str]

    def compression_level(self) -> int | None:
        """Give its level; None if it has no levels."""
        return None

    def encode(self, values: NDArray[Any]) -> bytes:
        """Shuffle the bytes and pack them."""
        import pyarrow as pa

        codec = pa.Codec(self.codec, compression_level=self.compression_level())
        packed: bytes = codec.compress(to_planes(values), asbytes=True)
        return packed

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack the bytes and undo the shuffle."""
        import pyarrow as pa

        size = byte_count(dtype, shape)
        try:
            planes = pa.Codec(self.codec).decompress(packed, decompressed_size=size, asbytes=True)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"packed bytes are damaged ({error})") from error
        return from_planes(planes, dtype, shape)
