"""Whether compression pays: the figure and the table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from baler_energy.analysis.break_even import STEPS, Band
from baler_energy.analysis.schema import arrow_schema
from baler_energy.config.sections import BreakEven
from baler_energy.figures.base import NoData
from baler_energy.figures.break_even_rows import (
    amount,
    band_text,
    other_codec,
    read_break_even,
    volume_text,
    years_text,
)
from baler_energy.figures.style import styled
from baler_energy.figures.tables.break_even import TABLE, break_even
from baler_energy.figures.worth.break_even import FIGURES, draw_volumes, draw_years
from baler_energy.stages.hardware import other_of
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]
Build = Callable[..., Tables]
MODEL_BYTES = 500_000


@pytest.fixture(scope="module")
def compared(build: Build, with_codecs: Build) -> Build:
    """Return a function that gives trained codecs a ratio, and adds others by packing, with their error and ratio."""

    def made(ratio: float, **others: tuple[float, float]) -> Tables:
        tables = build(repeats=2)
        runs = tables["runs"]
        native = runs["ratio_native_bytes"] * runs["compressed_bytes"]
        runs["ratio_native_bytes"] = ratio
        runs["compressed_bytes"] = native / ratio
        runs["ratio_native_bytes_with_model"] = native / (native / ratio + MODEL_BYTES)
        return with_codecs(tables, others)

    return made


@pytest.fixture(scope="module")
def worse(compared: Build) -> Tables:
    """Trained codecs of ratio 2 and a better one without training."""
    return compared(2.0, **{"quantise-0.01+pcodec": (0.001, 8.0), "quantise-0.9+pcodec": (0.2, 60.0)})


def test_each_trained_codec_is_compared_at_its_error(worse: Tables) -> None:
    study = read_break_even(worse)
    assert sorted(case.trained.name for case in study.cases) == [
        f"baler 1/2, {epochs}" for epochs in ("1 epoch", "25 epochs", "5 epochs")
    ]
    points = {case.error: case for case in study.cases}
    assert all(case.held_out for case in study.cases)
    for error, case in points.items():
        assert case.best is not None and case.trained.ratio == 2 and case.trained.model_bytes == pytest.approx(5e5)
        exponent = np.log(60 / 8) / np.log(0.2 / 0.001)
        assert case.best.ratio == pytest.approx(8 * (error / 0.001) ** exponent)
    assert study.cases[0].error == min(points), "the one whose rival is weakest is first"
    runs = worse["runs"]
    trained = runs[(runs["operation"] == "train") & runs["at_reference"]]
    five = next(
        case for case in study.cases if case.trained.name.endswith("5 epochs") and "25" not in case.trained.name
    )
    assert five.trained.train_j == pytest.approx(trained["energy_j"].mean(), rel=1e-6)
    assert study.ranges["pue"] == (1.1, 1.42, 1.58) and study.intensity_g_per_kwh == 34.8 and study.currency == "EUR"


def test_codecs_are_also_compared_at_the_relative_error(worse: Tables) -> None:
    runs = worse["runs"].copy()
    # This one is good over the range, and bad relative to the value.
    coarse = runs["packing"].eq("quantise-0.01+pcodec")
    for column in ("mean_relative_error_median", "held_out_mean_relative_error_median"):
        runs[column] = runs[column].mask(coarse, 50.0).mask(runs["packing"].eq("quantise-0.9+pcodec"), 60.0)
    tables = worse | {"runs": runs}
    assert all(case.best is not None and case.best_relative is None for case in read_break_even(tables).cases)
    frame = break_even(tables)
    assert frame["relative_codec"].isna().all() and frame["relative_saving"].isna().all()

    better = runs.copy()
    for column in ("mean_relative_error_median", "held_out_mean_relative_error_median"):
        better[column] = better[column].mask(coarse, 1e-9)
    for case in read_break_even(worse | {"runs": better}).cases:
        # Between its two points, the ratio follows the relative error.
        assert case.best_relative is not None and 8 < case.best_relative.ratio < 60
    own = break_even(worse | {"runs": better}).dropna(subset=["relative_codec"])
    assert set(own["codec"]) == set(own["at_codec"]), "only the trained codec's rows have it"
    assert own["relative_saving_low"].le(own["relative_saving_high"]).all()
    notes = " ".join(TABLE.notes(break_even(worse | {"runs": better}), worse | {"runs": better}))
    assert "At the same median relative error the best other codec is quantise+pcodec (ratio" in notes


@pytest.mark.parametrize(("ratio", "wins"), [(6.0, False), (40.0, True)])
def test_a_pca_is_one_of_the_other_codecs_and_its_model_is_counted(
    worse: Tables, with_codecs: Build, ratio: float, wins: bool
) -> None:
    members = {"quantise-0.02+pcodec": (0.002, ratio), "quantise-0.2+pcodec": (0.1, 2 * ratio)}
    tables = with_codecs(worse, members, "pca", 20_000)
    trainings = tables["runs"]["transform"].eq("pca") & tables["runs"]["operation"].eq("train")
    train_j = tables["runs"].loc[trainings, "energy_j"].mean()
    study = read_break_even(tables)
    for case in study.cases:
        assert case.best is not None
        expected = ("pca 1/2, quantise+pcodec", train_j, 20_000) if wins else ("quantise+pcodec", 0, 0)
        assert (case.best.name, case.best.train_j, case.best.model_bytes) == pytest.approx(expected)
    table = break_even(tables)
    train = table[(table["codec"] == "pca 1/2, quantise+pcodec") & (table["quantity"] == "energy_j")]["train"]
    assert (train > 0).all() and train.empty != wins
    words = "whose training takes" if wins else "which needs no training"
    assert words in TABLE.notes(table, tables)[0]


def _held_out(tables: Tables, factor: float) -> Tables:
    """Give trained codecs another error on held-out rows, over that on the training rows; NaN: none were held out."""
    runs = tables["runs"]
    error = (factor * runs["mean_rms_over_range"]).where(runs["transform"] != NO_TRANSFORM)
    return tables | {"runs": runs.assign(held_out_mean_rms_over_range=error)}


def test_a_model_that_is_worse_on_new_rows_is_compared_at_its_error_on_them(worse: Tables) -> None:
    equal, double = (read_break_even(_held_out(worse, factor)) for factor in (1.0, 2.0))
    rivals = {case.trained.name: case for case in equal.cases}
    exponent = np.log(60 / 8) / np.log(0.2 / 0.001)
    for case in double.cases:
        other = rivals[case.trained.name]
        assert case.best is not None and other.best is not None
        assert case.error == pytest.approx(2 * other.error)
        assert case.best.ratio == pytest.approx(2**exponent * other.best.ratio), "an easier error, so a larger ratio"


def test_without_held_out_rows_the_error_is_that_on_the_training_rows_and_is_called_so(worse: Tables) -> None:
    tables = _held_out(worse, np.nan)
    study, held_out = read_break_even(tables), read_break_even(worse)
    assert not any(case.held_out for case in study.cases)
    by_name = {case.trained.name: case.error for case in held_out.cases}
    for case in study.cases:
        assert by_name[case.trained.name] == pytest.approx(1.1 * case.error)
    assert set(break_even(tables)["at_error_rows"]) == {"training"}
    assert set(break_even(worse)["at_error_rows"]) == {"held-out"}
    for one, words in ((tables, "on training rows"), (worse, "on held-out rows")):
        assert words in TABLE.notes(break_even(one), one)[0] and words in draw_years(one).get_suptitle()


def test_the_table_has_three_volumes_and_three_ways_to_keep_them(worse: Tables) -> None:
    table = break_even(worse)
    assert len(table) == 3 * 3 * 3 * 3 and list(table.columns[10:15]) == list(STEPS)
    money = table[(table["quantity"] == "money") & (table["scenario"] == "one LHC run (204 PB)")]
    recorded = money[money["codec"] == "as recorded"].iloc[0]
    # 204 PB for 10 years: 70 EUR a TB and year, and 0.565 W a TB with a PUE of 1.42 at 0.20 EUR/kWh.
    assert recorded["keep"] == pytest.approx(204e3 * 10 * (70 + 1.42 * 0.565e-3 * 8766 * 0.20))
    assert recorded[["train", "compress", "read"]].tolist() == [0, 0, 0]
    own = money[money["codec"] == money["at_codec"]]
    assert (own["recorded_saving_low"] > 0).all() and (own["recorded_pays_share"] == 1).all()
    assert (own["best_saving_high"] < 0).all() and (own["best_pays_share"] == 0).all()
    assert own["best_pays_from_years"].isna().all(), "never is null"


def test_the_sample_alone_does_not_pay_for_its_model(worse: Tables) -> None:
    table = break_even(worse)
    own = table[(table["codec"] == table["at_codec"]) & (table["quantity"] == "energy_j")]
    sample = own[own["scenario"] == "the study's sample"]
    after = sample.set_index("at_codec")["train"]
    assert after["baler 1/2, 25 epochs"] > after["baler 1/2, 5 epochs"] > 0
    # The model is a sixth of the sample: it is kept, too.
    rate = own.set_index(["scenario", "at_codec"])
    keep = rate["keep"] / rate["volume_tb"]
    name = "baler 1/2, 5 epochs"
    native_bytes = 1e12 * sample["volume_tb"].iloc[0]
    expected = (0.5 + MODEL_BYTES / native_bytes) / 0.5
    run = keep["one LHC run (204 PB)", name] / (1 + MODEL_BYTES / 1e12 / 0.5)
    assert keep["the study's sample", name] / run == pytest.approx(expected, rel=1e-6)


def test_the_notes_say_that_it_does_not_pay_and_when_it_would(worse: Tables) -> None:
    first, second, third, evidence, trivial = TABLE.notes(break_even(worse), worse)
    assert "does not pay compared with quantise+pcodec" in first and "it costs" in first and "EUR more (90 %: " in first
    assert "it would save money with a ratio above" in first
    assert second.startswith("Against keeping the data as recorded it saves") and "it pays at once" in second
    assert "none of 3 codecs" in third and "is modelled" in evidence and "trivial codec" in trivial


def test_the_notes_say_that_it_pays(compared: Build) -> None:
    tables = compared(20.0, pcodec=(0.0, 3.0))
    first, *_ = TABLE.notes(break_even(tables), tables)
    assert " pays compared with pcodec" in first and "it saves" in first


@pytest.mark.parametrize(
    ("years", "volume_tb", "words"),
    [
        (2.0, 0.001, "it pays after 2 years, and from 1 GB per model."),
        (12.0, None, "it pays after 12 years, but not within 10 years at any volume per model."),
        (None, 3.0, "it pays from 3 TB per model, but never at the study's volume per model."),
        (None, None, "it never pays."),
    ],
)
def test_the_notes_only_say_never_if_it_never_pays(
    worse: Tables, years: float | None, volume_tb: float | None, words: str
) -> None:
    frame = break_even(worse).assign(recorded_pays_from_years=years, recorded_pays_from_volume_tb=volume_tb)
    assert TABLE.notes(frame, worse)[1].endswith(words)


def test_no_ratio_is_enough_where_the_other_steps_cost_more(worse: Tables) -> None:
    runs = worse["runs"].copy()
    slow = (runs["transform"] == "baler") & (runs["operation"] == "decompress")
    runs.loc[slow, "energy_j"] *= 1e9
    tables = worse | {"runs": runs}
    first = TABLE.notes(break_even(tables), tables)[0]
    assert "would save money with no ratio, however large, and energy with no ratio" in first


@pytest.mark.parametrize(
    ("free", "factor", "words"),
    [
        ((), 1e-9, "money with any ratio, and energy with any ratio"),
        ((), 1e9, "money with no ratio, however large, and energy with no ratio"),
        (("electricity_price_per_kwh",), 1e-9, "money with no ratio, however large, and energy with any ratio"),
    ],
)
def test_the_ratio_does_not_matter_if_keeping_and_moving_are_free(
    worse: Tables, free: tuple[str, ...], factor: float, words: str
) -> None:
    constants, runs = worse["break_even"].copy(), worse["runs"].copy()
    kept = constants["name"].str.contains("replicas|transfers") | constants["name"].isin(free)
    constants.loc[kept, ["low", "value", "high"]] = 0.0
    runs.loc[runs["transform"] == "baler", "energy_j"] *= factor
    tables = worse | {"break_even": constants, "runs": runs}
    assert f"it would save {words}" in TABLE.notes(break_even(tables), tables)[0]


def test_the_page_has_a_row_for_each_way_with_all_quantities(worse: Tables) -> None:
    frame = break_even(worse)
    rows = TABLE.rows(frame, 1000)
    assert len(rows) == TABLE.count(frame) == 27
    assert all(unit in rows[0]["keep"] for unit in ("J", "EUR", "kg"))
    assert "(at its error or less)" in rows[2]["kept"] and rows[1]["saved against keeping as recorded"] == "-"


def test_captions_name_the_constants_without_a_range() -> None:
    fixed = {name for name, (low, _, high) in BreakEven().ranges.items() if low == high}
    assert fixed == {"years", "volume_per_model_tb"}
    for spec in (TABLE, *FIGURES):
        assert "Years and volume per model have no range, since they are the axes" in spec.caption
        assert "nor has the study's carbon intensity" in spec.caption


@pytest.mark.parametrize("draw", [draw_years, draw_volumes])
def test_the_figures_show_both_comparisons_in_money_and_co2e(worse: Tables, draw: Callable[[Tables], Figure]) -> None:
    with styled():
        figure = draw(worse)
    recorded, other, *_ = figure.axes
    assert recorded.get_title(loc="left") == "Against keeping the data as recorded"
    assert other.get_title(loc="left").startswith("Against quantise+pcodec (ratio ")
    labels = [panel.get_ylabel() for panel in figure.axes]
    assert "EUR per TB" in labels[0] and "kg per TB" in labels[2]
    assert recorded.lines[1].get_ydata()[-1] > 0 > other.lines[1].get_ydata()[-1]
    assert "never" in figure.get_suptitle() and "n = 2" in figure.get_suptitle()


def test_the_best_lossless_codec_is_compared_too(compared: Build) -> None:
    tables = compared(8.0, **{"lz4": (0.0, 2.0), "pcodec": (0.0, 3.0), "quantise-0.001+pcodec": (1e-4, 20.0)})
    (first, *_) = read_break_even(tables).cases
    assert [other.name for other in first.others] == ["as recorded", "pcodec", "quantise+pcodec"]
    with styled():
        titles = [panel.get_title(loc="left") for panel in draw_years(tables).axes[:3]]
    assert titles[1:] == ["Against pcodec (ratio 3)", "Against quantise+pcodec (ratio 20)"]
    table = break_even(tables)
    own = table[(table["codec"] == table["at_codec"]) & (table["quantity"] == "money")]
    own = own[own["scenario"] == "one LHC run (204 PB)"]
    assert (own["lossless_saving"] > 0).all() and (own["best_saving"] < 0).all()
    assert (own["lossless_saving"] < own["recorded_saving"]).all()
    alone = compared(8.0, pcodec=(0.0, 3.0))
    assert [other.name for other in read_break_even(alone).cases[0].others] == ["as recorded", "pcodec"]


def test_below_some_volume_a_model_costs_more_than_it_saves(worse: Tables) -> None:
    saved = draw_volumes(worse).axes[0].lines[1].get_ydata()
    assert saved[0] < 0 < saved[-1]


def test_without_intensity_the_figure_shows_energy(compared: Build) -> None:
    tables = compared(2.0, pcodec=(0.0, 3.0))
    runs = tables["runs"].assign(carbon_intensity_g_per_kwh=np.nan)
    figure = draw_years(tables | {"runs": runs})
    assert "energy" in figure.axes[2].get_ylabel()
    table = break_even(tables | {"runs": runs})
    assert set(table["quantity"]) == {"energy_j", "money"}
    assert "No CO2e: the study sets no carbon intensity." in TABLE.notes(table, tables | {"runs": runs})


def test_energies_of_another_kind_are_not_compared(worse: Tables) -> None:
    runs = worse["runs"]
    measured = runs.assign(energy_evidence=runs["energy_evidence"].where(runs["transform"] != NO_TRANSFORM, "measured"))
    tables = worse | {"runs": measured}
    assert all(case.best is None for case in read_break_even(tables).cases)
    assert TABLE.notes(break_even(tables), tables)[0].startswith("At or below the error of a codec trained")
    assert "no other codec at this error" in draw_years(tables).get_suptitle()


def test_a_price_changes_the_money_only(worse: Tables) -> None:
    dear = worse["break_even"].copy()
    dear.loc[dear["name"] == "disk_price_per_tb_year", ["low", "value", "high"]] = 600.0
    before, after = break_even(worse), break_even(worse | {"break_even": dear})
    energy = before["quantity"] == "energy_j"
    pd.testing.assert_frame_equal(before[energy], after[energy])
    assert (
        after[~energy & (before["quantity"] == "money")]["keep"] > before[before["quantity"] == "money"]["keep"]
    ).all()


def test_runs_without_clean_energies_are_left_out_with_the_reason(compared: Build) -> None:
    tables = compared(2.0, pcodec=(0.0, 3.0))
    flagged = tables["runs"].assign(in_mean=False, run_flags="contaminated")
    with pytest.raises(NoData, match="unflagged energy for each"):
        draw_years(tables | {"runs": flagged})
    assert break_even(tables | {"runs": flagged}).empty


def test_a_dataset_without_constants_says_what_to_do(worse: Tables) -> None:
    with pytest.raises(NoData, match="collect the study again"):
        read_break_even(worse | {"break_even": worse["break_even"].head(0)})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (amount(-2.5e8, "EUR"), "-250 million EUR"),
        (amount(1234.0, "EUR"), "1,234 EUR"),
        (amount(0.0, "EUR"), "0 EUR"),
        (amount(4.2e10, "J"), "42 GJ"),
        (amount(-1500.0, "kg"), "-1.5 t"),
        (years_text(np.inf), "never"),
        (years_text(0.0), "at once"),
        (years_text(0.02), "after 7.3 days"),
        (years_text(2.0), "after 2 years"),
        (volume_text(np.inf), "never"),
        (volume_text(1e-6), "from 1 MB per model"),
        (band_text(Band(-3.0, -5.0, -1.0), "EUR", saved=True), "costs 3 EUR more (90 %: 1 EUR to 5 EUR)"),
        (band_text(Band(3.0, 1.0, 5.0), "EUR"), "3 EUR (90 %: 1 EUR to 5 EUR)"),
    ],
)
def test_amounts_are_written_as_one_would_say_them(said: str, words: str) -> None:
    assert said == words


def test_the_best_other_codec_has_its_costs_with_intervals(worse: Tables, build: Build, tmp_path: Path) -> None:
    found, (case, *_) = other_codec(worse, "mine"), read_break_even(worse).cases
    assert found is not None and case.best is not None
    assert (found.name, found.ratio, found.at_codec) == (case.best.name, case.best.ratio, case.trained.name)
    assert (found.evidence, found.study, found.train) == ("modelled", "mine", None)
    assert found.machine == "Example CPU @ 2.4 GHz *" and found.at_error == case.error_words
    # The other codecs cost as much as the trained ones at the centre.
    runs = worse["runs"]
    for name, cost in (("compress", found.compress), ("decompress", found.decompress)):
        centre = runs[runs["at_reference"] & runs["operation"].eq(name)]
        volume_gb = centre["ratio_native_bytes"] * centre["compressed_bytes"] / 1e9
        for value, known in ((cost.seconds, centre["duration_s"]), (cost.joules, centre["energy_j"])):
            assert value.value == pytest.approx((known / volume_gb).mean(), rel=1e-6)
            assert value.half_width is not None and value.half_width > 0
    assert other_codec(build(), "mine") is None, "a study without other codecs"

    for name, table in worse.items():
        arrow = pa.Table.from_pandas(table, schema=arrow_schema(name), preserve_index=False)
        pq.write_table(arrow, tmp_path / f"{name}.parquet")
    (tmp_path / "datapackage.json").write_text('{"title": "mine"}')
    assert other_of(tmp_path) == found


def test_a_pca_that_is_trained_has_the_cost_of_a_training(worse: Tables, with_codecs: Build) -> None:
    members = {"quantise-0.02+pcodec": (0.002, 40.0), "quantise-0.2+pcodec": (0.1, 80.0)}
    tables = with_codecs(worse, members, "pca", 20_000)
    trainings = tables["runs"]["transform"].eq("pca") & tables["runs"]["operation"].eq("train")
    found = other_codec(tables, "mine")
    assert found is not None and found.train is not None
    assert found.train.joules.value == pytest.approx(tables["runs"].loc[trainings, "energy_j"].mean(), rel=1e-6)
    assert found.train.seconds.value == pytest.approx(tables["runs"].loc[trainings, "duration_s"].mean(), rel=1e-6)
