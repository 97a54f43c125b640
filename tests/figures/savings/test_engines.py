"""Engines and packings: never mixed in the chapter on costs, and compared in the chapter on savings."""

import math
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from baler_energy.analysis.comparison import Ratio, paired_ratio, ratio_of_means
from baler_energy.figures import overview, profiled
from baler_energy.figures.base import NoData
from baler_energy.figures.chapters import figures_of
from baler_energy.figures.engine_rows import engines_at, factor_text, paired
from baler_energy.figures.page import html_page
from baler_energy.figures.readable import notes, readable
from baler_energy.figures.savings.difference import draw_difference, times_by_category
from baler_energy.figures.savings.engines import draw_engines
from baler_energy.figures.savings.models import draw_error_flops
from baler_energy.figures.savings.packing import draw_packing
from baler_energy.figures.selection import centre_of
from baler_energy.figures.tables.counters import counters
from baler_energy.figures.tables.engines import TABLE as ENGINES
from baler_energy.figures.tables.ratios import FORMAT
from baler_energy.figures.tables.ratios import TABLE as RATIOS

Build = Callable[..., dict[str, pd.DataFrame]]
Tables = dict[str, pd.DataFrame]

CHAPTERS = ("cost", "hotspots", "worth")
FIGURES = [spec for chapter in CHAPTERS for spec in figures_of(chapter)]
#: These compare codecs, or ways of training, and name them.
CODECS = (
    "scorecard",
    "rate_distortion",
    "column_types",
    "codec_costs",
    "codec_throughput",
    "coder_gain",
    "coder_gain_relative",
    "derived",
    "held_out",
    "break_even_years",
    "break_even_volume",
    "error_energy",
)
COSTS = [spec for spec in FIGURES if spec.name not in ("co2e_countries", *CODECS)]


@pytest.fixture(scope="module")
def alone(build: Build) -> Tables:
    """Tables of the reference only, on a CPU and a GPU with counters."""
    return build(devices=("cpu", "cuda"), evidence={"cpu": "measured", "gpu": "measured"}, extras=True)


@pytest.fixture(scope="module")
def mixed(build: Build) -> Tables:
    """Tables of the same runs, and those of other engines, precisions and packings."""
    options = {"evidence": {"cpu": "measured", "gpu": "measured"}, "extras": True, "engines": True}
    return build(devices=("cpu", "cuda"), **options)


@pytest.fixture(scope="module")
def engines(build: Build) -> Tables:
    """Engines and packings on a machine without counters."""
    return build(engines=True)


def drawn(figure: Figure) -> list[object]:
    """All texts, and the data of all lines, bars and dots."""
    found: list[object] = [text.get_text() for text in figure.findobj(Text)]
    for panel in figure.axes:
        found += [np.round(line.get_xydata(), 12).tolist() for line in panel.lines]
        found += [np.round(patch.get_extents().bounds, 9).tolist() for patch in panel.patches]
        found += [np.ma.filled(dots.get_offsets(), math.nan).round(12).tolist() for dots in panel.collections]
    return found


@pytest.mark.long
@pytest.mark.parametrize("spec", COSTS, ids=lambda spec: spec.name)
def test_costs_hotspots_and_worth_only_show_the_reference(spec, alone: Tables, mixed: Tables) -> None:
    before, after = (drawn(spec.draw(tables)) for tables in (alone, _without_calls_of_the_reference(mixed)))
    assert str(after) == str(before)


def _without_calls_of_the_reference(tables: Tables) -> Tables:
    """Leave out the call trees that the reference only has for the comparison."""
    hotspots = tables["hotspots"]
    more = hotspots["engine"].eq("reference") & hotspots["kind"].eq("call") & hotspots["stack"].str.startswith("main")
    return tables | {"hotspots": hotspots[~more]}


@pytest.mark.long
def test_the_first_page_only_shows_the_reference(alone: Tables, mixed: Tables) -> None:
    before, after = (overview.overview(tables, "s", {}).partition("Main numbers")[2] for tables in (alone, mixed))
    assert after.partition("Machine")[0] == before.partition("Machine")[0]
    assert "engine reference" in after


