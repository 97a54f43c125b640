"""Coders of bytes that come with Python, after a shuffle of the bytes."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, byte_count, from_planes, to_planes

__all__ = ["StandardCoder", "Unpacker"]


class Unpacker(Protocol):
    """What `zlib` and `lzma` unpack with."""

    @property
    def eof(self) -> bool:
        """Whether the packed bytes are complete and their checksum is right."""
        ...

    @property
    def unused_data(self) -> bytes:
        """Bytes after the packed ones."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Unpack, to at most so many bytes."""
        ...


class StandardCoder(Coder):
    """A coder of bytes that Python has; its packed bytes end with a checksum of what is packed."""

    @abstractmethod
    def pack(self, planes: memoryview) -> bytes:
        """Pack shuffled bytes."""

    @abstractmethod
    def unpacker(self, size: int) -> tuple[Unpacker, type[Exception]]:
        """Give what unpacks so many bytes, and what it raises where they are damaged."""

    def encode(self, values: NDArray[Any]) -> bytes:
        """Shuffle the bytes and pack them."""
        return self.pack(to_planes(values).data)

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack the bytes and undo the shuffle; takes no more memory than the array does, whatever was packed."""
        size = byte_count(dtype, shape)
        unpacker, failure = self.unpacker(size)
        try:
            # One byte more than expected shows that there is more.
            planes = unpacker.decompress(packed, size + 1)
        except failure as error:
            raise ValueError(f"packed bytes are damaged ({error})") from error
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("packed bytes are damaged (too few or too many)")
        return from_planes(planes, dtype, shape)
