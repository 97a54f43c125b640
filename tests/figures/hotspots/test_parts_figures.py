"""Figures of measured parts: the whole down to operators, parts and the whole, rooflines; and of profilers."""

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from baler_energy.figures.base import NoData
from baler_energy.figures.hotspots.calls import draw_calls
from baler_energy.figures.hotspots.icicle import Tile, draw_icicle, nested
from baler_energy.figures.hotspots.lines import draw_copies, draw_lines
from baler_energy.figures.hotspots.parts import draw_parts, draw_whole, parts_of
from baler_energy.figures.hotspots.roofline import draw_roofline, work
from baler_energy.figures.hotspots.shares import draw_shares
from baler_energy.figures.style import grid, styled

# As in synthetic_hotspots.py: 2 s at 50 W, of which 20 W idle.
WHOLE_J, STATIC_J, WHOLE_S = 100.0, 40.0, 2.0


@pytest.fixture(scope="module")
def measured(build):
    return build(evidence={"cpu": "measured"})


def blocks(panel) -> list[tuple[int, float, float]]:
    """Level, start and width of each block."""
    boxes = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    return [(round(box.get_y()), box.get_x(), box.get_width()) for box in boxes]


def test_the_whole_is_static_power_and_parts_above_it(measured):
    figure = draw_whole(measured)
    levels: dict[int, list[float]] = {}
    for level, _, width in blocks(figure.axes[0]):
        levels.setdefault(level, []).append(width)
    assert levels[0] == [pytest.approx(WHOLE_J)]
    # Static, data, layers, optimizer, overhead: the last four share the energy above the idle power.
    assert levels[1] == pytest.approx([STATIC_J, *(0.6 * WHOLE_J * s for s in (0.25, 0.35, 0.15, 0.25))])
    assert sum(levels[1]) == pytest.approx(WHOLE_J)
    assert sum(levels[3]) == pytest.approx(0.6 * WHOLE_J * 0.35), "operators fill their layers"
    assert "Energy of cpu, measured (J)" in figure.axes[-1].get_xlabel()


def test_time_is_shown_where_energy_is_modelled(tables):
    figure = draw_whole(tables)
    widths = [width for level, _, width in blocks(figure.axes[0]) if level == 1]
    assert widths == pytest.approx([WHOLE_S * s for s in (0.25, 0.35, 0.15, 0.25)])
    assert figure.axes[0].get_xlabel() == "Time, since energy is not measured here (s)"
    assert "static power is unknown" in figure.get_suptitle()


def test_parts_and_overhead_add_up_to_the_whole(measured):
    figure = draw_parts(measured)
    for panel in figure.axes:
        bars = [bar.get_width() for bar in panel.patches]
        assert sum(bars) == pytest.approx(100.0) and bars[-1] == pytest.approx(25.0)
        assert "parts explain 75 %" in panel.get_title()


def test_disturbed_loops_are_counted(measured):
    hotspots = measured["hotspots"].copy()
    data = (hotspots["profiler"] == "parts") & (hotspots["kind"] == "data")
    hotspots.loc[data, "run_flags"] = "contaminated"
    said = draw_parts({**measured, "hotspots": hotspots}).get_suptitle()
    assert f"{data.sum()} of " in said and "loops are flagged (contaminated)" in said
    assert "flagged" not in draw_parts(measured).get_suptitle()


def test_the_roof_is_the_lower_of_peak_and_slope(measured):
    figure = draw_roofline(measured)
    roof = next(line for line in figure.axes[0].lines if len(line.get_xdata()) > 10)
    for intensity, gflops in zip(roof.get_xdata(), roof.get_ydata(), strict=True):
        assert gflops == pytest.approx(min(40.0, 15.0 * intensity))
    energy = next(line for line in figure.axes[1].lines if len(line.get_xdata()) > 10)
    for intensity, joules in zip(energy.get_xdata(), energy.get_ydata(), strict=True):
        # In nJ: 30 W above the idle power of 20 W, of 40 GFLOP/s and of 15 GB/s, and idle over the roof's time.
        assert joules == pytest.approx(30 / 40 + 30 / 15 / intensity + 20 * max(1 / 40, 1 / (15 * intensity)))


def test_work_of_layers_and_operations(measured, tables):
    points = work(parts_of(measured)[0]).set_index(["operation", "name"])
    forward = points.loc[("train", "en1 forward")]
    assert (forward["flop_per_byte"], forward["kind"]) == (5.0, "forward")
    assert forward["flop_per_s"] == pytest.approx(1e9 / (0.1 * WHOLE_S))
    assert forward["j_per_flop"] == pytest.approx(0.1 * WHOLE_J / 1e9)
    # The bytes of a whole are the sum over its layers.
    assert points.loc[("train", "train"), "flop_per_byte"] == pytest.approx(3e9 / 4e8)
    assert work(parts_of(tables)[0])["j_per_flop"].isna().all(), "modelled energy makes no J/FLOP"
    assert len(draw_roofline(tables).axes) == 1


