"""Codecs at the same error."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.rate_distortion import at_error, codec_points, family, on_front


def _codec(transform="identity", packing="none", ratio=None, epochs=None):
    return {"transform": transform, "packing": packing, "compression_ratio": ratio, "epochs": epochs}


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (_codec(), "as recorded"),
        (_codec(packing="quantise-0.01+pcodec-8"), "quantise+pcodec"),
        (_codec("pca", "quantise-0.1+zstd", 2.0), "pca, quantise+zstd"),
        (_codec("baler", "none", 2.0, 5), "baler 1/2"),
        (_codec("baler", "float32+bound-0.1", 4.0, 25), "baler 1/4, float32+bound"),
    ],
)
def test_members_of_a_family_differ_in_a_bound_a_level_or_the_epochs(codec, name):
    assert family(codec) == name


def _runs():
    """Two codecs with two repeats each; the second trains. A GB is 1e6 rows of 1000 B."""
    rows = []
    for codec, errors, ratio in ((_codec(packing="lz4"), (0.0, 0.0), 2.0), (_codec("pca", ratio=4.0), (0.1, 0.3), 4.0)):
        for repeat, error in enumerate(errors):
            for operation in ("train", "compress", "decompress")[not codec["compression_ratio"] :]:
                flags = "throttled" if repeat and operation == "decompress" else ""
                common = {
                    "run_id": f"{codec['transform']}{repeat}",
                    "operation": operation,
                    "flags": flags,
                    "rows": 1000,
                }
                common |= {
                    "mean_rms_over_range": error,
                    "mean_nrmse": error,
                    "max_over_range": error,
                    "mean_relative_error_median": error,
                }
                common |= {"ratio_native_bytes": ratio, "compressed_bytes": 1e6 / ratio, "energy_evidence": "measured"}
                rows.append(codec | common | {"energy_j": 0.5 + repeat, "duration_s": 0.25})
    return pd.DataFrame(rows)


def test_a_codec_is_summarised_over_its_repeats():
    first, second = codec_points(_runs()).to_dict("records")
    assert (first["family"], first["error"], first["ratio"], first["n"], first["bytes_per_row"]) == (
        "lz4",
        0,
        2,
        2,
        500,
    )
    assert (
        math.isnan(first["train_j_per_gb"]) and first["compress_j_per_gb"] == 1000 and first["evidence"] == "measured"
    )
    assert first["compress_s_per_gb"] == 250
    assert first["decompress_j_per_gb"] == 500, "flagged runs are in no mean of a cost"
    assert second["error"] == pytest.approx(0.2) and second["train_j_per_gb"] == 1000
    assert second["error_half_width"] == pytest.approx(12.706 * 0.1, rel=1e-3)


def test_energies_of_two_kinds_are_not_averaged():
    runs = _runs()
    runs.loc[0, "energy_evidence"] = "modelled"
    first = codec_points(runs).iloc[0]
    assert pd.isna(first["evidence"]) and math.isnan(first["compress_j_per_gb"]) and first["compress_s_per_gb"] == 250


def test_the_front_has_the_points_that_no_other_beats():
    points = pd.DataFrame({"error": [0.0, 0.1, 0.1, 0.2, 0.3], "ratio": [2.0, 5.0, 4.0, 5.0, 6.0]})
    assert on_front(points.sample(frac=1, random_state=0)).sort_index().tolist() == [True, True, False, False, True]


@given(st.floats(0.011, 0.99), st.floats(-2, 2))
def test_interpolation_follows_a_known_curve(error, power):
    """A power law is a straight line of logarithms, so that interpolation is exact."""
    errors = [0.01, 0.1, 1.0]
    points = pd.DataFrame({"family": "f", "error": errors, "ratio": [3 * e**power for e in errors]})
    assert at_error(points, error, ["ratio"])["ratio"].tolist() == pytest.approx([3 * error**power], rel=1e-9)


def test_nothing_is_extrapolated_and_lossless_families_are_left_out():
    points = pd.DataFrame(
        {
            "family": ["a", "a", "b", "c"],
            "error": [0.1, 0.2, 0.0, 0.15],
            "ratio": [2.0, 4.0, 3.0, 9.0],
            "j": [1, None, 2, 5],
        }
    )
    assert at_error(points, 0.05, ["ratio"]).empty and at_error(points, 0.3, ["ratio"]).empty
    found = at_error(points, 0.15, ["ratio", "j"]).set_index("family")
    assert list(found.index) == ["a", "c"] and found.loc["c", "ratio"] == 9
    assert 2 < found.loc["a", "ratio"] < 4 and math.isnan(found.loc["a", "j"])
    assert at_error(points, 0.1, ["ratio"])["ratio"].tolist() == [2.0]
