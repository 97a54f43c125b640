"""How a compressed file stores its numbers: the words of the axis ``packing``, one of each kind."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, Word
from baler_energy.codecs.coders.bound import ErrorBound
from baler_energy.codecs.coders.numbers import NumberFormat
from baler_energy.errors import InputError
from baler_energy.variants import CODERS, load

__all__ = ["Packing"]


@dataclass(frozen=True)
class Packing:
    """A value of the axis ``packing``.

    Parameters
    ----------
    numbers
        Format to which numbers are rounded, or None: as computed.
    coder
        Lossless coder; None stores the numbers as they are.
    bound
        Bound of every value's error; None: no bound.
    """

    numbers: NumberFormat | None = None
    coder: Coder | None = None
    bound: ErrorBound | None = None

    @classmethod
    def parse(cls, text: str) -> "Packing":
        """Read a value of the axis.

        Raises
        ------
        InputError
            It is not one.
        """
        found: dict[str, Word] = {}
        for text_of_word in [] if text == "none" else text.split("+"):
            word = _read(text_of_word, text)
            if word.kind in found:
                raise InputError(
                    f"packing {text!r}: {text_of_word!r} repeats a kind that is already there; {_allowed()}."
                )
            found[word.kind] = word
        return cls(**found)  # type: ignore[arg-type]

    @property
    def words(self) -> tuple[Word, ...]:
        """Its words."""
        return tuple(word for word in (self.numbers, self.coder, self.bound) if word is not None)

    @property
    def error_bound(self) -> float | None:
        """Largest error of every value, over the range of its column in training; None: no bound."""
        return None if self.bound is None else self.bound.value

    @property
    def lossless(self) -> bool:
        """Whether all numbers come back to the bit."""
        return all(word.lossless for word in self.words)

    def missing(self) -> str | None:
        """Say what this machine lacks for it, and how to get it; None: nothing."""
        return next((reason for word in self.words if (reason := word.missing())), None)

    def reduce(self, numbers: NDArray[np.floating]) -> NDArray[np.floating]:
        """Give numbers in the format that is stored; raises `InputError` where one is beyond it."""
        if self.numbers is None:
            return numbers
        if not np.isfinite(numbers).all():
            raise InputError("packing: a latent is not finite, so it cannot be stored in another number format.")
        return self.numbers.round(numbers)

    def reduce_column(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give a column in the format that is stored: `stored_type` of its own."""
        fits = self.numbers is not None and self.numbers.fits(values.dtype.name)
        return self.numbers.round(values, what="value") if self.numbers and fits else values

    def stored_type(self, dtype: str) -> str:
        """Give the number type in which a column of a type is stored, which is never a wider one."""
        return self.numbers.name if self.numbers is not None and self.numbers.fits(dtype) else dtype


def _read(word: str, text: str) -> Word:
    """Read one of the words; ``text`` is for the message."""
    name, hyphen, parameter = word.partition("-")
    try:
        read: Word = _kind(name).parse(name, parameter if hyphen else None)
    except (KeyError, ValueError):
        raise InputError(f"packing {text!r}: {word!r} is not supported; {_allowed()}.") from None
    return read


@cache
def _kind(name: str) -> type[Word]:
    kind: type[Word] = load(CODERS[name]).WORD
    return kind


def _allowed() -> str:
    """Say what may be given."""
    kinds: Iterable[type[Word]] = dict.fromkeys(_kind(name) for name in CODERS)
    usages = "; ".join(kind.usage for kind in kinds)
    return (
        f"use none, or some of these joined by a plus sign: {usages}; for example float32-12+zstd or zstd+bound-0.001"
    )
