"""Values of the axes ``packing`` and ``pruning`` as text: ``quantise-0.01+zstd-3``, ``costly-neurons-0.5``."""

from typing import NamedTuple

__all__ = ["PackingWord", "packing_words", "split_pruning"]


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


def split_pruning(pruning: str) -> tuple[str, str]:
    """Split a pruning into its kind and share, whether or not they are supported; ``none`` has no kind."""
    kind, _, share = pruning.rpartition("-")
    return kind, share
