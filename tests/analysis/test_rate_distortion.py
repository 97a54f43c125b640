"""Codecs at the same error."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.rate_distortion import CODEC, at_error, codec_name, codec_points, family
from baler_energy.config.parameters import AXIS_DEFAULTS, applicable


def _codec(transform="identity", packing="none", ratio=None, epochs=None, **other):
    """Parameters of a codec; those of a transform that trains are the defaults, unless they are given."""
    defaults = {name: AXIS_DEFAULTS.get(name) for name in CODEC}
    own = {"transform": transform, "packing": packing, "compression_ratio": ratio, "epochs": epochs}
    return applicable(defaults | own | other)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (_codec(), "as recorded"),
        (_codec(packing="quantise-0.01+pcodec-8"), "quantise+pcodec-8"),
        (_codec("pca", "quantise-1e-3+zstd-3", 2.0), "pca 1/2, quantise+zstd-3"),
        (_codec("pca", "zstd-3", 2.0), "pca, zstd-3"),
        (_codec("pca", "none", 8.0), "pca"),
        (_codec(packing="sz3-0.01"), "sz3"),
        (_codec(packing="sz3-0.01-interp"), "sz3-interp"),
        (_codec(packing="root-zlib-1"), "root-zlib-1"),
        (_codec("baler", "none", 2.0, 5), "baler 1/2"),
        (_codec("baler", "float32+bound-0.1", 4.0, 25), "baler 1/4, float32+bound-0.1"),
        (_codec("baler", "none", 2.0, 5, start="pca"), "baler 1/2, start pca"),
        (_codec("baler", "zstd", 2.0, 5, batch_size=64.0), "baler 1/2, batch size 64, zstd"),
    ],
)
def test_members_of_a_family_differ_in_one_number(codec, name):
    assert family(codec) == name


def test_a_name_has_the_parameters_that_are_not_the_default():
    codec = _codec("baler", "quantise-0.01+pcodec", 2.0, 25.0, start="pca", learning_rate=0.003, schedule="one-cycle")
    name = "baler 1/2, start pca, learning rate 0.003, schedule one-cycle, quantise-0.01+pcodec, 25 epochs"
    assert codec_name(codec) == name
    assert codec_name(_codec("baler", "none", 2.0, 1)) == "baler 1/2, 1 epoch"


@pytest.mark.parametrize("name", CODEC)
def test_runs_that_differ_in_a_parameter_of_the_codec_are_not_averaged(name):
    one = _codec("baler", "none", 2.0, 5)
    other = {"transform": "pca", "model": "baler-x2", "packing": "zstd", "start": "pca", "schedule": "one-cycle"}
    other |= {"batch_size": 64, "compression_ratio": 4.0, "epochs": 25, "learning_rate": 0.1, "optimizer": "lion"}
    changed = one | {name: other[name]}
    points = codec_points(pd.DataFrame(_run(one, 0, 0.1, 2.0) + _run(changed, 1, 0.3, 2.0)))
    assert points["error"].tolist() == [0.1, 0.3] and points["n"].tolist() == [1, 1]
    assert codec_name(points.iloc[0].to_dict()) != codec_name(points.iloc[1].to_dict())


def _run(codec, repeat, error, ratio):
    """Rows of one run; a GB is 1e6 rows of 1000 B."""
    rows = []
    for operation in ("train", "compress", "decompress")[not codec["compression_ratio"] :]:
        in_mean = not (repeat and operation == "decompress")
        common = {"run_id": f"{codec['transform']}{repeat}", "operation": operation, "in_mean": in_mean, "rows": 1000}
        errors = ("mean_rms_over_range", "mean_nrmse", "max_over_range", "mean_relative_error_median")
        common |= dict.fromkeys(errors, error)
        held_out = ("held_out_mean_rms_over_range", "held_out_mean_relative_error_median")
        common |= dict.fromkeys(held_out, 2 * error if codec["compression_ratio"] else math.nan)
        common["ratio_native_bytes_with_model"] = 1e6 / (1e6 / ratio + (3000 if codec["compression_ratio"] else 0))
        common |= {"ratio_native_bytes": ratio, "compressed_bytes": 1e6 / ratio, "energy_evidence": "measured"}
        rows.append(codec | common | {"energy_j": 0.5 + repeat, "duration_s": 0.25, "memory_peak_b": 3e8})
    return rows


def _runs():
    """Two codecs with two repeats each; the second trains."""
    lossless, trained = _codec(packing="lz4"), _codec("pca", ratio=4.0)
    rows = [row for repeat in (0, 1) for row in _run(lossless, repeat, 0.0, 2.0)]
    return pd.DataFrame(
        rows + [row for repeat, error in enumerate((0.1, 0.3)) for row in _run(trained, repeat, error, 4.0)]
    )


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
    assert (second["train_j"], second["train_s"], second["train_memory_b"]) == (1, 0.25, 3e8)
    assert math.isnan(first["train_memory_b"]) and first["decompress_memory_b_n"] == 2 and second["ratio_n"] == 2
    assert second["error_half_width"] == pytest.approx(12.706 * 0.1, rel=1e-3)
    assert first["model_bytes"] == 0 and second["model_bytes"] == pytest.approx(3000)
    assert second["held_out_error"] == pytest.approx(0.4) and second["held_out_error_n"] == 2
    assert math.isnan(first["held_out_error"]) and first["held_out_error_n"] == 0


def test_energies_of_two_kinds_are_not_averaged():
    runs = _runs()
    runs.loc[0, "energy_evidence"] = "modelled"
    first = codec_points(runs).iloc[0]
    assert pd.isna(first["evidence"]) and math.isnan(first["compress_j_per_gb"]) and first["compress_s_per_gb"] == 250


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


@given(st.floats(-2, 2), st.floats(-3, 3), st.lists(st.floats(0.4, 1.6), min_size=3, max_size=6), st.floats(0, 1))
def test_the_deviation_bounds_a_curve_that_bends_evenly(bend: float, slope: float, steps: list[float], place: float):
    """Curves of constant curvature in the logarithms, at distances that differ less than 4-fold."""
    logarithms = np.cumsum([-4.0, *steps])
    curve = bend * logarithms**2 + slope * logarithms
    points = pd.DataFrame({"family": "a", "error": np.exp(logarithms), "ratio": np.exp(curve)})
    wanted = logarithms[1] + place * (logarithms[-2] - logarithms[1])
    found = at_error(points, float(np.exp(wanted)), ["ratio", "error"]).iloc[0]
    off = abs(np.log(found["ratio"]) - (bend * wanted**2 + slope * wanted))
    assert off <= found["ratio_deviation"] + 1e-9
    assert found["error_deviation"] == 0
    if bend == 0:
        assert found["ratio_deviation"] == pytest.approx(0, abs=1e-9)


def test_between_only_two_points_a_curve_may_be_anywhere():
    points = pd.DataFrame({"family": "a", "error": [0.1, 0.4], "ratio": [2.0, 8.0], "cost": [3.0, 3.0]})
    found = at_error(points, 0.2, ["ratio", "cost"]).iloc[0]
    assert found["ratio"] == pytest.approx(4) and found["ratio_deviation"] == pytest.approx(np.log(2))
    assert found["cost_deviation"] == 0
    assert at_error(points, 0.4, ["ratio"]).iloc[0].tolist() == ["a", 8.0, 0.0]