def test_without_peaks_there_is_no_roof(measured):
    hotspots = measured["hotspots"]
    with pytest.raises(NoData, match="no peaks"):
        draw_roofline({**measured, "hotspots": hotspots[hotspots["kind"] != "peak"]})


def test_the_call_tree_is_drawn_with_the_originals(tables):
    ours, original = draw_calls(tables).axes
    assert [width for level, _, width in blocks(ours) if level == 1] == pytest.approx([90, 5])
    assert [width for level, _, width in blocks(original) if level == 3] == pytest.approx([48, 26, 26])
    assert "76 s" in original.get_title()


def test_nested_rows_become_blocks():
    rows = [{"stack": s, "name": s[-1], "width": w} for s, w in (("a", 3.0), ("a;b", 2.0), ("a;b;c", 1.0), ("d", 1.0))]
    first, second = nested(rows, "0.5")
    assert (first.label, first.width, second.label) == ("a", 3.0, "d")
    assert first.parts == [Tile("b", 2.0, "0.5", parts=[Tile("c", 1.0, "0.5")])]


def labels_within_blocks(figure) -> list[str]:
    """Draw, and return the labels; each has to be within the block at its middle."""
    canvas = FigureCanvasAgg(figure)
    with styled():
        canvas.draw()
    renderer, found = canvas.get_renderer(), []
    for panel in figure.axes:
        boxes = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
        for label in filter(lambda text: text.get_visible(), panel.texts):
            x, y = label.get_position()
            (box,) = (one for one in boxes if 0 < x - one.get_x() < one.get_width() and 0 < y - one.get_y() < 1)
            room, taken = box.get_window_extent(renderer), label.get_window_extent(renderer)
            assert room.x0 <= taken.x0 and taken.x1 <= room.x1, label.get_text()
            assert room.y0 <= taken.y0 and taken.y1 <= room.y1, label.get_text()
            found.append(label.get_text())
    return found


@pytest.mark.parametrize("draw", [draw_whole, draw_calls])
def test_labels_do_not_leave_their_blocks(draw, measured):
    with styled():
        figure = draw(measured)
    assert "100 %" in "".join(labels_within_blocks(figure))


@pytest.mark.parametrize("height_in", [1.5, 2.5, 5.0])
def test_labels_are_shortened_turned_or_left_out_where_there_is_less_room(height_in):
    widths = {
        "addmm": 60,
        "WWWWWWWWWWWW": 20,
        "backward_of_everything": 10,
        "$copy": 5,
        "mul": 3,
        "MMMMMM": 1.5,
        "x": 0.5,
    }
    with styled():
        figure, panels = grid(1, 1, height_in)
        parts = [Tile(name, width, "0.3", known=name != "mul") for name, width in widths.items()]
        draw_icicle(panels[0, 0], Tile("whole", 100, "0.9", parts=[Tile("parts", 100, "0.6", parts=parts)]))
    found = labels_within_blocks(figure)
    assert "addmm" in {text.partition("\n")[0] for text in found} and len(found) > 3


def test_lines_have_their_parts_and_bytes(tables):
    figure = draw_lines(tables)
    widths = sorted(bar.get_width() for bar in figure.axes[0].patches)
    assert sum(widths) == pytest.approx(100.0) and widths[-1] == pytest.approx(42.0)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "60.0; 1,000 MB allocated, 10 MB copied"
    copies = draw_copies(tables).axes[0]
    assert [bar.get_width() for bar in copies.patches] == pytest.approx([3.0, 1.5, 0.5])


@pytest.mark.parametrize(
    ("draw", "profiler"),
    [
        (draw_lines, "scalene"),
        (draw_copies, "copies"),
        (draw_calls, "cprofile"),
        (lambda tables: draw_shares("pyspy", {"function": "0"}, tables), "pyspy"),
    ],
)
def test_an_absent_profiler_is_reported_with_its_reason(tables, draw, profiler):
    hotspots = tables["hotspots"]
    row = hotspots[hotspots["profiler"] == profiler].head(1)
    absent = row.assign(kind="absent", self_share=None, reason=f"{profiler} is not installed. Install it.")
    others = hotspots[hotspots["profiler"] != profiler]
    with pytest.raises(NoData, match=f"{profiler} is not installed. Install it"):
        draw({**tables, "hotspots": pd.concat([others, absent])})
    with pytest.raises(NoData, match=f"profiled with {profiler}"):
        draw({**tables, "hotspots": others})
