"""Labels at the ends of curves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from baler_energy.figures.labels import free_place, label_curves

_INSIDE = Bbox([[0, 0], [400, 300]])
_points = st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), max_size=30)


@given(st.tuples(st.floats(0, 400), st.floats(0, 300)), _points)
def test_a_label_covers_nothing_and_stays_inside(mark, others):
    taken = np.array([mark, *others])
    boxes = [Bbox([[50, 50], [150, 80]])]
    found = free_place(np.array(mark), np.array([60.0, 10.0]), 8.0, taken, boxes, _INSIDE)
    if found is not None:
        box, centre = found
        assert _INSIDE.x0 <= box.x0 and box.x1 <= _INSIDE.x1 and _INSIDE.y0 <= box.y0 and box.y1 <= _INSIDE.y1
        assert not box.overlaps(boxes[0])
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in taken)
        assert np.allclose(centre, [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])


def test_a_mark_with_room_has_its_label_on_the_right():
    box, _ = free_place(np.array([100.0, 100.0]), np.array([60.0, 10.0]), 8.0, np.array([[100.0, 100.0]]), [], _INSIDE)
    assert box.x0 == 108 and (box.y0 + box.y1) / 2 == 100


def test_labels_without_room_are_left_out():
    figure = Figure(figsize=(3, 2))
    panel = figure.subplots()
    x = np.linspace(0, 1, 20)
    curves = [(f"a long name of curve {n}", x, np.full(20, n / 20), "black") for n in range(20)]
    for _, *xy, _ in curves:
        panel.plot(*xy)
    alone = ("alone", np.array([0.5]), np.array([3.0]), "black")
    panel.plot([0.5], [3.0], "o")
    figure.draw_without_rendering()
    said = label_curves(panel, [*curves, alone])
    assert "alone" in said and len(said) < 10
    assert [text.get_text() for text in panel.texts] == said
