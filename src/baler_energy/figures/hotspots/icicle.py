"""Icicle plots: a whole, its parts below it, and their parts below them, each as wide as its share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text

__all__ = ["Tile", "draw_icicle", "nested"]

#: Tiles narrower than this share of the whole have no label: nothing would fit.
_NAMED = 0.01
#: Fewest letters of a shortened label.
_FEWEST = 3
#: Font size, and space between a label and the edge of its tile (points); width of a narrow letter over the size.
_SIZE, _MARGIN, _NARROWEST = 7.5, 1.0, 0.4


@dataclass
class Tile:
    """A tile: its label, its width in the unit of the axis, its colour, and its parts."""

    label: str
    width: float
    colour: str
    parts: "list[Tile]" = field(default_factory=list)
    known: bool = True
    """Whether its width is known; if not, it fills the available width and has a dashed edge."""


def draw_icicle(panel: Axes, root: Tile, *, deepest: int = 8) -> None:
    """Draw a tile at the top and its parts below.

    Parts are drawn in order from the left; the rest of the tile above is its own share.
    """
    levels = _draw(panel, root, 0.0, 0, root.width, deepest)
    panel.set_xlim(0, root.width)
    panel.set_ylim(levels, 0)
    panel.set_yticks([])
    panel.tick_params(axis="x", which="both", top=False)


class _Label(Text):
    """A tile's label, of which as much is drawn as fits into the tile; the space is only known when it is drawn."""

    def __init__(self, box: Rectangle, name: str, percent: str, colour: str) -> None:
        middle = box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2
        look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": _SIZE, "color": colour}
        super().__init__(*middle, f"{name}\n{percent}".strip(), parse_math=False, **look)
        self.set_in_layout(False)
        self._box, self._name, self._percent = box, name, percent

    def _choices(self, wide: int, high: int) -> Iterator[tuple[str, float]]:
        """Texts and their rotations, best first; `wide` and `high` are the most letters in both directions."""
        yield f"{self._name}\n{self._percent}".strip(), 0
        yield self._name, 0
        yield self._name, 90
        for most, turn in ((wide, 0), (high, 90)):
            for end in range(min(most, len(self._name) - 1), _FEWEST - 1, -1):
                if self._percent and not turn:
                    yield f"{self._name[:end]}..\n{self._percent}", 0
                yield f"{self._name[:end]}..", turn

    def draw(self, renderer: RendererBase) -> None:
        """Draw the first text that fits, or nothing."""
        point: Any = renderer.points_to_pixels(1.0)
        margins, letter = 2 * _MARGIN * point, _NARROWEST * _SIZE * point
        room = self._box.get_window_extent(renderer)
        self.set_visible(True)
        for text, turn in self._choices(int(room.width / letter), int(room.height / letter)):
            self.set_text(text)
            self.set_rotation(turn)
            taken = self.get_window_extent(renderer)
            if taken.width + margins <= room.width and taken.height + margins <= room.height:
                break
        else:
            self.set_visible(False)
        super().draw(renderer)


def _draw(panel: Axes, tile: Tile, start: float, level: int, whole: float, deepest: int) -> int:
    edge = {"edgecolor": "white" if tile.known else "black", "linestyle": "-" if tile.known else (0, (3, 2))}
    box = Rectangle((start, level), tile.width, 1, facecolor=tile.colour, linewidth=0.8, **edge)  # type: ignore[arg-type]
    panel.add_patch(box)
    share = tile.width / whole
    if share >= _NAMED:
        dark = sum(weight * part for weight, part in zip((0.3, 0.59, 0.11), to_rgb(tile.colour), strict=True)) < 0.5
        percent = f"{100 * share:.0f} %" if tile.known else ""
        panel.add_artist(_Label(box, tile.label, percent, "white" if dark else "black"))
    levels = level + 1
    if level + 1 < deepest:
        for part in tile.parts:
            levels = max(levels, _draw(panel, part, start, level + 1, whole, deepest))
            start += part.width
    return levels


def nested(rows: Iterable[Mapping[str, object]], colour: str) -> list[Tile]:
    """Make tiles from rows with ``stack``, ``name`` and ``width``, parents before their children."""
    roots: list[Tile] = []
    known: dict[str, Tile] = {}
    for row in rows:
        stack = str(row["stack"])
        tile = Tile(str(row["name"]), float(str(row["width"])), colour)
        parent = known.get(stack.rpartition(";")[0])
        (parent.parts if parent else roots).append(tile)
        known[stack] = tile
    return roots
