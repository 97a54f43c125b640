"""A bound on every value's error, kept by corrections (`codecs.corrections`)."""

import math
from dataclasses import dataclass
from typing import Self

from baler_energy.codecs.coders.base import Word, bound_of

__all__ = ["WORD", "ErrorBound", "bound_word"]


@dataclass(frozen=True)
class ErrorBound(Word):
    """A bound on every value's error, relative to its column's range in training."""

    value: float

    kind = "bound"
    lossless = False
    keeps_bound = True
    usage = "bound-0.01 (largest error relative to the column's range)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``bound-0.01`` or ``bound-1e-3``."""
        return cls(bound_of(parameter))


def bound_word(bound: float) -> str:
    """Write the word for a bound, rounded down to four digits."""
    digits = 3 - math.floor(math.log10(bound))
    return f"bound-{math.floor(bound * 10.0**digits) / 10.0**digits:.4g}"


WORD = ErrorBound
