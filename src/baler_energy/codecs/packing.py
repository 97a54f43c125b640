"""How a compressed file stores its numbers: the words of the axis ``packing``, at most one of each kind."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, Numbers, RoundingCoder, Steps, Word, columns_of, range_of
from baler_energy.codecs.coders.bound import ErrorBound
from baler_energy.codecs.words import PackingWord, packing_words
from baler_energy.errors import InputError
from baler_energy.variants import CODERS, load

__all__ = ["Packing", "Reduced", "usages"]


class Reduced(NamedTuple):
    """What is stored for a block."""

    arrays: tuple[NDArray[Any], ...]
    """The arrays as they will be decoded."""
    steps: NDArray[np.float64] | None = None
    """The step of each column, if the packing uses steps."""
    packed: bytes | None = None
    """The packed arrays, if the coder rounds while packing."""


@dataclass(frozen=True)
class Packing:
    """A value of the axis ``packing``.

    Parameters
    ----------
    numbers
        How numbers are rounded; None: not at all.
    coder
        Coder, lossless unless it also replaces `numbers`; None stores the numbers unchanged.
    bound
        Bound on every value's error; None: no bound.
    """

    numbers: Numbers | None = None
    coder: Coder | None = None
    bound: ErrorBound | None = None

    @classmethod
    def parse(cls, text: str) -> "Packing":
        """Read a value of the axis.

        Raises
        ------
        InputError
            The value is not supported.
        """
        found: dict[str, Word] = {}
        for written in packing_words(text):
            word = _read(written, text)
            for kind in (word.kind, *word.replaces):
                if kind in found:
                    raise InputError(
                        f"packing {text!r}: {written.text!r} cannot be combined with the words before it; {_allowed()}."
                    )
                found[kind] = word
        return cls(**{word.kind: word for word in found.values()})  # type: ignore[arg-type]

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that are set."""
        return tuple(word for word in (self.numbers, self.coder, self.bound) if word is not None)

    @property
    def error_bound(self) -> float | None:
        """Largest error of a value, relative to its column's range in training; None: no bound."""
        return None if self.bound is None else self.bound.value

    @property
    def lossless(self) -> bool:
        """Whether all numbers come back bit for bit."""
        return all(word.lossless for word in self.words)

    def missing(self) -> str | None:
        """Report which package is missing and how to install it; None if nothing is missing."""
        return next((reason for word in self.words if (reason := word.missing())), None)

    def startup_s(self) -> float | None:
        """Load the coder, pack and unpack a few numbers, and return how long that took (s); None without a coder."""
        if self.coder is None:
            return None
        began_s = time.monotonic()
        few = np.linspace(0.0, 1.0, 1024)
        packed = self.reduced((few,), [1.0]).packed
        self.coder.decode_all(self.coder.encode_all([few]) if packed is None else packed, [(few.dtype.name, few.shape)])
        return time.monotonic() - began_s

    def steps(
        self, arrays: Sequence[NDArray[Any]], ranges: Sequence[float] | None = None
    ) -> NDArray[np.float64] | None:
        """Choose the step of each column; None if the packing does not use steps.

        Parameters
        ----------
        arrays
            Columns (rows,), or latents (rows, columns).
        ranges
            Ranges of the columns; None: computed from the arrays.
        """
        if not isinstance(self.numbers, Steps):
            return None
        columns = columns_of(arrays)
        known = map(range_of, columns) if ranges is None else ranges
        return np.array(
            [self.numbers.step(one, column_range) for one, column_range in zip(columns, known, strict=True)]
        )

    @property
    def needs_ranges(self) -> bool:
        """Whether columns are rounded relative to their ranges, which must be known first."""
        return any(word.needs_ranges for word in self.words)

    def reduced(self, arrays: tuple[NDArray[Any], ...], ranges: Sequence[float] | None = None) -> "Reduced":
        """Round a block's output of a transform to the numbers that are stored.

        Parameters
        ----------
        arrays
            Columns (rows,), or one array of latents (rows, columns).
        ranges
            Ranges of the columns; None: computed from the block.

        Raises
        ------
        InputError
            A number exceeds the range of the stored type, or a latent to be rounded is not finite.
        """
        if isinstance(self.coder, RoundingCoder):
            back, packed = self.coder.rounded(arrays, ranges)
            return Reduced(back, packed=packed)
        steps = self.steps(arrays, ranges)
        if arrays and arrays[0].ndim == 2:
            return Reduced((self.reduce(arrays[0], steps),), steps)
        own = [None] * len(arrays) if steps is None else steps
        return Reduced(tuple(self.reduce_column(one, step) for one, step in zip(arrays, own, strict=True)), steps)

    def reduce(self, numbers: NDArray[np.floating], steps: NDArray[np.float64] | None = None) -> NDArray[np.floating]:
        """Round latents (rows, columns) to what is stored; raises `InputError` if one is not finite or too large."""
        if self.numbers is None:
            return numbers
        if not np.isfinite(numbers).all():
            raise InputError("packing: a latent is not finite, so it cannot be stored in another number format.")
        return self.numbers.round_latents(numbers, steps)

    def reduce_column(self, values: NDArray[Any], step: float | None = None) -> NDArray[Any]:
        """Round a column to what is stored, in the `stored_type` of its number type."""
        return values if self.numbers is None else self.numbers.round_column(values, step)

    def stored_type(self, dtype: str) -> str:
        """Return the number type that stores a column of type `dtype`; it is never wider."""
        return dtype if self.numbers is None else self.numbers.column_type(dtype)


def _read(word: PackingWord, text: str) -> Word:
    """Parse one word of ``text``, which the error message quotes."""
    try:
        read: Word = _kind(word.name).parse(word.name, word.parameter)
    except (KeyError, ValueError):
        raise InputError(f"packing {text!r}: {word.text!r} is not supported; {_allowed()}.") from None
    return read


@cache
def _kind(name: str) -> type[Word]:
    kind: type[Word] = load(CODERS[name][0]).WORD
    return kind


def usages() -> str:
    """Say how to write each word; imports all of them."""
    kinds: Iterable[type[Word]] = dict.fromkeys(_kind(name) for name in CODERS)
    return "; ".join(kind.usage for kind in kinds)


def _allowed() -> str:
    """List the supported words, for messages."""
    return (
        f"use none, or some of these joined by a plus sign: {usages()}; for example float32-12+zstd or zstd+bound-0.001"
    )
