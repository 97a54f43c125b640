"""Style: greyscale, units, ticks, files."""

import hashlib
import itertools
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.colors
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from baler_energy.figures import style
from baler_energy.figures.selection import interval_text, scaled_unit


def test_colours_are_distinguishable_in_grey() -> None:
    lightness = []
    for colour in style.COLOURS:
        red, green, blue = matplotlib.colors.to_rgb(colour)
        luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
        lightness.append(116 * luminance ** (1 / 3) - 16)
    assert all(b - a > 15 for a, b in itertools.pairwise(lightness)), lightness


@given(st.floats(1e-12, 1e12))
def test_scaled_unit_puts_one_value_between_1_and_1000(value: float) -> None:
    factor, unit = scaled_unit([value, float("nan"), 0.0], "J")
    assert unit.endswith("J")
    if 1e-9 <= value < 1e15:
        assert 0.999 <= value * factor < 1000.001


# Only one power of ten is on this panel.
@example(decades=1.3, exponent=1.2)
# Only one of the ticks 1, 1.5, 2, 3 and 5 times a power of ten is on these panels.
@example(decades=0.5, exponent=3.484375)
@example(decades=0.46, exponent=3.71)
@given(st.floats(0.06, 2), st.floats(1, 4))
def test_ticks_of_a_narrow_logarithmic_panel_do_not_touch(decades: float, exponent: float) -> None:
    low, high = 10**exponent, 10 ** (exponent + decades)
    figure = Figure(figsize=(4, 2))
    # The width of one of three panels of a figure, and the size of its numbers.
    panel = figure.add_axes((0.2, 0.3, 2.5 / 4, 0.5), xscale="log", xlim=(low, high))
    panel.tick_params(axis="x", labelsize=9)
    style.log_ticks(panel.xaxis, low, high, narrow=True)
    figure.draw_without_rendering()
    labels = zip(panel.get_xticks(), panel.get_xticklabels(), strict=True)
    boxes = [label.get_window_extent() for place, label in labels if low <= place <= high and label.get_text()]
    assert len(boxes) >= (2 if decades >= 1.2 else 1)
    assert all(one.x1 <= other.x0 for one, other in itertools.pairwise(boxes))


def test_scaled_unit_examples() -> None:
    assert scaled_unit([2500.0], "J") == (1e-3, "kJ")
    assert scaled_unit([3e-6], "g")[1] == "µg"
    assert scaled_unit([7200.0], "s") == (1.0, "s")
    assert scaled_unit([], "J") == (1.0, "J")


def test_spread_text_gives_the_half_width_two_digits() -> None:
    assert interval_text(33.3702, 0.8712) == "33.37 ± 0.87"
    assert interval_text(12345.6, 234.0) == "12,346 ± 234"
    assert interval_text(0.838, 0.024, factor=1000) == "838 ± 24"
    assert interval_text(33.3702, float("nan")) == "33.4"


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for folder in ("one", "two"):
        with style.styled():
            figure, ((panel,),) = style.grid(1, 1, 3)
            panel.plot([1, 2], [3, 4])
            style.subtitle(figure, "a_b$")
            style.title(figure, "costs $5 and ${x")
        style.save(figure, tmp_path / folder, "plot")
        files = sorted((tmp_path / folder).iterdir())
        assert [path.name for path in files] == ["plot.png", "plot.svg"]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]
    assert "<dc:date>" not in (tmp_path / "one" / "plot.svg").read_text(encoding="utf-8")


def test_a_title_that_is_wider_than_the_figure_is_wrapped() -> None:
    figure = Figure(figsize=(4, 2))
    style.subtitle(figure, "n = 3")
    style.title(figure, "Cost of each codec against its error (toy data, not physics)")
    assert figure.get_suptitle() == "Cost of each codec against its error (toy data, not\nphysics)\nn = 3"


def test_a_figure_that_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "plot.svg").write_text("old")
    figure = Figure()

    def fail(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    figure.savefig = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="space"):
        style.save(figure, tmp_path, "plot")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.svg"]
    assert (tmp_path / "plot.svg").read_text() == "old"


@pytest.mark.parametrize("values", [[1, 5, 25], [10_000, 30_000, 100_000], [128, 512, 2048], [2, 3, 4], [7]])
def test_value_ticks_are_the_values(values: list[float]) -> None:
    figure = Figure()
    panel = figure.subplots()
    panel.plot(values, values)
    style.value_ticks(panel, values)
    figure.draw_without_rendering()
    assert list(panel.get_xticks()) == [float(value) for value in values]
    assert [text.get_text() for text in panel.get_xticklabels()] == [f"{value:,}" for value in values]


def test_value_ticks_that_would_touch_are_thinned() -> None:
    panel = Figure().subplots()
    style.value_ticks(panel, [*range(100, 111), 10_000])
    assert list(panel.get_xticks()) == [100.0, 10_000.0]


def test_any_name_can_be_drawn() -> None:
    figure = Figure(figsize=(4, 2))
    names = ["a\x01b", "p\x1b[31mq", "x\ny", "--", "-->", "<&>", "$\\frac{", "\ufffe"]
    figure.subplots().set_yticks(range(len(names)), [style.plain(name) for name in names])
    drawn = ElementTree.fromstring(style.svg(figure))
    assert drawn.tag.endswith("svg")
