"""Zstandard from pyarrow, after a byte shuffle."""

from dataclasses import dataclass
from typing import Self

from baler_energy.codecs.coders.arrow import ArrowCoder
from baler_energy.codecs.coders.base import level_of

__all__ = ["WORD", "Zstd"]


@dataclass(frozen=True)
class Zstd(ArrowCoder):
    """Zstandard at a level from 1 to 22."""

    level: int = 3

    codec = "zstd"
    suffix = "zst"
    usage = "zstd or zstd-19 (level)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``zstd`` or ``zstd-19``."""
        return cls(level_of(parameter, 1, 22, 3))

    def compression_level(self) -> int:
        """Give its level."""
        return self.level


WORD = Zstd
