"""Icicle plots: a whole, its parts below it, and their parts below them, each as wide as its share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from baler_energy.figures.style import plain

__all__ = ["Block", "draw_icicle", "nested"]

#: Blocks narrower than this share of the whole have no label: nothing would fit.
_NAMED = 0.018
#: Width of a letter at the figures' width, as a share of the panel.
_LETTER = 0.0082


@dataclass
class Block:
    """A block: its label, its width in the unit of the axis, its colour, and its parts."""

    label: str
    width: float
    colour: str
    parts: "list[Block]" = field(default_factory=list)
    known: bool = True
    """Whether its width is known; if not, it fills the available width and has a dashed edge."""


def draw_icicle(panel: Axes, root: Block, *, deepest: int = 8) -> None:
    """Draw a block at the top and its parts below.

    Parts are drawn in order from the left; the rest of the block above is its own share.
    """
    levels = _draw(panel, root, 0.0, 0, root.width, deepest)
    panel.set_xlim(0, root.width)
    panel.set_ylim(levels, 0)
    panel.set_yticks([])
    panel.tick_params(axis="x", which="both", top=False)


def _draw(panel: Axes, block: Block, start: float, level: int, whole: float, deepest: int) -> int:
    edge = {"edgecolor": "white" if block.known else "black", "linestyle": "-" if block.known else (0, (3, 2))}
    panel.add_patch(Rectangle((start, level), block.width, 1, facecolor=block.colour, linewidth=0.8, **edge))  # type: ignore[arg-type]
    share = block.width / whole
    if share >= _NAMED:
        dark = sum(weight * part for weight, part in zip((0.3, 0.59, 0.11), to_rgb(block.colour), strict=True)) < 0.5
        room = max(1, int(share / _LETTER))
        words = _fitted(block.label, share, room, block.known)
        panel.text(
            start + block.width / 2,
            level + 0.5,
            plain(words),
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if dark else "black",
            rotation=90 if room < 5 else 0,
            clip_on=True,
        )
    levels = level + 1
    if level + 1 < deepest:
        for part in block.parts:
            levels = max(levels, _draw(panel, part, start, level + 1, whole, deepest))
            start += part.width
    return levels


def _fitted(label: str, share: float, room: int, known: bool) -> str:
    """Shorten a label to fit, with the share on a second line if it is known and there is room."""
    percent = f"{100 * share:.0f} %" if known else ""
    if room < 5:
        return label if len(label) <= 8 else f"{label[:7]}."
    name = label if len(label) <= room else f"{label[: room - 2]}.."
    return f"{name}\n{percent}" if percent else name


def nested(rows: Iterable[Mapping[str, object]], colour: str) -> list[Block]:
    """Make blocks from rows with ``stack``, ``name`` and ``width``, parents before their children."""
    roots: list[Block] = []
    known: dict[str, Block] = {}
    for row in rows:
        stack = str(row["stack"])
        block = Block(str(row["name"]), float(str(row["width"])), colour)
        parent = known.get(stack.rpartition(";")[0])
        (parent.parts if parent else roots).append(block)
        known[stack] = block
    return roots
