"""Derived quantities side by side: the figure and the table."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from baler_energy.config.parameters import AXES, applies
from baler_energy.figures.base import NoData
from baler_energy.figures.derived_rows import derived_at_centre
from baler_energy.figures.readable import readable
from baler_energy.figures.tables.physics import TABLE, physics
from baler_energy.figures.worth.derived import _chosen, draw_derived

Tables = dict[str, pd.DataFrame]
#: Error and peak shift of codecs without training, by packing.
CLASSICAL = {"quantise-0.01+zstd": (0.004, 0.05), "quantise-0.03+zstd": (0.01, 0.2), "quantise-0.1+zstd": (0.03, 5.0)}


@pytest.fixture(scope="module")
def several(build: Callable[..., Tables]) -> Tables:
    """Give trainings of 1, 5 and 25 epochs, and classical codecs."""
    tables = build()
    tables["runs"] = tables["runs"][tables["runs"]["batch_size"] == 512]
    absent = {name: None for name in AXES if not applies(name, "identity")}
    centre = tables["runs"][tables["runs"]["at_reference"] & (tables["runs"]["operation"] != "train")]
    added: dict[str, list[pd.DataFrame]] = {name: [tables[name]] for name in ("runs", "derived", "derived_histograms")}
    for packing, (error, shift) in CLASSICAL.items():
        for name, parts in added.items():
            one = tables[name][tables[name]["run_id"].isin(centre["run_id"])]
            one = one.assign(transform="identity", packing=packing, run_id=one["run_id"] + packing, **absent)
            if name == "runs":
                one = one[one["operation"] != "train"]
                one = one.assign(at_reference=False, mean_rms_over_range=error, ratio_native_bytes=1000 * error)
            elif name == "derived":
                one = one.assign(peak_shift=one["peak_shift"].where(one["peak_shift"].isna(), shift))
            parts.append(one)
    return tables | {name: pd.concat(parts, ignore_index=True) for name, parts in added.items()}


def test_the_table_has_every_codec_and_those_at_the_error_of_each_trained_one(several: Tables) -> None:
    runs = several["runs"].assign(mean_relative_error_median=np.nan)
    table = physics(several | {"runs": runs})
    window = table[table["window"] == "Z"]
    every = window[window["at_codec"].isna()]
    assert len(every) == 6 and every["error"].is_monotonic_increasing and (every["n"] == 3).all()
    matched = window[window["at_codec"].notna()]
    assert list(dict.fromkeys(matched["at_codec"])) == [f"baler 1/2, {n} epoch{'s' * (n > 1)}" for n in (1, 5, 25)]
    assert set(matched["measure"]) == {"error"}, "the relative error is not known"
    for _, part in matched.groupby("at_codec"):
        own, other = part.iloc[0], part.iloc[1]
        assert own["codec"] == own["at_codec"] and len(part) == 2
        below = [error for error, _ in CLASSICAL.values() if error <= own["error"]]
        assert other["error"] == max(below), "next to the error, and not above"
        expected = dict(CLASSICAL.values())[other["error"]]
        assert other["peak_shift"] == pytest.approx(expected, rel=1e-12), "a codec that ran, not interpolated"


def test_codecs_are_matched_in_both_measures_and_their_distance_is_stated(several: Tables) -> None:
    runs = several["runs"]
    classical = runs["transform"] == "identity"
    # In the relative error, the classical codecs are three times as far from the truth.
    relative = runs["mean_rms_over_range"] * np.where(classical, 3.0, 1.0)
    tables = several | {"runs": runs.assign(mean_relative_error_median=relative)}
    table = physics(tables)
    window = table[(table["window"] == "Z") & table["at_codec"].notna()]
    assert list(dict.fromkeys(window["measure"])) == ["error", "relative_error"]
    for (measure, _), part in window.groupby(["measure", "at_codec"]):
        own, others = part.iloc[0], part.iloc[1:]
        factor = 3 if measure == "relative_error" else 1
        below = [factor * error for error, _ in CLASSICAL.values() if factor * error <= own["at_error"]]
        assert own["below"] == 0 and len(others) == bool(below)
        assert others["below"].tolist() == pytest.approx([1 - max(below) / own["at_error"]] if below else [])
    counts = window.groupby("measure").size()
    assert counts["relative_error"] < counts["error"], "the ranking differs"
    shown = readable(TABLE, table)
    first = shown[shown["at the error of"].str.startswith("baler 1/2, 1 epoch (RMS residual / range ")]
    assert first["below"].iloc[0] == "-" and first["below"].iloc[1].endswith(" %") and len(first)


def test_bins_have_a_band_of_their_square_root(several: Tables) -> None:
    panel = draw_derived(several).axes[1]
    original, band, *others = (patch for patch in panel.patches)
    counts = original.get_data().values
    assert band.get_data().values == pytest.approx(counts + np.sqrt(counts))
    assert band.get_data().baseline == pytest.approx(counts - np.sqrt(counts))
    assert len(others) == 4, "a line and a band for each codec"


def test_the_figure_says_how_its_codecs_are_chosen(several: Tables) -> None:
    said = draw_derived(several).get_suptitle().replace("\n", " ")
    assert "baler 1/2, 25 epochs, and the other lossy families with its error or less (1)." in said
    codecs = derived_at_centre(several)
    alone = codecs[codecs["epochs"].notna()]
    assert _chosen(alone.drop_duplicates("codec"))[1].endswith("epochs; no other lossy family has its error or less.")
    more = pd.concat([codecs, *(codecs[codecs["error"] == 0.004].assign(family=f"f{n}", ratio=n) for n in range(5))])
    chosen, words = _chosen(more.drop_duplicates(["codec", "family"]))
    assert words.endswith("with its error or less (6), of which the 3 with the largest ratios.")
    assert sorted(chosen["ratio"])[-3:] == [3.0, 4.0, 4.0] and len(chosen) == 4


def test_uncertainties_are_not_smaller_for_repeats_of_the_same_rows(several: Tables) -> None:
    table = physics(several)
    own = table[(table["window"] == "Z") & (table["epochs"] == 5) & table["at_codec"].isna()].iloc[0]
    assert own["peak_shift_uncertainty"] == pytest.approx(0.01)
    assert own["peak_shift_half_width"] > 0


def test_the_page_shows_small_values_in_a_smaller_unit_with_sign_and_uncertainty(several: Tables) -> None:
    shown = readable(TABLE, physics(several)).set_index("codec")
    window = shown[(shown["quantity"] == "m_mumu, Z") & (shown["at the error of"] == "every codec")]
    assert window.loc["quantise-0.03+zstd", "peak shift"] == "+200 ± 10 MeV"
    assert window.loc["quantise-0.1+zstd", "peak shift"] == "+5.000 ± 0.010 GeV"
    assert window.loc["quantise-0.1+zstd", "entries"] == "-100 ± 12"
    lost = readable(TABLE, physics(several).assign(peak_shift=-0.004)).query("quantity == 'm_mumu, Z'")
    assert set(lost["peak shift"]) == {"not distinguishable from zero (spread 10 MeV)"}
    ratio = shown[shown["quantity"] == "pt_ratio"]
    assert (ratio["peak shift"] == "-").all() and (ratio["entries"] == "-").all()


def test_the_notes_name_the_codec_that_stores_least_without_harm(several: Tables) -> None:
    frame = physics(several)
    notes = TABLE.notes(frame, several)
    (said,) = [note for note in notes if note.startswith("Z (80 to 100 GeV)")]
    # Only a shift of 0.05 GeV is below the 0.08 GeV to which the position is known.
    assert "peak at 91.000 ± 0.080 GeV" in said
    assert "quantise-0.01+zstd has the largest ratio of these (4, error 0.4 %)" in said
    gone = frame.assign(peak_shift=float("nan"), width_change=float("nan"))
    (said,) = [note for note in TABLE.notes(gone, several) if note.startswith("Z (80")]
    assert "None of 6 codecs" in said and "With 6 of the codecs, the peak can no longer be measured." in said
    lost = frame.assign(undefined_after=7)
    assert any(
        note.startswith("Undefined rows after compression") and "(7)" in note for note in TABLE.notes(lost, several)
    )


def test_without_derived_quantities_the_table_is_empty_and_the_figure_is_left_out(several: Tables) -> None:
    without = several | {name: several[name].iloc[:0] for name in ("derived", "derived_histograms")}
    table = physics(without)
    assert table.empty and TABLE.notes(table, without) == [] and readable(TABLE, table).empty
    with pytest.raises(NoData, match="no derived quantities"):
        draw_derived(without)


def test_the_figure_has_a_panel_for_all_rows_and_for_each_window(several: Tables) -> None:
    figure = draw_derived(several)
    assert [panel.get_title() for panel in figure.axes] == ["all rows", "Z", "all rows"]
    assert [panel.get_xlabel() for panel in figure.axes] == [
        "m_mumu (GeV)",
        "m_mumu (GeV)",
        "pt_ratio (unit not given)",
    ]
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels[0] == "original" and "Poisson" in labels[1] and len(labels) == 4
    assert any(label.startswith("baler 1/2, 25 epochs") for label in labels)
