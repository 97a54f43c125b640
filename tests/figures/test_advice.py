"""The figure and the table of ``advise``."""

import itertools

import pandas as pd
import pytest
from matplotlib.text import Text

from baler_energy.analysis.goal import Goal
from baler_energy.analysis.rate_distortion import CODEC
from baler_energy.figures.advice import advice_table, draw_advice, trivial_sentence

#: Ratio, error and slower throughput (MB/s) of three codecs, largest ratio first.
CODECS = {"quantise-0.01+pcodec": (8.0, 0.01, 50.0), "zstd": (2.0, 0.0, 200.0), "pcodec": (0.8, 0.004, 90.0)}


def codecs(measure: str) -> pd.DataFrame:
    rows = [
        dict.fromkeys(CODEC)
        | {"transform": "identity", "packing": packing, "ratio": ratio, "trains": False, "meets": True}
        | {"max_over_range": None, "mean_nrmse": None, "mean_relative_error_p99": None}
        | {"trivial_max_over_range": 0.9, "trivial_mean_relative_error_p99": 3.0, Goal(0.01, measure).key: error}
        | {"compress_mb_per_s": speed, "decompress_mb_per_s": 2 * speed, "compress_j_per_gb": None}
        | {"decompress_j_per_gb": None, "evidence": None, "memory_peak_mb": 300.0, "train_s": None}
        for packing, (ratio, error, speed) in CODECS.items()
    ]
    return pd.DataFrame(rows)


def drawn(measure: str):
    goal = Goal(0.01, measure)
    curve = pd.DataFrame({goal.key: [0.3, 0.03, 0.003], "ratio_native_bytes": [12.0, 9.0, 5.0]})
    curve.attrs["name"] = "quantise+pcodec"
    return draw_advice(codecs(measure), [curve], goal)


def marks(panel) -> list[tuple[str, float, float]]:
    """Numbers in a panel, with their places."""
    return [(text.get_text(), *text.xy) for text in panel.texts if text.get_text().isdigit()]


@pytest.mark.parametrize("measure", ["value", "nrmse", "relative"])
def test_both_panels_mark_the_measured_codecs_by_their_numbers_in_the_table(measure: str) -> None:
    errors, speeds = drawn(measure).axes
    low, high = errors.get_xlim()
    assert marks(errors) == [("1", 0.01, 8.0), ("2", low, 2.0), ("3", 0.004, 0.8)]
    assert marks(speeds) == [("1", 50.0, 8.0), ("2", 200.0, 2.0), ("3", 90.0, 0.8)]
    assert low < 0.003 and high > 0.3
    for panel in (errors, speeds):
        assert panel.get_ylim()[0] < 0.8
        assert any(list(line.get_ydata()) == [8.0, 2.0, 0.8] and line.get_marker() == "o" for line in panel.lines)
    table = advice_table(codecs(measure), Goal(0.01, measure))
    assert dict(zip(table["no."], table["codec"], strict=True)) == dict(zip("123", CODECS, strict=True))


@pytest.mark.parametrize(("measure", "error"), [("value", 0.9), ("nrmse", 1.0), ("relative", 3.0)])
def test_the_trivial_codec_is_on_the_error_axis(measure: str, error: float | None) -> None:
    panel = drawn(measure).axes[0]
    named = [text.xy[0] for text in panel.texts if text.get_text().startswith("trivial codec")]
    assert named == ([] if error is None else [error])
    upright = [line.get_xdata()[0] for line in panel.lines if list(line.get_ydata()) == [0, 1]]
    assert upright == [0.01, *named]
    assert panel.get_xlim()[1] > (error or 0)


def test_the_figure_of_lossless_codecs_has_no_error_axis() -> None:
    (panel,) = draw_advice(codecs("value"), [], Goal(0.0)).axes
    assert "Throughput" in panel.get_xlabel()
    assert [number for number, *_ in marks(panel)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("measure", "words"),
    [("value", "largest error / range"), ("nrmse", "NRMSE"), ("relative", "relative error, 99 %")],
)
def test_the_table_has_the_error_that_the_user_asked_for(measure: str, words: str) -> None:
    table = advice_table(codecs(measure), Goal(0.01, measure))
    assert table[words].tolist() == ["0.01", "0", "0.004"]
    assert ("relative error, 99 %" in table) == (measure == "relative")


def test_numbers_of_codecs_with_the_same_error_do_not_overlap() -> None:
    frame = codecs("value").assign(max_over_range=0.01, ratio=[5.0, 4.99, 4.98])
    curve = pd.DataFrame({"max_over_range": [0.3, 0.003], "ratio_native_bytes": [9.0, 2.0]})
    curve.attrs["name"] = "quantise+pcodec"
    figure = draw_advice(frame, [curve], Goal(0.01))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text().isdigit()]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_codecs_are_marked_even_if_there_was_no_time_for_curves() -> None:
    errors, _ = draw_advice(codecs("value"), [], Goal(0.01)).axes
    assert [number for number, *_ in marks(errors)] == ["1", "2", "3"]
    assert errors.get_legend() is None


def test_codecs_without_an_error_are_only_marked_at_their_speeds() -> None:
    frame = codecs("value").assign(max_over_range=None, trivial_max_over_range=None)
    curve = pd.DataFrame({"max_over_range": [None, None], "ratio_native_bytes": [9.0, 2.0]})
    curve.attrs["name"] = "quantise+pcodec"
    errors, speeds = draw_advice(frame, [curve], Goal(0.01)).axes
    assert marks(errors) == []
    assert [number for number, *_ in marks(speeds)] == ["1", "2", "3"]


def test_the_trivial_codecs_error_is_stated_unless_no_error_is_allowed() -> None:
    (said,) = trivial_sentence(codecs("value"), Goal(0.01))
    assert said == "Storing only each column's mean would give a largest error / range of 90 %."
    (said,) = trivial_sentence(codecs("nrmse"), Goal(0.01, "nrmse"))
    assert said == "Storing only each column's mean would give an NRMSE of 100 %."
    assert trivial_sentence(codecs("value"), Goal(0.0)) == []
