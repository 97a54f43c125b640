"""The centre of each dataset of a study: the point from which its figures vary one axis at a time."""

import math
from collections.abc import Sequence
from typing import Any

from baler_energy.codecs.engines import engine_of
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS
from baler_energy.config.study import Point, Study

__all__ = ["central_points"]

#: Axes of which a centre has one value; it includes every device of the study.
_FIXED = tuple(axis for axis in AXES if axis != "device")


def central_points(study: Study) -> frozenset[str]:
    """Paths of the points at the centre of their dataset: all devices and repeats, including those of later rounds.

    In a one-at-a-time design the centre is the study's ``reference``; of another dataset it is the point that differs
    from the reference in the fewest parameters. In a factorial design it is chosen from the dataset's points that cost
    what a Baler user pays, or from all of them if there are none: the point with the most words (model, precision,
    packing, ...) at their defaults, and among these the one whose numbers (rows, epochs, ...) are nearest to the middle
    of their axes. The first of equal points is taken. ``config/README.md`` describes this rule to the user.
    """
    centres = set()
    for dataset in dict.fromkeys(point.dataset for point in study.points):
        own = [point for point in study.points if point.dataset == dataset]
        # The reference is the first of the points.
        centre = _nearest(own, study.points[0]) if study.reference else _middle(own)
        centres.add(_fixed(centre))
    return frozenset(path for path, point in study.by_path.items() if _fixed(point) in centres)


def _fixed(point: Point) -> tuple[Any, ...]:
    return tuple(getattr(point, axis) for axis in _FIXED)


def _nearest(points: Sequence[Point], reference: Point) -> Point:
    """Choose the point that differs from the reference in the fewest axes; the first one if several are equal."""
    wanted = _fixed(reference)
    return min(points, key=lambda point: sum(own != other for own, other in zip(_fixed(point), wanted, strict=True)))


def _middle(points: Sequence[Point]) -> Point:
    """Choose the centre of a factorial design; the first point if several are equal."""
    values = {axis: sorted({getattr(point, axis) for point in points} - {None}, key=_number) for axis in _FIXED}

    def from_centre(point: Point) -> tuple[bool, int, float]:
        own = {axis: getattr(point, axis) for axis in _FIXED}
        changed = sum(value != AXIS_DEFAULTS[axis] for axis, value in own.items() if _is_word(axis))
        places = ((values[axis], value) for axis, value in own.items() if not _is_word(axis) and value is not None)
        away = sum(abs(along.index(value) - (len(along) - 1) / 2) for along, value in places)
        return not engine_of(point).runs_as_baler, changed, away

    return min(points, key=from_centre)


def _is_word(axis: str) -> bool:
    return isinstance(AXIS_DEFAULTS.get(axis), str)


def _number(value: Any) -> float:
    """Return the number by which a value is sorted; ``all`` rows come last."""
    try:
        return float(value)
    except ValueError:
        return math.inf
