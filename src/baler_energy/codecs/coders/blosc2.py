"""Blosc2: shuffles bytes or bits in pieces that fit a CPU's cache, and packs each piece with one of several coders."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, byte_count

__all__ = ["WORD", "Blosc2"]

_INNER = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
_WRITTEN = re.compile(rf"(?P<inner>{'|'.join(_INNER)})(?:-(?P<level>[1-9]))?(?P<bits>-bitshuffle)?")
_CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class Blosc2(Coder):
    """A chunk of Blosc2, after its CRC-32 (little-endian, 4 bytes), since Blosc2 has no checksum.

    Without a checksum, most damaged chunks would unpack to wrong numbers. Like the other coders, it runs in the calling
    thread: `codecs.streaming` has its own threads.

    Parameters
    ----------
    inner
        The coder of the shuffled bytes.
    level
        Blosc2's own level, from 1 to 9, for every coder.
    bitshuffle
        Whether bits are shuffled instead of bytes.
    """

    inner: str = "zstd"
    level: int = 5
    bitshuffle: bool = False

    package = extra = "blosc2"
    suffix = "blosc2"
    usage = f"blosc2, or blosc2-zstd-5-bitshuffle (coder: {', '.join(_INNER)}; level; shuffle of bits instead of bytes)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``blosc2``, or ``blosc2-lz4``, optionally with ``-9``, ``-bitshuffle`` or ``-9-bitshuffle``."""
        if parameter is None:
            return cls()
        written = _WRITTEN.fullmatch(parameter)
        if written is None:
            raise ValueError(f"coder {parameter}")
        return cls(written["inner"], int(written["level"] or cls.level), written["bits"] is not None)

    def encode(self, values: NDArray[Any]) -> bytes:
        """Shuffle and pack the bytes."""
        import blosc2

        chunk = b""
        # Blosc2 cannot pack an empty array.
        if values.size:
            chunk = blosc2.compress2(
                np.ascontiguousarray(values).reshape(-1).view(np.uint8),
                codec=blosc2.Codec[self.inner.upper()],
                clevel=self.level,
                typesize=values.itemsize,
                filters=[blosc2.Filter.BITSHUFFLE if self.bitshuffle else blosc2.Filter.SHUFFLE],
                filters_meta=[0],
                nthreads=1,
            )
        return zlib.crc32(chunk).to_bytes(_CHECKSUM_BYTES, "little") + chunk

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Unpack the bytes and undo the shuffle."""
        import blosc2

        chunk = memoryview(packed)[_CHECKSUM_BYTES:]
        if int.from_bytes(packed[:_CHECKSUM_BYTES], "little") != zlib.crc32(chunk):
            raise ValueError("packed bytes are damaged (checksum)")
        size = byte_count(dtype, shape)
        if not size and not len(chunk):
            return np.empty(shape, dtype)
        # Blosc2 writes as many bytes as the chunk's header states, even beyond the end of the array.
        if len(chunk) < blosc2.MIN_HEADER_LENGTH or blosc2.get_cbuffer_sizes(chunk)[:2] != (size, len(chunk)):
            raise ValueError(f"packed bytes are damaged (they should unpack to {size} bytes)")
        values = np.empty(shape, dtype)
        try:
            blosc2.decompress2(chunk, dst=values, nthreads=1)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"packed bytes are damaged ({error})") from error
        return values


WORD = Blosc2
