"""An entry of the glossary."""

from dataclasses import dataclass

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """A quantity: its column in the dataset, name, formula, unit (1: a pure number), source, and limits."""

    column: str
    name: str
    formula: str
    unit: str
    source: str
    misleads: str
