"""Ranking codecs that were tried on a sample, and the recommendation."""

import math
import re

import pytest

from baler_energy.analysis.advice import late_sentence, missed_sentence, ranked, reasons_sentence, recommended
from baler_energy.analysis.goal import Goal
from baler_energy.analysis.rate_distortion import CODEC, codec_name

#: Of the sample: 1 MB in its number types.
NATIVE = 1e6
#: Parameters that these codecs do not have.
ABSENT: dict[str, object] = dict.fromkeys(CODEC)


def runs(run_id, ratio, *, error=0.005, duration_s=0.1, trained_s=None, model_bytes=0, energy_j=2.0):
    """Rows of the table ``runs`` of a codec."""
    compressed = NATIVE / ratio
    common = ABSENT | {
        "run_id": run_id,
        "transform": "pca" if trained_s else "identity",
        "engine": None,
        "precision": None,
        "packing": run_id,
        "compression_ratio": 2.0 if trained_s else None,
        "epochs": None,
        "compressed_bytes": compressed,
        "ratio_native_bytes": ratio,
        "ratio_native_bytes_with_model": NATIVE / (compressed + model_bytes),
        "max_over_range": error,
        "mean_nrmse": 10 * error,
        "mean_relative_error_p99": None,
        "trivial_max_over_range": 0.4,
        "trivial_mean_relative_error_p99": 3.0,
        "energy_evidence": "modelled",
        "memory_peak_b": 3e8,
        "energy_j": energy_j,
    }
    rows = [common | {"operation": name, "duration_s": duration_s} for name in ("compress", "decompress")]
    return ([common | {"operation": "train", "duration_s": trained_s}] if trained_s else []) + rows


def test_speed_and_energy_are_those_of_the_sample() -> None:
    (row,) = ranked(runs("zstd", 4.0, duration_s=0.5), 10**9, Goal(0.01)).to_dict("records")
    assert row["compress_mb_per_s"] == pytest.approx(2.0)
    assert row["decompress_j_per_gb"] == pytest.approx(2000)
    assert row["ratio"] == pytest.approx(4)
    assert row["memory_peak_mb"] == 300
    assert math.isnan(row["train_s"])
    assert (row["trains"], row["meets"], row["evidence"]) == (False, True, "modelled")


def test_a_model_is_spread_over_the_whole_file() -> None:
    rows = runs("coder", 4.0, trained_s=1.0, model_bytes=1e6)
    small, large = (ranked(rows, size, Goal(0.01))["ratio"].iloc[0] for size in (NATIVE, 1e12))
    assert small == pytest.approx(1e6 / (0.25e6 + 1e6))
    assert large == pytest.approx(4, rel=1e-4)


def test_an_energy_that_is_missing_stays_missing() -> None:
    (row,) = ranked(runs("zstd", 4.0, energy_j=None), 10**9, Goal(0.01)).to_dict("records")
    assert math.isnan(row["compress_j_per_gb"])


def test_codecs_that_miss_the_error_come_last() -> None:
    frame = ranked([*runs("bad", 50.0, error=0.02), *runs("good", 3.0), *runs("better", 6.0)], 10**9, Goal(0.01))
    assert frame["packing"].tolist() == ["better", "good", "bad"]
    assert recommended(frame, Goal(0.01), trained=False)[0] == 0


@pytest.mark.parametrize(("trivial", "meets"), [(0.4, False), (None, True)])
def test_an_unknown_error_only_meets_the_goal_if_all_columns_are_constant(trivial, meets) -> None:
    rows = [row | {"trivial_max_over_range": trivial} for row in runs("zstd", 4.0)]
    assert ranked(rows, 10**9, Goal(0.01, "relative"))["meets"].tolist() == [meets]


def advised(rows, *, trained: bool = True) -> tuple[str, list[str]]:
    """Packing of the recommended codec (empty: none), and the sentences."""
    frame = ranked(rows, 10**9, Goal(0.01))
    number, said = recommended(frame, Goal(0.01), trained=trained)
    return "" if number < 0 else frame["packing"].iloc[number], re.split(r"(?<=\.) ", said)


