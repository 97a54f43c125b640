"""Codecs side by side: the table."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baler_energy.analysis.schema import arrow_schema
from baler_energy.figures.base import Dataset
from baler_energy.figures.codec_rows import where
from baler_energy.figures.overview import overview
from baler_energy.figures.tables.codecs import TABLE, codecs
from baler_energy.variants import NO_TRANSFORM

Tables = dict[str, pd.DataFrame]
Build = Callable[..., Tables]


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


def test_the_table_says_how_much_faster_codecs_are_on_more_threads(several: Tables, threaded: Tables) -> None:
    pd.testing.assert_frame_equal(codecs(threaded), codecs(several))
    (note,) = [note for note in TABLE.notes(codecs(threaded), threaded) if "threads" in note]
    assert re.search(r"pcodec: compress 2\.\d+ ± \S+ times as fast on 4 as on 2 \(n = 3\)", note)
    assert "as fast on 4 as on 1" in note, "Baler ran on three numbers of threads"


def test_errors_are_read_of_all_codecs_at_the_centre_and_no_other_point(build: Build, tmp_path: Path) -> None:
    tables = build(repeats=1)
    for name in ("runs", "errors"):
        arrow = pa.Table.from_pandas(tables[name], schema=arrow_schema(name), preserve_index=False)
        pq.write_table(arrow, tmp_path / f"{name}.parquet")
    found = Dataset(tmp_path)["errors"]
    assert set(found["epochs"]) == {1, 5, 25} and set(found["rows"]) == {30_000}
    assert set(found["batch_size"]) == {128, 512, 2048} and set(found["threads"]) == {2}


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


def test_what_the_codecs_share_is_in_the_description_and_what_they_vary_is_not(several: Tables, build: Build) -> None:
    assert "batch size 512" in where(several["runs"])
    assert "batch size" not in where(build(repeats=1)["runs"])


def test_the_notes_have_the_start_up_of_the_coders(several: Tables) -> None:
    runs = several["runs"].copy()
    for packing, startup_s in (("pcodec", 0.004), ("quantise-0.1+pcodec", 0.25), ("quantise-0.03+pcodec", 0.75)):
        runs.loc[(runs["packing"] == packing) & (runs["operation"] == "compress"), "coder_startup_s"] = startup_s
    runs.loc[runs["operation"] == "decompress", "coder_startup_s"] = 9.0
    started = several | {"runs": runs}
    (note,) = [note for note in TABLE.notes(codecs(started), started) if note.startswith("Start-up")]
    # The mean of a family's runs, whatever its bound.
    assert note.endswith(": quantise+pcodec 500 ms, pcodec 4 ms.")
