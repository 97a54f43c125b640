"""The comparison of codecs: the figure and the table."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures.base import NoData
from baler_energy.figures.tables.codecs import TABLE, codecs
from baler_energy.figures.worth.rate_distortion import draw_rate_distortion

Tables = dict[str, pd.DataFrame]
#: Error and ratio of codecs without training, by packing.
CLASSICAL = {"quantise-0.03+pcodec": (0.005, 16.0), "quantise-0.1+pcodec": (0.02, 32.0), "pcodec": (0.0, 3.0)}


@pytest.fixture(scope="module")
def several(build: Callable[..., Tables]) -> Tables:
    """Trainings with 1, 5 and 25 epochs, whose compressed files are as large as the table, and classical codecs."""
    tables = build()
    tables["runs"]["mean_relative_error_median"] = tables["runs"]["mean_rms_over_range"]
    runs = tables["runs"]
    one = runs[runs["at_centre"] & (runs["operation"] != "train")]
    absent = dict.fromkeys(("engine", "model", "precision", "batch_size", "compression_ratio", "epochs"))
    added = [
        one.assign(
            transform="identity",
            packing=packing,
            run_id=one["run_id"] + packing,
            mean_rms_over_range=error,
            mean_relative_error_median=1.5 * error,
            ratio_native_bytes=ratio,
            compressed_bytes=one["rows"] * 96 / ratio,
            at_centre=False,
            energy_j=one["energy_j"] / 10,
            **absent,
        )
        for packing, (error, ratio) in CLASSICAL.items()
    ]
    return tables | {"runs": pd.concat([runs, *added], ignore_index=True)}


def test_the_table_gives_each_family_at_the_error_of_a_trained_codec(several: Tables) -> None:
    table = codecs(several)
    table = table[table["measure"] == "error"]
    trained = table[table["measured"]]
    assert trained["at_epochs"].tolist() == [1, 5, 25] and (trained["family"] == "baler 1/2").all()
    row = table[~table["measured"] & (table["at_epochs"] == 5)].iloc[0]
    assert row["family"] == "quantise+pcodec" and not row["trains"]
    # From 0.5 to 2 % the ratio doubles: it grows with the square root of the error.
    assert row["ratio"] == pytest.approx(16 * (row["error"] / 0.005) ** 0.5, rel=1e-6)
    own = trained[trained["at_epochs"] == 5].iloc[0]
    assert row["compress_j_per_gb"] < own["compress_j_per_gb"] / 5 and pd.isna(row["train_j_per_gb"])


def test_the_ranking_depends_on_the_measure(several: Tables) -> None:
    table = codecs(several)
    others = table[~table["measured"].astype(bool) & (table["at_epochs"] == 5)].set_index("measure")["ratio"]
    # The classical codec's relative errors are 1.5 times its errors over the range, Baler's are equal.
    assert others["relative_error"] == pytest.approx(others["error"] / 1.5**0.5, rel=1e-6)


def test_the_notes_answer_whether_a_codec_without_training_stores_less(several: Tables) -> None:
    notes = TABLE.notes(codecs(several), several)
    assert any("of baler 1/2 after 5 epochs" in note and "quantise+pcodec stores" in note for note in notes)
    assert all(
        "times less" in note and note.endswith("to compress a GB (modelled), without any training.") for note in notes
    )


def test_energies_with_different_evidence_are_not_compared(several: Tables) -> None:
    runs = several["runs"]
    measured = runs.assign(energy_evidence=runs["energy_evidence"].where(runs["transform"] != "identity", "measured"))
    table = codecs(several | {"runs": measured})
    others = table[~table["measured"].astype(bool)]
    assert len(others) and others["compress_j_per_gb"].isna().all() and others["compress_s_per_gb"].notna().all()


def test_the_figure_has_a_mark_for_each_family_and_the_trivial_codec(several: Tables) -> None:
    figure = draw_rate_distortion(several)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"baler 1/2", "quantise+pcodec", "pcodec"} < set(legend) and any("best" in text for text in legend)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "lossless" in texts and "trivial codec (column means)" in texts


def test_one_family_is_left_out_with_the_reason(build: Callable[..., Tables]) -> None:
    tables = build(repeats=1)
    with pytest.raises(NoData, match="one family of codecs only"):
        draw_rate_distortion(tables)
    assert codecs(tables).empty and "compares no trained codec" in TABLE.without_rows
