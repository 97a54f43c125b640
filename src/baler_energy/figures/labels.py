"""Labels at the ends of curves, where there is room."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from baler_energy.figures.style import plain

__all__ = ["free_place", "label_curves"]

Floats = NDArray[np.float64]

_SIZE = 8.0
#: Typical width of a letter and height of a line, relative to the font size.
_LETTER, _LINE = 0.54, 1.3
#: Gap between a mark and its label (points).
_GAP = 6.0
#: Points along each segment of a curve that a label must not cover.
_ALONG = 24
#: Places of a label around a mark, best first: horizontal and vertical offset in gaps, and alignment.
_PLACES = (
    (1.0, 0.0, "left", "center"),
    (0.0, 1.0, "center", "bottom"),
    (0.0, -1.0, "center", "top"),
    (0.7, 0.7, "left", "bottom"),
    (0.7, -0.7, "left", "top"),
    (-0.7, 0.7, "right", "bottom"),
    (-0.7, -0.7, "right", "top"),
    (-1.0, 0.0, "right", "center"),
)


def label_curves(panel: Axes, curves: Sequence[tuple[str, Floats, Floats, str]]) -> list[str]:
    """Label each curve at one of its ends, in its colour; a label that would cover something is left out.

    Parameters
    ----------
    panel
        A panel whose limits and layout are final.
    curves
        Text, x and y in the panel's data units, and colour of each curve.

    Returns
    -------
    list of str
        The labels that were drawn.
    """
    figure = panel.get_figure(root=True)
    scale = (72.0 if figure is None else figure.dpi) / 72
    taken = _drawn(panel)
    boxes: list[Bbox] = [one.get_window_extent() for one in panel.texts]
    said = []
    for text, x, y, colour in curves:
        line = panel.transData.transform(np.column_stack([x, y]))
        size = np.array([_LETTER * len(text), _LINE]) * _SIZE * scale
        found = None
        for end in (line[-1], line[0]):
            found = found or free_place(end, size, _GAP * scale, taken, boxes, panel.bbox)
        if found is None:
            continue
        box, centre = found
        boxes.append(box)
        look: dict[str, Any] = {"fontsize": _SIZE, "color": colour, "va": "center", "ha": "center"}
        x_share, y_share = panel.transAxes.inverted().transform(centre)
        panel.text(x_share, y_share, plain(text), transform=panel.transAxes, **look)
        said.append(text)
    return said


def free_place(
    mark: Floats, size: Floats, gap: float, taken: Floats, boxes: Iterable[Bbox], inside: Bbox
) -> tuple[Bbox, Floats] | None:
    """Find a place for a label near a mark.

    Parameters
    ----------
    mark, size, gap
        Position of the mark, width and height of the label, and the gap between them, in pixels.
    taken
        Points, shape (n, 2), that it must not cover or come close to; points at the mark itself are ignored.
    boxes
        Boxes that it must not overlap.
    inside
        Box that must contain it.

    Returns
    -------
    tuple or None
        The label's box and its centre; None if there is no room.
    """
    for right, up, horizontal, vertical in _PLACES:
        shift = np.array([{"left": 0.5, "center": 0.0, "right": -0.5}[horizontal], 0.0])
        shift[1] = {"bottom": 0.5, "center": 0.0, "top": -0.5}[vertical]
        centre = mark + gap * np.array([right, up]) + shift * size
        box = Bbox([centre - size / 2, centre + size / 2])
        # If another curve's mark were close, the label would seem to belong to it.
        near = taken[np.linalg.norm(taken - mark, axis=1) > 1]
        around = box.padded(0.9 * gap)
        within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if within and not any(map(box.overlaps, boxes)) and not _covers(around, near):
            return box, centre
    return None


def _covers(box: Bbox, points: Floats) -> bool:
    return bool(((points > box.min) & (points < box.max)).all(axis=1).any())


def _drawn(panel: Axes) -> Floats:
    """Return points on all lines and marks of a panel, in pixels."""
    lines = [(line.get_transform().transform(line.get_xydata()), line.get_linestyle()) for line in panel.get_lines()]
    points = [line if style == "None" else _dense(line) for line, style in lines if len(line)]
    return np.vstack(points) if points else np.empty((0, 2))


def _dense(line: Floats) -> Floats:
    """Return points along a polyline."""
    if len(line) == 1:
        return line
    share = np.linspace(0, 1, _ALONG)[:, None]
    return np.vstack([first + share * (second - first) for first, second in pairwise(line)])