def test_hotspots_of_other_engines_are_left_out_with_the_reason(engines: Tables) -> None:
    hotspots = engines["hotspots"]
    others = hotspots[hotspots["engine"] != "reference"]
    with pytest.raises(NoData, match="no run of engine reference was profiled"):
        profiled.one_run(others, engines["runs"])
    absent = others.head(1).assign(profiler="perf", kind="absent", reason="Baler runs elsewhere.")
    tables = engines | {"hotspots": pd.concat([absent, hotspots[hotspots["profiler"] != "perf"]])}
    assert profiled.absence(tables, "perf", "nothing") == "nothing"
    assert counters(tables).empty


def label_rows(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_engines_are_drawn_with_their_factors(engines: Tables) -> None:
    figure = draw_engines(engines)
    assert label_rows(figure) == ["reference", "upstream", "fast", "fast, float32"]
    shown = texts(figure)
    for factor in ("1.80x more", "1.67x less", "3.33x less", "1.05x more", "equal"):
        assert factor in shown, shown
    assert "Factors are relative to reference" in shown and "n = 3" in shown
    assert "Energy per row, modelled" in figure.axes[0].get_xlabel()
    runs = engines["runs"]
    mine = runs[(runs["engine"] == "fast") & (runs["precision"] == "float32") & (runs["operation"] == "train")]
    mine = mine[(mine["rows"] == 30_000) & (mine["batch_size"] == 512) & (mine["epochs"] == 5) & (mine["threads"] == 2)]
    marks = [float(x) for line in figure.axes[3].lines if line.get_marker() == "D" for x in line.get_xdata()]
    assert marks == pytest.approx([1e6 * (mine["duration_median_s"] / mine["rows"]).mean()])


def test_energies_with_different_evidence_are_not_compared(engines: Tables) -> None:
    runs = engines["runs"]
    fast = runs["engine"] == "fast"
    other = runs.assign(energy_evidence=runs["energy_evidence"].where(~fast, "measured"))
    figure = draw_engines(engines | {"runs": other})
    energies = [text.get_text() for text in figure.axes[0].texts]
    assert len(energies) == 2 and "1.67x" not in "".join(energies)
    assert "1.67x less" in texts(figure), "times still are"


def test_one_engine_cannot_be_compared(tables: Tables) -> None:
    for draw in (draw_engines, draw_difference):
        with pytest.raises(NoData, match=r"only one engine at the study's centre \(in the study: reference\)"):
            draw(tables)
    assert ENGINES.make(tables).empty
    assert "nothing to compare" in ENGINES.without_rows
    with pytest.raises(NoData, match=r"only one packing at the study's centre \(none\)"):
        draw_packing(tables)


def test_an_engine_that_chose_its_threads_is_compared_and_labelled(engines: Tables) -> None:
    runs = engines["runs"]
    fast = (runs["engine"] == "fast") & (runs["threads"] == 2)
    others = runs[~((runs["engine"] == "fast") & (runs["threads"] != 2))]
    chosen = others.assign(threads=others["threads"].where(~fast, 1))
    rows = engines_at(chosen, centre_of(chosen))
    assert list(dict.fromkeys(rows["label"])) == [
        "reference",
        "upstream",
        "fast, 1 thread",
        "fast, float32, 1 thread",
    ]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (Ratio(1.8, 1.7, 1.9), "1.80x more"),
        (Ratio(0.5, 0.4, 0.6), "2.00x less"),
        (Ratio(0.9, 0.8, 1.1), "~1.11x less"),
        (Ratio(1.004, 1.003, 1.005), "equal"),
        (Ratio(12.345, 12, 13), "12.3x more"),
        (Ratio(0.02, math.nan, math.nan), "~50x less"),
        (Ratio(math.nan, math.nan, math.nan), ""),
    ],
)
def test_factors_in_words(ratio: Ratio, words: str) -> None:
    assert factor_text(ratio) == words


