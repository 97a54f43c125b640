"""zlib (Deflate, as in gzip), from Python's standard library, after a byte shuffle."""

from dataclasses import dataclass
from typing import Self

from baler_energy.codecs.coders.base import level_of
from baler_energy.codecs.coders.standard import StandardCoder, Unpacker

__all__ = ["WORD", "Zlib"]


@dataclass(frozen=True)
class Zlib(StandardCoder):
    """zlib at a level from 1 to 9."""

    level: int = 6

    suffix = "zlib"
    usage = "zlib or zlib-9 (level)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``zlib`` or ``zlib-9``."""
        return cls(level_of(parameter, 1, 9, 6))

    def pack(self, planes: memoryview) -> bytes:
        """Pack shuffled bytes."""
        import zlib

        return zlib.compress(planes, self.level)

    def unpacker(self, size: int) -> tuple[Unpacker, type[Exception]]:
        """Give an object that unpacks any number of bytes, and the exception that it raises for damaged ones."""
        import zlib

        return zlib.decompressobj(), zlib.error


WORD = Zlib
