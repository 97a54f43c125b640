"""Values of the axes ``packing`` and ``pruning`` as text: ``quantise-0.01+zstd-3``, ``costly-neurons-0.5``."""

import re
from typing import NamedTuple

__all__ = ["UNPACKED", "PackingWord", "join_words", "packing_words", "split_pruning", "word_text"]

#: The packing without words.
UNPACKED = "none"
#: A bound or a number of bits in a word.
_NUMBER = re.compile(r"-\d+(?:\.\d+)?(?:e-?\d+)?")


class PackingWord(NamedTuple):
    """One word of a packing, such as ``zstd-3``: its name and, after a hyphen, its parameter."""

    text: str
    name: str
    parameter: str | None

    @property
    def family(self) -> str:
        """The word without numbers: ``sz3-interp`` for ``sz3-0.01-interp``."""
        return _NUMBER.sub("", self.text)


def packing_words(packing: str) -> tuple[PackingWord, ...]:
    """Split a packing into its words, whether or not they are supported; `UNPACKED` has no words."""
    return tuple(_split(word) for word in packing.split("+")) if packing != UNPACKED else ()


def join_words(*words: str) -> str:
    """Join words to a packing, the opposite of `packing_words`; empty without words."""
    return "+".join(words)


def word_text(name: str, parameter: str) -> str:
    """Write a word with its parameter."""
    return f"{name}-{parameter}"


def _split(word: str) -> PackingWord:
    name, hyphen, parameter = word.partition("-")
    return PackingWord(word, name, parameter if hyphen else None)


def split_pruning(pruning: str) -> tuple[str, str]:
    """Split a pruning into its kind and share, whether or not they are supported; ``none`` has no kind."""
    kind, _, share = pruning.rpartition("-")
    return kind, share