def test_pairs_have_the_same_repeat_and_a_value() -> None:
    mine = pd.DataFrame({"repeat": [0, 1, 1, 2, 3, 5], "e": [2.0, 4.0, math.nan, 6.0, 0.0, 1.0]})
    base = pd.DataFrame({"repeat": [2, 1, 0, 3], "e": [3.0, 2.0, 1.0, 1.0]})
    assert paired(mine, base, "e") == paired_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])


def test_the_table_has_every_point_where_two_engines_ran(engines: Tables) -> None:
    table = ENGINES.make(engines)
    assert set(table["label"]) == {"upstream", "reference", "fast", "fast, float32"}
    assert len(table) == 9 * 4 * 3, "points, engines, operations"
    row = table[(table["label"] == "upstream") & (table["operation"] == "train") & (table["rows"] == 10_000)].iloc[0]
    runs = engines["runs"]
    here = runs[(runs["rows"] == 10_000) & (runs["operation"] == "train") & (runs["packing"] == "none")]
    mine, base = (here[here["engine"] == name] for name in ("upstream", "reference"))
    expected = ratio_of_means(list(mine["energy_j"]), list(base["energy_j"]))
    assert row["energy_per_row_j"] == pytest.approx(mine["energy_j"].mean() / 10_000)
    assert row["energy_per_row_j_ratio"] == pytest.approx(1.8)
    ends = (row["energy_per_row_j_ratio_low"], row["energy_per_row_j_ratio_high"])
    assert ends == pytest.approx((expected.low, expected.high))
    # The spread of the seeds is in both, and cancels.
    error = [row[f"mean_rms_over_range_ratio{end}"] for end in ("", "_low", "_high")]
    assert error == pytest.approx([1.05] * 3)
    assert table.loc[table["label"] == "reference", "energy_per_row_j_ratio"].isna().all()
    assert row["startup_s"] == 2.5 and table.loc[table["label"] != "upstream", "startup_s"].isna().all()
    page = readable(ENGINES, table)
    assert "1.80x more (1.7 to 1.9" in page["energy per row"].iloc[1] and "2.5 s" in set(page["start-up"])
    fast = page[page["engine"] == "fast"]["time per row"].iloc[0]
    (low, high) = re.fullmatch(r"(?s).*\n1\.67x less \((\S+) to (\S+)\)", fast).groups()  # type: ignore[union-attr]
    assert float(low) < 1 / 0.6 < float(high)


def test_flagged_runs_are_in_no_factor(engines: Tables) -> None:
    runs = engines["runs"]
    bad = (runs["engine"] == "fast") & (runs["repeat"] == 0)
    flagged = runs.assign(flags=runs["flags"].where(~bad, "throttled"), energy_j=runs["energy_j"].where(~bad, 1e6))
    table = ENGINES.make(engines | {"runs": flagged})
    fast = table[table["label"] == "fast"]
    assert set(fast["n"]) == {2} and set(fast["flags"]) == {"throttled"}
    assert fast["energy_per_row_j_ratio"].between(0.4, 0.8).all()
    assert fast["mean_rms_over_range_ratio"].to_list() == pytest.approx([1.0] * len(fast)), "errors are of all runs"


def test_a_disturbed_iteration_does_not_change_the_factor_of_the_time(engines: Tables) -> None:
    runs = engines["runs"][engines["runs"]["epochs"] == 5]
    disturbed = (runs["engine"] == "fast") & (runs["repeat"] == 0)
    slower = runs.assign(duration_s=runs["duration_s"].where(~disturbed, 10 * runs["duration_s"]))
    quiet, disturbed = (ENGINES.make(engines | {"runs": table}) for table in (runs, slower))
    assert disturbed["time_per_row_s_ratio"].notna().any()
    pd.testing.assert_frame_equal(quiet, disturbed)


