"""What does it cost? The figures of the chapter.

- `sweeps`: energy, CO2e and duration against epochs, rows and batch size
- `loss`: the loss against epochs and against energy
- `emissions`: the same study in other countries and at other hours
"""

__all__ = ["TITLE"]

#: Category of the report, which sorts categories by name.
TITLE = "1. What does it cost?"
