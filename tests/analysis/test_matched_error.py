"""What codecs need at the error of a trained one, with its uncertainty."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis.coder_gain import coder_gain
from baler_energy.analysis.matched_error import MEASURES, at_codec, in_repeats, scorecard
from baler_energy.analysis.quantiles import t_quantile
from baler_energy.analysis.rate_distortion import CODEC, codec_points
from baler_energy.config.parameters import AXIS_DEFAULTS, applicable

#: Bytes of the table as recorded: a GB, so that costs per GB are those of the run.
_NATIVE = 10**9


def _run(transform, packing, repeat, error, ratio, *, epochs=None, latents=None, cost=1.0, **other):
    """Rows of one run."""
    about = {name: AXIS_DEFAULTS.get(name) for name in CODEC}
    about |= {"transform": transform, "packing": packing, "compression_ratio": latents, "epochs": epochs}
    about = applicable(about | {name: other.pop(name) for name in CODEC if name in other})
    said = "-".join(map(str, about.values()))
    about |= {"repeat": repeat, "run_id": f"{said}-{repeat}", "rows": 1000, "in_mean": True}
    about |= {
        "mean_rms_over_range": error,
        "held_out_mean_rms_over_range": math.nan,
        "held_out_mean_relative_error_median": math.nan,
        "mean_nrmse": 10 * error,
        "max_over_range": error,
    }
    about |= {"mean_relative_error_median": 2 * error, "ratio_native_bytes": ratio, "compressed_bytes": _NATIVE / ratio}
    about["ratio_native_bytes_with_model"] = _NATIVE / (_NATIVE / ratio + (5000 if latents else 0))
    operations = ("train", "compress", "decompress")[latents is None :]
    costs = {"energy_j": cost, "duration_s": cost / 2, "memory_peak_b": 1e8 * cost, "energy_evidence": "measured"}
    return [about | costs | {"operation": operation} | other for operation in operations]


def _runs(trained=(0.02, 0.03), power=0.5, scale=(1.0, 1.0), costs=(1.0, 1.0)):
    """Two repeats of a trained codec with these errors, and of a bounded one whose ratio is a power of its error."""
    rows = []
    for repeat, error in enumerate(trained):
        rows += _run("baler", "none", repeat, error, 2.0, epochs=5, latents=2.0, cost=10.0)
        for bound in (0.005, 0.01, 0.1):
            ratio = 100 * scale[repeat] * bound**power
            rows += _run("identity", f"quantise-{bound}+lz4", repeat, bound, ratio, cost=costs[repeat])
    return pd.DataFrame(rows)


def _card(runs):
    points = codec_points(runs)
    codec = points[points["epochs"].notna()].iloc[0]
    return at_codec(points, in_repeats(runs), codec).set_index("family")


@given(st.floats(0.011, 0.099), st.floats(0.011, 0.099), st.floats(0.05, 1.5), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
@settings(max_examples=8)  # 0.1 s each
def test_the_interval_of_a_known_curve_is_that_of_its_logarithms(first, second, power, low, high):
    """On a power law, the curve of each repeat is met exactly, so that its logarithms are known."""
    runs = _runs((first, second), power, (low, high))
    row = _card(runs).loc["quantise+lz4"]
    logarithms = [math.log(100 * scale * error**power) for scale, error in ((low, first), (high, second))]
    half_width = float(t_quantile(1)) * np.std(logarithms, ddof=1) / math.sqrt(2)
    assert row["ratio"] == pytest.approx(100 * (low + high) / 2 * ((first + second) / 2) ** power, rel=1e-9)
    assert row["ratio_high"] == pytest.approx(row["ratio"] * math.exp(half_width), rel=1e-6)
    assert row["ratio_low"] == pytest.approx(row["ratio"] * math.exp(-half_width), rel=1e-6)
    assert row["ratio_n"] == 2


def test_the_codec_itself_is_first_and_factors_are_over_it():
    card = _card(_runs())
    assert list(card.index) == ["baler 1/2", "quantise+lz4"] and card["measured"].tolist() == [True, False]
    own, other = card.iloc[0], card.iloc[1]
    assert own["ratio_factor"] == 1 and other["ratio_factor"] == pytest.approx(other["ratio"] / 2)
    assert (own["train_j"], own["train_s"], own["compress_memory_b"]) == (10, 5, 1e9)
    assert math.isnan(other["train_j"]) and other["compress_j_per_gb_factor"] == pytest.approx(0.1)


def test_equal_repeats_have_an_interval_of_no_width_and_one_has_none():
    equal = _card(_runs((0.02, 0.02))).loc["quantise+lz4"]
    assert equal["ratio_low"] == pytest.approx(equal["ratio"]) == equal["ratio_high"]
    runs = _runs()
    single = _card(runs[runs["repeat"] == 0]).loc["quantise+lz4"]
    assert single["ratio_n"] == 1 and math.isnan(single["ratio_low"]) and math.isnan(single["ratio_factor_high"])


def test_what_is_unknown_between_two_points_widens_the_interval():
    """Two points may be connected by any curve; with more, it shows how far the curve is from straight."""
    runs = _runs((0.02, 0.02))
    few = _card(runs[runs["packing"] != "quantise-0.005+lz4"]).loc["quantise+lz4"]
    assert few["ratio_low"] < 100 * 0.01**0.5 and few["ratio_high"] == pytest.approx(100 * 0.1**0.5)
    assert few["ratio_factor_high"] / few["ratio_factor"] == pytest.approx(few["ratio_high"] / few["ratio"])
    assert few["nrmse_high"] > few["nrmse"], "a quantity of its own"
    bent = runs.assign(ratio_native_bytes=runs["ratio_native_bytes"].where(runs["packing"] != "quantise-0.005+lz4", 2))
    card = _card(bent).loc["quantise+lz4"]
    assert card["ratio_low"] < _card(runs).loc["quantise+lz4", "ratio_low"] and card["ratio_low"] < card["ratio"]


def test_a_cost_of_a_flagged_run_is_in_neither_mean_nor_interval():
    runs = _runs(costs=(1.0, 50.0))
    runs.loc[(runs["repeat"] == 1) & (runs["transform"] == "identity"), "in_mean"] = False
    row = _card(runs).loc["quantise+lz4"]
    assert row["compress_j_per_gb"] == 1 and row["compress_j_per_gb_n"] == 1
    assert math.isnan(row["compress_j_per_gb_low"]) and row["ratio_n"] == 2


def test_a_repeat_in_which_the_error_is_beyond_the_curve_is_left_out():
    row = _card(_runs((0.02, 0.12))).loc["quantise+lz4"]
    assert row["ratio_n"] == 1 and math.isnan(row["ratio_low"]), "nothing is extrapolated"
    assert "quantise+lz4" not in _card(_runs((0.11, 0.12))).index


def test_energies_of_another_kind_are_not_compared():
    runs = _runs()
    runs.loc[runs["transform"] == "identity", "energy_evidence"] = "modelled"
    row = _card(runs).loc["quantise+lz4"]
    assert math.isnan(row["compress_j_per_gb"]) and row["compress_s_per_gb"] == 0.5


def test_the_scorecard_matches_in_two_measures():
    card = scorecard(_runs())
    assert card["measure"].tolist() == ["error"] * 2 + ["relative_error"] * 2 and card["trains"].tolist()[:2] == [
        True,
        False,
    ]
    assert card["at_error"].tolist() == pytest.approx([0.025] * 2 + [0.05] * 2)
    # All relative errors are twice as large, so the ratios are the same.
    assert card["ratio"].tolist()[:2] == pytest.approx(card["ratio"].tolist()[2:])
    assert (card["at_error_low"] < card["at_error"]).all() and (card["n"] == 2).all()
    assert scorecard(_runs().query("transform == 'identity'")).empty


def test_a_transform_in_closed_form_is_trained_but_not_in_epochs():
    runs = _runs().to_dict("records")
    for repeat in (0, 1):
        for ratio, error in ((2.0, 0.01), (4.0, 0.1)):
            runs += _run("pca", "none", repeat, error, ratio, latents=ratio)
    card = scorecard(pd.DataFrame(runs))
    kinds = card.drop_duplicates("family").set_index("family")[["trains", "in_epochs"]]
    assert kinds.loc["baler 1/2"].tolist() == [True, True]
    assert kinds.loc["pca"].tolist() == [True, False] and kinds.loc["quantise+lz4"].tolist() == [False, False]


def test_a_trained_codec_is_compared_with_one_that_is_trained_otherwise():
    rows = []
    for epochs, error in ((5, 0.05), (25, 0.02)):
        rows += _run("baler", "none", 0, error, 2.0, epochs=epochs, latents=2.0, cost=4.0)
        rows += _run("baler", "none", 0, error / 2, 3.0, epochs=epochs, latents=2.0, start="pca")
    card = scorecard(pd.DataFrame(rows))
    card = card[card["measure"] == "error"]
    own = card[card["measured"]].set_index("at_codec")["ratio"]
    assert own["baler 1/2, 5 epochs"] == 2 and own["baler 1/2, start pca, 5 epochs"] == 3 and len(own) == 4
    other = card[~card["measured"]].set_index("at_codec")
    assert other.loc["baler 1/2, 25 epochs", "family"] == "baler 1/2, start pca"
    assert other.loc["baler 1/2, 25 epochs", "ratio_factor"] == pytest.approx(1.5)
    assert set(other["at_start"]) == {"random", "pca"}


def test_transforms_behind_one_coder_are_compared_at_one_error():
    rows = []
    for repeat in (0, 1):
        for epochs, error in ((5, 0.08), (25, 0.04)):
            rows += _run("baler", "none", repeat, error, 2.0, epochs=epochs, latents=2.0)
            rows += _run("baler", "none", repeat, error, 2.5, epochs=epochs, latents=2.0, start="pca")
        rows += _run("baler", "quantise-0.01+lz4", repeat, 0.05, 12.0, epochs=25, latents=2.0)
        rows += _run("baler", "quantise-0.01+lz4", repeat, 0.05, 99.0, epochs=25, latents=4.0)
        for bound in (0.01, 0.1):
            rows += _run("identity", f"quantise-{bound}+lz4", repeat, bound, 24.0)
            rows += _run("identity", f"quantise-{bound}+zlib", repeat, bound, 77.0)
            rows += _run("pca", f"quantise-{bound}+lz4", repeat, bound, 18.0, latents=2.0)
    found = coder_gain(pd.DataFrame(rows))
    found = found[found["at_codec"] == "baler 1/2, quantise-0.01+lz4, 25 epochs"].set_index("transform")
    assert list(found.index) == ["identity", "pca", "baler"] and (found["coder"] == "quantise+lz4").all()
    assert found["with_coder"].tolist() == pytest.approx([24, 18, 12])
    assert found["without_coder"].tolist()[::2] == pytest.approx([1, 2]) and math.isnan(found["without_coder"]["pca"])
    assert found["coder_gain"].tolist()[::2] == pytest.approx([24, 6])
    assert found["transform_gain"].tolist() == pytest.approx([1, 0.75, 0.5])


def test_a_relative_error_is_matched_where_that_one_is_equal():
    rows = []
    for bound, relative in ((0.01, 0.2), (0.1, 0.8)):
        # A bound over the range is large relative to small values: here the coarser one is out of reach.
        packing = f"quantise-{bound}+lz4"
        rows += _run("identity", packing, 0, bound, 1000 * bound, mean_relative_error_median=relative)
    rows += _run("baler", "quantise-0.01+lz4", 0, 0.1, 12.0, epochs=25, latents=2.0, mean_relative_error_median=0.2)
    runs = pd.DataFrame(rows)
    ratios = {m: coder_gain(runs, m).set_index("transform")["with_coder"]["identity"] for m in MEASURES}
    assert ratios == pytest.approx({"error": 100, "relative_error": 10})
    assert set(coder_gain(runs, "relative_error")["error"]) == {0.2}


def test_a_coder_of_one_transform_only_is_compared_with_nothing():
    rows = _run("baler", "quantise-0.01+lz4", 0, 0.05, 12.0, epochs=25, latents=2.0) + _run("identity", "lz4", 0, 0, 3)
    assert coder_gain(pd.DataFrame(rows)).empty