def test_the_difference_splits_measured_time_by_profiled_shares(engines: Tables) -> None:
    times = times_by_category(engines).set_index(["operation", "label"])
    runs = engines["runs"]
    here = runs[(runs["rows"] == 30_000) & (runs["batch_size"] == 512) & (runs["epochs"] == 5) & (runs["threads"] == 2)]
    mine = here[(here["engine"] == "upstream") & (here["operation"] == "compress")]
    whole_s = (mine["duration_median_s"] / mine["rows"]).mean()
    found = times.loc[("compress", "upstream")]
    assert found.sum() == pytest.approx(whole_s)
    assert (found / whole_s)[["products and activations", "scaling and rounding", "rest"]].to_list() == pytest.approx(
        [0.5, 0.3, 0.2]
    )
    assert set(times.index.get_level_values("label")) == {"upstream", "reference", "fast"}
    figure = draw_difference(engines)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert "scaling +" in words[1] and "n = 1" in figure.get_suptitle() and ":" not in words[0]


def test_engines_without_a_clean_run_are_named_in_the_subtitle(engines: Tables) -> None:
    runs = engines["runs"]
    flagged = runs.assign(flags=runs["flags"].where(runs["engine"] != "upstream", "contaminated"))
    figure = draw_difference(engines | {"runs": flagged})
    assert label_rows(figure) == ["reference", "fast"]
    assert "No bar where all runs are flagged: upstream." in figure.get_suptitle()
    hotspots = engines["hotspots"]
    with pytest.raises(NoData, match="fewer than two engines were profiled"):
        draw_difference(engines | {"hotspots": hotspots[hotspots["engine"] != "upstream"].query("engine != 'fast'")})


def test_packings_are_drawn_in_two_steps_with_their_bound(engines: Tables) -> None:
    figure = draw_packing(engines)
    assert label_rows(figure) == ["zstd + bound-0.01", "none", "float32", "float16 + zstd"]
    shown = texts(figure)
    assert "holds" in shown and "NOT" not in shown and "= 1.00 x 5.00" in shown
    assert "lost to corrections" in shown, "0.9 of latents and 0.3 of corrections are more than the latents"
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == pytest.approx([0, 1 / 1.2 - 1, 0, 0, 0, 1, 0, 4], abs=1e-9)


def test_a_broken_bound_is_reported(engines: Tables) -> None:
    runs = engines["runs"]
    one = (runs["packing"] == "zstd+bound-0.01") & (runs["repeat"] == 1)
    worse = runs.assign(max_over_range=runs["max_over_range"].where(~one, 0.0101))
    assert "DOES NOT HOLD" in texts(draw_packing(engines | {"runs": worse}))


def test_ratios_separate_engines_packings_and_their_gains(engines: Tables) -> None:
    table = RATIOS.make(engines)
    assert not table.duplicated([*FORMAT, "epochs"]).any()
    assert set(table["engine"].dropna()) == {"upstream", "reference", "fast"}
    packed = table[table["packing"] == "float16+zstd"].iloc[0]
    assert packed["epochs"] == 5 and packed["ratio_packing"] == pytest.approx(5) and packed["n"] == 3
    assert packed["ratio_autoencoder_native_bytes"] == 1.0
    assert packed["stored_latent_bytes_per_row"] == pytest.approx(0.2 * packed["latent_bytes_per_row"])
    plain = table[(table["packing"] == "none") & (table["engine"] == "reference")]
    assert plain["epochs"].isna().all() and set(plain["rows"]) == {10_000, 30_000, 100_000}
    page = readable(RATIOS, table)
    assert {"engine", "packing"} <= set(page.columns) and {"model"} <= set(page.columns)
    said = notes(RATIOS, table, engines)
    assert len([line for line in said if "latent columns take" in line]) == 3
    same = table[table["model"] == "baler"]
    assert re.search(r"The same in all rows: [^<]*model baler", html_page("t", [], readable(RATIOS, same)))


def test_errors_of_networks_come_from_one_device(mixed: Tables) -> None:
    runs = mixed["runs"]
    other = runs.assign(mean_rms_over_range=runs["mean_rms_over_range"].where(runs["device"] == "cpu", 100.0))
    figure = draw_error_flops(mixed | {"runs": other})
    heights = [float(y) for line in figure.axes[0].lines for y in line.get_ydata()]
    assert heights and max(heights) < 1 and "CPU run" in figure.get_suptitle()
