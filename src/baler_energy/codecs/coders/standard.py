"""Byte coders from Python's standard library, after a byte shuffle."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, byte_count, from_planes, to_planes

__all__ = ["StandardCoder", "Unpacker"]


class Unpacker(Protocol):
    """The interface of the decompressors in `zlib` and `lzma`."""

    @property
    def eof(self) -> bool:
        """Whether the packed bytes are complete and their checksum is right."""
        ...

    @property
    def unused_data(self) -> bytes:
        """Bytes after the packed ones."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Unpack to at most `max_length` bytes."""
        ...


class StandardCoder(Coder):
    """A byte coder from Python's standard library; its packed bytes include a checksum of the unpacked ones."""

    @abstractmethod
    def pack(self, planes: memoryview) -> bytes:
        """Pack shuffled bytes."""

    @abstractmethod
    def unpacker(self, size: int) -> tuple[Unpacker, type[Exception]]:
        """Give an object that unpacks `size` bytes, and the exception that it raises for damaged ones."""

    def encode(self, values: NDArray[Any]) -> bytes:
        """Shuffle the bytes and pack them."""
        return self.pack(to_planes(values).data)

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack the bytes and undo the shuffle; unpacks no more than the array's size, whatever the bytes contain."""
        size = byte_count(dtype, shape)
        unpacker, failure = self.unpacker(size)
        try:
            # Asking for one extra byte shows whether there are more than expected.
            planes = unpacker.decompress(packed, size + 1)
        except failure as error:
            raise ValueError(f"packed bytes are damaged ({error})") from error
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("packed bytes are damaged (wrong length)")
        return from_planes(planes, dtype, shape)
