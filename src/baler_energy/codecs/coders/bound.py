"""A bound on every value's error, kept by corrections (`codecs.corrections`)."""

from dataclasses import dataclass
from typing import Self

from baler_energy.codecs.coders.base import Word, bound_of

__all__ = ["WORD", "ErrorBound"]


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


WORD = ErrorBound
