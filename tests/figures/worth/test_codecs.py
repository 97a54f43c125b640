"""Codecs side by side: the figures and the table."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.analysis.rate_distortion import codec_points
from baler_energy.analysis.schema import arrow_schema
from baler_energy.figures.base import Dataset, NoData
from baler_energy.figures.codec_marks import draw_against_error, kind, looks
from baler_energy.figures.codec_rows import codecs_at_centre, on_other_threads, where
from baler_energy.figures.overview import overview
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
Build = Callable[..., Tables]
#: Error and ratio of codecs without training, by packing.
CLASSICAL = {"quantise-0.03+pcodec": (0.005, 16.0), "quantise-0.1+pcodec": (0.02, 32.0), "pcodec": (0.0, 3.0)}


@pytest.fixture(scope="module")
def several(build: Build, with_codecs: Build) -> Tables:
    """Trainings with 1, 5 and 25 epochs, whose compressed files are as large as the table, and classical codecs."""
    tables = with_codecs(build(), CLASSICAL)
    runs = tables["runs"]
    classical = runs["transform"] == NO_TRANSFORM
    runs["mean_relative_error_median"] = runs["mean_rms_over_range"] * np.where(classical, 1.5, 1.0)
    runs["energy_j"] /= np.where(classical, 10.0, 1.0)
    return tables


def test_the_table_gives_each_family_at_the_error_of_a_trained_codec(several: Tables) -> None:
    table = codecs(several)
    table = table[table["measure"] == "error"]
    trained = table[table["measured"]]
    assert trained["at_epochs"].tolist() == [1, 5, 25] and (trained["family"] == "baler 1/2").all()
    row = table[~table["measured"] & (table["at_epochs"] == 5)].iloc[0]
    assert row["family"] == "quantise+pcodec" and not row["trains"]
    # From 0.5 to 2 % the ratio doubles: it grows with the square root of the error.
    assert row["ratio"] == pytest.approx(16 * (row["at_error"] / 0.005) ** 0.5, rel=1e-6)
    own = trained[trained["at_epochs"] == 5].iloc[0]
    assert row["compress_j_per_gb"] < own["compress_j_per_gb"] / 5 and pd.isna(row["train_j_per_gb"])
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"] and row["ratio_n"] == 3
    assert own["train_j"] > 0 and own["train_j_low"] < own["train_j"] and own["compress_memory_b"] > 0


def test_the_ranking_depends_on_the_measure(several: Tables) -> None:
    table = codecs(several)
    others = table[~table["measured"].astype(bool) & (table["at_epochs"] == 5)].set_index("measure")["ratio"]
    # The classical codec's relative errors are 1.5 times its errors over the range, Baler's are equal.
    assert others["relative_error"] == pytest.approx(others["error"] / 1.5**0.5, rel=1e-6)


def test_the_first_row_answers_the_question(several: Tables) -> None:
    first, second = TABLE.rows(codecs(several), 1)
    words = first["at the error of"]
    assert words.startswith("Should I use Baler? No, not for these data: at all 5 errors compared, another codec")
    assert (
        "(quantise+pcodec) stores" in words and "needs no training, which took Baler" in words and "modelled" in words
    )
    assert not any(text for name, text in first.items() if name != "at the error of")
    assert "J\n" in second["one training"] and second["n"] == "3" and "MB" in second["peak memory"]


def test_the_first_page_answers_the_question(several: Tables, tables: Tables) -> None:
    page = overview(several, "s", {})
    assert page.index("Should I use Baler? No, not for these data") < page.index("Main numbers")
    assert "Should I use Baler?" not in overview(tables, "s", {}), "nothing to compare with"


def _answers(several: Tables, ratio: Callable[[pd.DataFrame], "pd.Series[float]"]) -> str:
    runs = several["runs"]
    native = runs["ratio_native_bytes"] * runs["compressed_bytes"]
    changed = runs.assign(ratio_native_bytes=runs["ratio_native_bytes"].where(runs["epochs"].isna(), ratio(runs)))
    changed["compressed_bytes"] = native / changed["ratio_native_bytes"]
    # A model of 5,000 bytes.
    with_model = changed["compressed_bytes"] + 5000 * changed["epochs"].notna()
    changed["ratio_native_bytes_with_model"] = native / with_model
    return TABLE.rows(codecs(several | {"runs": changed}), 1)[0]["at the error of"]


def test_the_answer_follows_the_data(several: Tables) -> None:
    yes = _answers(several, lambda runs: runs["epochs"].notna() * 100.0)
    assert "Yes, for these data: at all 5 errors compared, it stores" in yes
    words = r"Sizes are without the model; with it, Baler stores less from ([\d,]+)(?: to [\d,]+)? rows on"
    (rows,) = re.findall(words, yes)
    # Of 96 bytes per row, the best other codec stores a 16th to a 32nd, and Baler a 100th.
    assert 5000 / (96 / 16 - 96 / 100) * 0.9 < float(rows.replace(",", "")) < 5000 / (96 / 32 - 96 / 100) * 1.1
    depends = _answers(several, lambda runs: (runs["epochs"] == 5) * 98.0 + 2)
    assert (
        "It depends on the error" in depends and "stores less at 3 of 5" in depends and "Baler at 2 (up to" in depends
    )
    spread = _answers(several, lambda runs: 10.0 ** (1 + runs["repeat"]))
    assert "Not known: at all 5 errors compared, the 95 % interval includes no difference." in spread
    runs = several["runs"]
    lossless = several | {"runs": runs[runs["epochs"].notna() | (runs["packing"] == "pcodec")]}
    assert "Not known: no other codec reaches" in TABLE.rows(codecs(lossless), 1)[0]["at the error of"]


def _with_pca(several: Tables, with_codecs: Build, ratio: float) -> Tables:
    """Add a PCA that needs a hundredth of a training, with two bounds and ratios around `ratio`."""
    members = {f"quantise-{bound}+pcodec": (error, ratio * error**0.5) for bound, error in ((0.02, 0.004), (0.2, 0.03))}
    tables = with_codecs(several, members, "pca", 10_000)
    runs = tables["runs"]
    closed = runs["transform"] == "pca"
    runs["mean_relative_error_median"] = runs["mean_relative_error_median"].where(~closed, runs["mean_rms_over_range"])
    runs["energy_j"] /= np.where(closed, 100.0, 1.0)
    return tables


def test_a_pca_that_stores_least_is_the_best_other_codec(several: Tables, with_codecs: Build) -> None:
    tables = _with_pca(several, with_codecs, 1000.0)
    table = codecs(tables)
    first = TABLE.rows(table, 1)[0]["at the error of"]
    assert "No, not for these data: at all 6 errors compared, another codec (pca 1/2, quantise+pcodec) stores" in first
    cost = table[table["family"] == "pca 1/2, quantise+pcodec"].iloc[0]["train_j"]
    assert f"and its training took {1000 * cost:.3g} mJ instead of Baler's" in first and "needs no" not in first
    assert "after a training of its own" in TABLE.notes(table, tables)[0]


def test_a_pca_that_stores_more_than_another_codec_is_not_named(several: Tables, with_codecs: Build) -> None:
    tables = _with_pca(several, with_codecs, 30.0)
    first = TABLE.rows(codecs(tables), 1)[0]["at the error of"]
    assert "another codec (quantise+pcodec) stores" in first or "(mostly quantise+pcodec)" in first
    alone = tables | {"runs": tables["runs"][tables["runs"]["transform"] != NO_TRANSFORM]}
    assert "(pca 1/2, quantise+pcodec)" in TABLE.rows(codecs(alone), 1)[0]["at the error of"]


def test_the_notes_are_few(several: Tables) -> None:
    notes = TABLE.notes(codecs(several), several)
    assert len(notes) == 4 and notes[0].startswith("Most favourable for Baler: at the error of baler 1/2, 25")
    assert (
        "quantise+pcodec stores" in notes[1] and "times less" in notes[1] and "to compress a GB (modelled)" in notes[1]
    )
    assert "On more threads" in notes[2] and "trivial codec" in notes[3]
    runs = several["runs"]
    single = several | {"runs": runs[runs["repeat"] == 0]}
    assert any("n = 1" in note for note in TABLE.notes(codecs(single), single))


def test_a_codec_that_is_not_available_has_a_row_with_the_reason(several: Tables) -> None:
    last = TABLE.rows(codecs(several), 1000)[-1]
    assert last["codec"] == "sz3-0.01 (not available here)" and last["ratio"] == ""
    assert last["at the error of"] == "The package pysz is missing."


def test_energies_with_different_evidence_are_not_compared(several: Tables) -> None:
    runs = several["runs"]
    measured = runs.assign(energy_evidence=runs["energy_evidence"].where(runs["transform"] != NO_TRANSFORM, "measured"))
    table = codecs(several | {"runs": measured})
    others = table[~table["measured"].astype(bool) & table["reason"].isna()]
    assert len(others) and others["compress_j_per_gb"].isna().all() and others["compress_s_per_gb"].notna().all()


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


@pytest.fixture(scope="module")
def threaded(several: Tables) -> Tables:
    """Give a packing without a transform that also ran on four threads instead of two, at half the time."""
    runs = several["runs"]
    one = runs[(runs["transform"] == NO_TRANSFORM) & (runs["packing"] == "pcodec")]
    more = one.assign(threads=4, run_id=one["run_id"] + "-4", duration_s=one["duration_s"] / 2, at_reference=False)
    return several | {"runs": pd.concat([runs, more], ignore_index=True)}


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


def test_the_table_says_how_much_faster_codecs_are_on_more_threads(several: Tables, threaded: Tables) -> None:
    pd.testing.assert_frame_equal(codecs(threaded), codecs(several))
    (note,) = [note for note in TABLE.notes(codecs(threaded), threaded) if "threads" in note]
    assert re.search(r"pcodec: compress 2\.\d+ ± \S+ times as fast on 4 as on 2 \(n = 3\)", note)
    assert "as fast on 4 as on 1" in note, "Baler ran on three numbers of threads"


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


def test_errors_are_read_of_all_codecs_at_the_centre_and_no_other_point(build: Build, tmp_path: Path) -> None:
    tables = build(repeats=1)
    for name in ("runs", "errors"):
        arrow = pa.Table.from_pandas(tables[name], schema=arrow_schema(name), preserve_index=False)
        pq.write_table(arrow, tmp_path / f"{name}.parquet")
    found = Dataset(tmp_path)["errors"]
    assert set(found["epochs"]) == {1, 5, 25} and set(found["rows"]) == {30_000}
    assert set(found["batch_size"]) == {128, 512, 2048} and set(found["threads"]) == {2}


@pytest.fixture(scope="module")
def starts(several: Tables) -> Tables:
    """Add trainings from another start, which have a fifth of the error and eight times the ratio."""
    runs = several["runs"]
    other = runs[runs["epochs"].notna()].assign(start="pca", at_reference=False, ratio_native_bytes=8.0)
    other = other.assign(compressed_bytes=other["rows"] * 12, run_id=other["run_id"] + "/start~pca")
    errors = ["mean_rms_over_range", "mean_nrmse", "mean_relative_error_median"]
    return several | {"runs": pd.concat([runs, other.assign(**other[errors] / 5)], ignore_index=True)}


def test_trainings_from_another_start_are_codecs_of_their_own(several: Tables, starts: Tables) -> None:
    table = codecs(starts)
    own = table[table["measured"] & (table["measure"] == "error")].set_index("at_codec")
    alone = codecs(several).query("measured and measure == 'error'").set_index("at_codec")
    assert set(own["family"]) == {"baler 1/2", "baler 1/2, start pca"} and (own["n"] == 3).all()
    for epochs in ("1 epoch", "5 epochs", "25 epochs"):
        random, pca = own.loc[f"baler 1/2, {epochs}"], own.loc[f"baler 1/2, start pca, {epochs}"]
        assert random["ratio"] == alone.loc[f"baler 1/2, {epochs}", "ratio"], "not averaged with the other start"
        assert pca["ratio"] == 8 and pca["at_error"] == pytest.approx(random["at_error"] / 5)


def test_the_answer_names_the_variants_that_were_compared(several: Tables, starts: Tables) -> None:
    # Only one of the trainings from another start has an error that a codec without training reaches.
    runs = starts["runs"].assign(mean_rms_over_range=starts["runs"]["mean_rms_over_range"].clip(lower=0.005))
    words = TABLE.rows(codecs(starts | {"runs": runs}), 1)[0]["at the error of"]
    assert words.endswith(" Variants compared: epochs 1, 5 or 25; start pca or random.") and "errors compared" in words
    alone = TABLE.rows(codecs(several), 1)[0]["at the error of"]
    assert alone.endswith("Variants compared: epochs 1, 5 or 25.")
    one = several["runs"][several["runs"]["epochs"].ne(1) & several["runs"]["epochs"].ne(25)]
    assert "Variants" not in TABLE.rows(codecs(several | {"runs": one}), 1)[0]["at the error of"]


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


def test_what_the_codecs_share_is_in_the_description_and_what_they_vary_is_not(several: Tables, build: Build) -> None:
    assert "batch size 512" in where(several["runs"])
    assert "batch size" not in where(build(repeats=1)["runs"])


def test_a_family_is_drawn_along_the_error_of_its_panel() -> None:
    family = {"family": "f", "transform": "pca", "packing": "zstd", "epochs": None, "compression_ratio": 2.0}
    points = pd.DataFrame([family | {"error": e, "nrmse": n, "ratio": e} for e, n in ((1, 2), (2, 1), (3, 3))])
    for measure, column in (("error", "mean_rms_over_range"), ("nrmse", "mean_nrmse")):
        (panel,) = grid(1, 1, 3)[1].flat
        runs = pd.DataFrame({column: [1.0], "trivial_mean_rms_over_range": 5.0})
        draw_against_error(panel, points, runs, looks(points), measure, "ratio")
        line = next(line for line in panel.lines if len(line.get_xdata()) == 3)
        assert list(line.get_xdata()) == [1, 2, 3]
