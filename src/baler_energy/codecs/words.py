"""The words of the axis ``packing`` as text, such as ``quantise-0.01+zstd-3``."""

from typing import NamedTuple

__all__ = ["PackingWord", "packing_words"]


class PackingWord(NamedTuple):
    """One word of a packing, such as ``zstd-3``: its name and, after a hyphen, its parameter."""

    text: str
    name: str
    parameter: str | None


def packing_words(packing: str) -> tuple[PackingWord, ...]:
    """Split a packing into its words, whether or not they are supported; ``none`` has no words."""
    return tuple(_split(word) for word in packing.split("+")) if packing != "none" else ()


def _split(word: str) -> PackingWord:
    name, hyphen, parameter = word.partition("-")
    return PackingWord(word, name, parameter if hyphen else None)
