"""Rows of horizontal bars or marks: names on the left, numbers at the ends."""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes

from baler_energy.figures.style import plain

__all__ = ["label_edge", "label_end", "name_rows"]


def name_rows(
    panel: Axes,
    names: Iterable[str],
    *,
    margin: float | None = None,
    upwards: bool = False,
    ticks: bool = False,
    size: float | None = None,
) -> None:
    """Label the rows 0, 1, ... of a panel with names instead of numbers.

    Parameters
    ----------
    panel
        The panel, with its bars.
    names
        Name of each row.
    margin
        Space beyond the middle of the first and the last row, in rows; None: what the bars need.
    upwards
        The first row is at the bottom, not at the top.
    ticks
        Rows have ticks.
    size
        Font size; None: that of all ticks.
    """
    texts = [plain(name) for name in names]
    look: dict[str, Any] = {} if size is None else {"fontsize": size}
    panel.set_yticks(range(len(texts)), texts, **look)
    panel.tick_params(axis="y", which="minor" if ticks else "both", left=False, right=False)
    if margin is not None:
        panel.set_ylim(-margin, len(texts) - 1 + margin)
    panel.yaxis.set_inverted(not upwards)


def label_end(panel: Axes, text: str, end: float, row: int, *, gap: float = 3) -> None:
    """Write a text at the end of a bar, some points to the right of it."""
    panel.annotate(text, (end, row), (gap, 0), textcoords="offset points", va="center", fontsize=8)


def label_edge(panel: Axes, text: str, row: int, *, size: float = 8) -> None:
    """Write a text at the right edge of a panel, in line with a row."""
    panel.text(0.985, row, text, transform=panel.get_yaxis_transform(), ha="right", va="center", fontsize=size)
