"""Codecs side by side: the figures."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.analysis.rate_distortion import codec_points
from baler_energy.figures.base import NoData
from baler_energy.figures.codec_marks import draw_against_error, kind, looks
from baler_energy.figures.codec_rows import codecs_at_centre, on_other_threads
from baler_energy.figures.style import grid
from baler_energy.figures.tables.codecs import TABLE, codecs
from baler_energy.figures.worth.codec_costs import draw_codec_costs, draw_throughput
from baler_energy.figures.worth.coder_gain import draw_coder_gain
from baler_energy.figures.worth.column_types import draw_column_types
from baler_energy.figures.worth.error_energy import draw_error_energy
from baler_energy.figures.worth.rate_distortion import draw_rate_distortion
from baler_energy.figures.worth.scorecard import draw_scorecard
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]


def test_the_figure_has_a_mark_for_each_family_and_the_trivial_codec(several: Tables) -> None:
    figure = draw_rate_distortion(several)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"baler 1/2", "quantise+pcodec", "pcodec", "Lossless", "Trained network"} < set(legend)
    assert any("best" in text for text in legend)
    for panel in figure.axes:
        texts = [text.get_text() for text in panel.texts]
        assert "no error" in texts and "trivial codec (column means)" in texts and "quantise+pcodec" in texts
    assert "NRMSE" in figure.axes[1].get_xlabel()


def test_the_axis_on_the_right_has_bytes_per_row(several: Tables) -> None:
    panel = draw_rate_distortion(several).axes[1]
    (right,) = panel.child_axes
    low, high = panel.get_ylim()
    assert sorted(right.get_ylim()) == pytest.approx([96 / high, 96 / low], rel=0.01)


def test_families_of_a_kind_share_a_colour_and_differ_in_mark_and_line() -> None:
    packings = ["quantise-0.1+lz4", "quantise-0.1+zlib", "float32-4+zlib", "lz4", "none"]
    points = pd.DataFrame({"family": packings, "packing": packings, "transform": NO_TRANSFORM})
    styles = looks(points)
    assert styles["quantise-0.1+lz4"]["color"] == styles["quantise-0.1+zlib"]["color"] != styles["lz4"]["color"]
    assert styles["none"]["color"] == styles["lz4"]["color"] != styles["float32-4+zlib"]["color"]
    assert styles["quantise-0.1+lz4"]["marker"] != styles["quantise-0.1+zlib"]["marker"]
    assert len({tuple(look.values()) for look in styles.values()}) == 5


@pytest.mark.parametrize(
    ("transform", "packing", "words"),
    [
        ("baler", "none", "Trained network"),
        ("pca", "quantise-0.1+zstd", "Closed-form transform"),
        (NO_TRANSFORM, "quantise-0.1+zstd", "Bound over the range"),
        (NO_TRANSFORM, "zstd", "Lossless"),
    ],
)
def test_the_transform_says_whether_a_codec_is_trained(transform: str, packing: str, words: str) -> None:
    assert kind({"transform": transform, "packing": packing}) == words


def test_costs_are_joules_only_where_all_are_measured(several: Tables, build: Callable[..., Tables]) -> None:
    figure = draw_codec_costs(several)
    assert figure.axes[0].get_ylabel().startswith("Time\n(") and "modelled" in figure.get_suptitle()
    assert "trivial codec (column means)" in [text.get_text() for text in figure.axes[0].texts]
    measured = several | {"runs": several["runs"].assign(energy_evidence="measured")}
    figure = draw_codec_costs(measured)
    assert figure.axes[0].get_ylabel().startswith("Energy, measured\n(") and "modelled" not in figure.get_suptitle()


def test_throughput_is_the_inverse_of_time(several: Tables) -> None:
    panel = draw_throughput(several).axes[0]
    points = codec_points(several["runs"].query("at_reference or transform == 'identity'"))
    speeds = {float(value) for line in panel.lines for value in line.get_ydata()}
    assert any(speed == pytest.approx(1000 / points["compress_s_per_gb"].iloc[0]) for speed in speeds)


def test_runs_on_other_threads_are_marks_of_their_own_and_in_no_other_mean(several: Tables, threaded: Tables) -> None:
    points, shown, _ = codecs_at_centre(threaded)
    pd.testing.assert_frame_equal(points, codecs_at_centre(several)[0])
    others, runs = on_other_threads(threaded, points, shown)
    assert not set(runs["run_id"]) & set(shown["run_id"]) and len(runs)
    assert sorted(zip(others["packing"], others["threads"], strict=True)) == [("none", 1), ("none", 4), ("pcodec", 4)]
    one, two = (frame.loc[frame["packing"] == "pcodec", "compress_s_per_gb"].item() for frame in (points, others))
    assert two == pytest.approx(one / 2)
    for draw, place in ((draw_throughput, 3.0), (draw_codec_costs, None)):
        figure = draw(threaded)
        assert {"on 1 thread", "on 4 threads"} < {text.get_text() for text in figure.legends[0].get_texts()}
        fours = [line for line in figure.axes[0].lines if line.get_marker() == "$\\mathbf{4}$"]
        assert len(fours) == 2
        speeds = {float(line.get_xdata()[0]): float(line.get_ydata()[0]) for line in fours}
        assert place is None or speeds[place] == pytest.approx(2000 / one)
    only = {"runs": threaded["runs"].query("threads == 2")}
    assert not any("thread" in text.get_text() for text in draw_throughput(threaded | only).legends[0].get_texts())


def test_costs_of_flagged_runs_only_are_left_out(several: Tables) -> None:
    flagged = several | {"runs": several["runs"].assign(in_mean=False, run_flags="contaminated")}
    with pytest.raises(NoData, match="all runs of the codecs"):
        draw_codec_costs(flagged)


def test_errors_by_type_have_a_panel_for_each_type(several: Tables) -> None:
    errors = several["errors"]
    facts = {"zero_count": 0, "nonzero_count": 100, "integer_count": 0}
    integers = errors["column"].isin(["charged_multiplicity"])
    known = errors.assign(**facts).assign(integer_count=integers * 100)
    figure = draw_column_types(several | {"errors": known})
    titles = [panel.get_title() for panel in figure.axes if panel.get_visible()]
    # The second type needs a standard deviation of at most 1/12 of the range, the synthetic columns have 0.08.
    assert titles == [
        "integers and flags: 1 column (recorded as integers)",
        "heavy tails: 6 columns (a range of at least 12 standard deviations)",
    ]
    # Longer trainings have smaller errors and the same ratio, so only the longest is on the front.
    for panel in figure.axes:
        (rings,) = (line for line in panel.lines if line.get_markersize() == 11)
        (family,) = (line for line in panel.lines if len(line.get_xdata()) == 3)
        assert list(rings.get_xdata()) == [min(family.get_xdata())]
    assert any("best" in text.get_text() for text in figure.legends[0].get_texts())
    worse = known.assign(on_rows="held_out", nrmse=9 * known["nrmse"])
    both = draw_column_types(several | {"errors": pd.concat([known, worse], ignore_index=True)})
    for panel, same in zip(figure.axes, both.axes, strict=True):
        assert [list(line.get_xdata()) for line in panel.lines] == [list(line.get_xdata()) for line in same.lines]
    with pytest.raises(NoData, match="errors per column"):
        draw_column_types(several | {"errors": errors.iloc[:0]})


def test_the_scorecard_has_better_on_the_right(several: Tables) -> None:
    figure = draw_scorecard(several)
    panel = figure.axes[0]
    assert panel.get_title() == "Stored bytes" and [text.get_text() for text in panel.get_yticklabels()] == [
        "quantise+pcodec"
    ]
    marks = [float(line.get_xdata()[0]) for line in panel.lines if line.get_marker() in "os^"]
    assert marks and min(marks) > 5, "16 to 32 times less than as recorded"
    memory = figure.axes[3]
    marks = [float(line.get_xdata()[0]) for line in memory.lines if line.get_marker() in "os^"]
    assert marks and all(0.9 < mark < 1.1 for mark in marks)
    costs = [float(line.get_xdata()[0]) for line in figure.axes[1].lines if line.get_marker() in "os^"]
    assert costs and all(cost > 0 for cost in costs)


def test_transforms_need_a_shared_coder(several: Tables) -> None:
    with pytest.raises(NoData, match="same coder"):
        draw_coder_gain("error", several)
    runs = several["runs"]
    packed = runs[runs["epochs"].notna()].assign(
        packing="quantise-0.01+pcodec",
        ratio_native_bytes=8.0,
        compressed_bytes=lambda t: t["rows"] * 12,
        at_reference=False,
    )
    packed["run_id"] += "packed"
    figure = draw_coder_gain("error", several | {"runs": pd.concat([runs, packed], ignore_index=True)})
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["no transform", "baler"]
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "coder x8" in words and "transform x0." in words


def test_one_family_is_left_out_with_the_reason(build: Callable[..., Tables]) -> None:
    tables = build(repeats=1)
    tables["runs"] = tables["runs"][tables["runs"]["batch_size"] == 512]
    with pytest.raises(NoData, match="only one family of codecs"):
        draw_rate_distortion(tables)
    assert codecs(tables).empty and "compares no codec trained in epochs" in TABLE.without_rows


def test_the_epochs_of_each_start_are_connected(several: Tables, starts: Tables) -> None:
    labels = draw_error_energy(starts).axes[0].get_legend_handles_labels()[1]
    assert "Epochs: 1, 5, 25" in labels and "Epochs of baler 1/2, start pca: 1, 5, 25" in labels
    assert not any("start" in label for label in draw_error_energy(several).axes[0].get_legend_handles_labels()[1])


def test_the_scorecard_includes_the_trained_codec_that_does_best(starts: Tables) -> None:
    runs = starts["runs"].assign(mean_rms_over_range=starts["runs"]["mean_rms_over_range"].clip(lower=0.005))
    legend = [text.get_text() for text in draw_scorecard(starts | {"runs": runs}).legends[0].get_texts()]
    assert [text.rpartition(" (")[0].removeprefix("at the error of ") for text in legend[:3]] == [
        f"baler 1/2, {epochs}" for epochs in ("1 epoch", "5 epochs", "25 epochs")
    ]
    assert len(legend) == 4 and legend[3].startswith("at the error of baler 1/2, start pca, ")


def test_a_family_is_drawn_along_the_error_of_its_panel() -> None:
    family = {"family": "f", "transform": "pca", "packing": "zstd", "epochs": None, "compression_ratio": 2.0}
    points = pd.DataFrame([family | {"error": e, "nrmse": n, "ratio": e} for e, n in ((1, 2), (2, 1), (3, 3))])
    for measure, column in (("error", "mean_rms_over_range"), ("nrmse", "mean_nrmse")):
        (panel,) = grid(1, 1, 3)[1].flat
        runs = pd.DataFrame({column: [1.0], "trivial_mean_rms_over_range": 5.0})
        draw_against_error(panel, points, runs, looks(points), measure, "ratio")
        line = next(line for line in panel.lines if len(line.get_xdata()) == 3)
        assert list(line.get_xdata()) == [1, 2, 3]