SMALL, FAST, LARGE = runs("small", 10.0, duration_s=9), runs("fast", 9.6), runs("large", 9.0, duration_s=0.01)
WITHIN = "with every value within 1 % of its column's range."
NO_TRAINED = "No trained codec that was tried meets the goal."


@pytest.mark.parametrize(
    ("rows", "trained", "packing", "sentences"),
    [
        (
            [*SMALL, *FAST, *LARGE],
            True,
            "fast",
            (f"Use fast: compression ratio 9.6, the fastest within 5 % of the largest ratio, {WITHIN}", NO_TRAINED),
        ),
        (
            [*SMALL, *LARGE],
            True,
            "small",
            (f"Use small: compression ratio 10, the largest ratio, {WITHIN}", NO_TRAINED),
        ),
        (
            SMALL,
            False,
            "small",
            (f"Use small: compression ratio 10, the largest ratio, {WITHIN}", "No trained codec was tried."),
        ),
        (
            [*SMALL, *runs("pco", 5.0, trained_s=3.0)],
            True,
            "small",
            (
                f"Use small: compression ratio 10, the largest ratio, {WITHIN}",
                "The best trained codec, pca 1/2, pco, needs 2 times as many bytes, after 3 s of training.",
            ),
        ),
        (
            [*runs("small", 5.0), *runs("pco", 10.0, trained_s=3.0)],
            True,
            "pco",
            (
                f"Use pca 1/2, pco: compression ratio 10, the largest ratio, {WITHIN}",
                "The best codec without training, small, needs 2 times as many bytes, but no training, which took 3 s "
                "here.",
            ),
        ),
        (
            [*runs("small", 5.0, error=0.02), *runs("pco", 10.0, trained_s=3.0)],
            True,
            "pco",
            (
                f"Use pca 1/2, pco: compression ratio 10, the largest ratio, {WITHIN}",
                "No codec without training that was tried meets the goal.",
            ),
        ),
        (
            runs("bad", 50.0, error=0.02),
            True,
            "",
            (
                "No codec that was tried meets the goal: every value within 1 % of its column's range.",
                "Allow a larger error, or use --lossless.",
            ),
        ),
    ],
)
def test_the_recommendation_is_two_sentences_with_the_reason_in_the_first(rows, trained, packing, sentences) -> None:
    assert advised(rows, trained=trained) == (packing, list(sentences))


def test_codecs_that_reach_the_error_with_no_packing_are_named() -> None:
    assert missed_sentence({}) == []
    (said,) = missed_sentence({"baler 1/2": 0.42})
    assert "baler 1/2 (42 %)" in said


def test_codecs_that_cannot_be_used_here_are_named_with_the_reason() -> None:
    assert reasons_sentence("Not tried", {}) == []
    reasons = {"blosc2": "The package blosc2 is not installed: `pip install x`.", "zfp": "No wheel."}
    assert reasons_sentence("Not tried", reasons) == [
        "Not tried: blosc2 (the package blosc2 is not installed: `pip install x`), zfp (no wheel)."
    ]


def test_what_the_time_did_not_allow_is_named() -> None:
    assert late_sentence([]) == []
    assert late_sentence(["zfp", "baler 1/4"]) == ["Not tried, because time ran out (--limit-s): zfp, baler 1/4."]


def test_a_codec_is_named_by_what_it_is_made_of() -> None:
    row = ABSENT | {"transform": "baler", "compression_ratio": 2.0, "epochs": 5.0, "packing": "zstd"}
    assert codec_name(row) == "baler 1/2, zstd, 5 epochs"
    assert codec_name(row | {"epochs": 1}) == "baler 1/2, zstd, 1 epoch"
    absent = {"compression_ratio": None, "epochs": float("nan")}
    assert codec_name(row | {"transform": "identity"} | absent) == "zstd"
    assert codec_name(row | {"transform": "identity", "packing": "none"} | absent) == "as recorded"


def test_a_worthless_codec_is_only_said_to_be_beyond_all_use() -> None:
    (said,) = missed_sentence({"baler 1/2": 2.5e6})
    assert "baler 1/2 (over 1,000 %)" in said
