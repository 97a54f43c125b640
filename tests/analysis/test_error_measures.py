"""Errors of a reconstructed table."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import ks_2samp, wasserstein_distance

from baler_energy.analysis.error_measures import (
    column_errors,
    held_out_errors,
    held_out_summary,
    on_all_rows,
    ratios,
    summary,
)
from baler_energy.analysis.goal import MEASURES, Goal
from baler_energy.analysis.histograms import BINS, histograms
from baler_energy.errors import InputError

NAMES = ("pt", "n", "constant", "zero")
DTYPES = ("float32", "int32", "float64", "float64")
BEFORE = np.array([[0.0, 1, 5, 0], [2.0, 2, 5, 0], [4.0, 5, 5, 0]])
AFTER = np.array([[0.5, 1, 5, 0], [2.0, 3, 5, 0], [3.0, 5, 5, 1]])
SAMPLES = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 1)))


@pytest.fixture(scope="module")
def errors():
    return column_errors(BEFORE, AFTER, NAMES, DTYPES).set_index("column")


def test_errors_of_a_column_by_hand(errors):
    pt = errors.loc["pt"]
    assert pt["range"] == 4
    assert pt["rms_residual"] == pytest.approx(math.sqrt(1.25 / 3))
    assert pt["rms_over_range"] == pytest.approx(math.sqrt(1.25 / 3) / 4)
    assert pt["max_over_range"] == 0.25
    assert pt["nonzero_count"] == 2
    assert pt["relative_error_mean"] == pytest.approx(0.125)
    assert pt["relative_error_rms"] == pytest.approx(math.sqrt((1 / 4) ** 2 / 2))
    assert pt["dtype"] == "float32"


def test_a_constant_column_has_no_error_over_range(errors):
    assert errors.loc["constant", "rms_residual"] == 0
    assert np.isnan(errors.loc["constant", "rms_over_range"])
    assert np.isnan(errors.loc["zero", "max_over_range"])
    assert errors.loc["zero", "rms_residual"] > 0


def test_a_column_of_zeros_has_no_relative_error(errors):
    assert errors.loc["zero", "nonzero_count"] == 0
    assert np.isnan(errors.loc["zero", "relative_error_mean"])


def test_the_row_of_all_columns(errors):
    overall = errors.loc["all"]
    assert overall["rms_over_range"] == pytest.approx(errors.loc[["pt", "n"], "rms_over_range"].mean())
    assert overall["max_over_range"] == 0.25
    assert overall["nonzero_count"] == 2 + 3 + 3
    relative = [0, 1 / 4, 0, 1 / 2, 0, 0, 0, 0]
    assert overall["relative_error_mean"] == pytest.approx(np.mean(relative))
    assert overall["relative_error_rms"] == pytest.approx(np.sqrt(np.mean(np.square(relative))))
    assert np.isnan(overall["rms_residual"])


def test_measures_against_the_standard_deviation_and_exact_values_by_hand(errors):
    pt, n, zero = (errors.loc[name] for name in ("pt", "n", "zero"))
    deviation = math.sqrt(8 / 3)
    assert pt["standard_deviation"] == pytest.approx(deviation)
    assert pt["nrmse"] == pytest.approx(math.sqrt(1.25 / 3) / deviation)
    # Residuals of 0.5, 0 and -1 have a variance of 1.25 / 3 - (0.5 / 3)^2.
    assert pt["explained_variance"] == pytest.approx(1 - (1.25 / 3 - 0.25 / 9) / (8 / 3))
    assert pt["wasserstein_over_deviation"] == pytest.approx((0.5 + 0 + 1) / 3 / deviation)
    assert (n["relative_error_median"], n["relative_error_p99"]) == (0, 0.5)
    assert (pt["zero_count"], pt["zeros_kept"], zero["zeros_kept"]) == (1, 0, pytest.approx(2 / 3))
    assert np.isnan(n["zeros_kept"]) and np.isnan(pt["integers_kept"])
    assert (n["integer_count"], n["integers_kept"]) == (3, pytest.approx(2 / 3))


def test_measures_of_all_columns(errors):
    overall = errors.loc["all"]
    for name in ("nrmse", "explained_variance", "wasserstein_over_deviation", "trivial_rms_over_range"):
        assert overall[name] == pytest.approx(errors.loc[["pt", "n"], name].mean()), name
    assert (overall["zero_count"], overall["zeros_kept"]) == (4, pytest.approx(2 / 4))
    assert (overall["integer_count"], overall["integers_kept"]) == (3, pytest.approx(2 / 3))


def test_the_summary_has_the_trivial_codec_and_counts_columns_that_are_worse(errors):
    main = summary(errors.reset_index())
    assert main["mean_nrmse"] == errors.loc["all", "nrmse"] and main["columns_worse_than_mean"] == 0
    assert main["trivial_mean_rms_over_range"] == errors.loc["all", "trivial_rms_over_range"]
    # 2 and 4 around a mean of 2 are off by 0 and 1/2; 1, 2 and 5 around 8/3 by 5/3, 1/3 and 7/15; 5 by nothing.
    medians = (1 / 2, 7 / 15, 0)
    assert errors["trivial_relative_error_median"].dropna().tolist()[:3] == pytest.approx(medians)
    assert main["trivial_mean_relative_error_median"] == pytest.approx(np.mean(medians))
    assert main["trivial_mean_relative_error_p99"] == pytest.approx(np.mean([1 / 2, 5 / 3, 0]))
    far = column_errors(BEFORE, BEFORE + np.array([9.0, 0, 0, 0]), NAMES, DTYPES)
    assert summary(far)["columns_worse_than_mean"] == 1


def test_measures_that_overflow_are_unknown():
    tiny = np.array([[1.0, 3.35163e5], *[[2.07156555e-304] * 2] * 8])
    means = np.broadcast_to(tiny.mean(axis=0), tiny.shape)
    errors = column_errors(tiny, means, ("a", "b"), ("float64", "float64"))
    # Each column's median is a number, but not their sum.
    assert np.isfinite(errors["relative_error_median"][:2]).all()
    assert summary(errors)["mean_relative_error_median"] is None
    held_out = held_out_summary(held_out_errors(errors, errors))
    assert held_out["held_out_mean_relative_error_median"] is None
    assert held_out["held_out_mean_nrmse"] == pytest.approx(1)


def test_errors_on_held_out_rows_are_over_the_spread_of_the_training_rows():
    # The held-out values of pt span half the range of the training rows.
    before = np.array([[1.0, 2, 5, 0], [3.0, 4, 5, 0]])
    after = np.array([[1.5, 2, 5, 0], [3.0, 3, 5, 0]])
    seen, other = column_errors(BEFORE, AFTER, NAMES, DTYPES), column_errors(before, after, NAMES, DTYPES)
    found = held_out_errors(seen, other)
    pt, overall = found.iloc[0], found.iloc[-1]
    assert (pt["range"], pt["standard_deviation"]) == (4, pytest.approx(math.sqrt(8 / 3)))
    assert pt["rms_over_range"] == pytest.approx(math.sqrt(0.125) / 4) and pt["max_over_range"] == 0.5 / 4
    assert pt["nrmse"] == pytest.approx(math.sqrt(0.125 / (8 / 3)))
    # Residuals of 0.5 and 0 have a variance of 1/16.
    assert pt["explained_variance"] == pytest.approx(1 - (1 / 16) / (8 / 3))
    assert pt["wasserstein_over_deviation"] == pytest.approx(0.25 / math.sqrt(8 / 3))
    assert (pt["relative_error_median"], pt["ks_distance"]) == (0.5, 0.5)
    assert found.filter(like="trivial").isna().all(axis=None)
    assert overall["column"] == "all" and overall["max_over_range"] == 0.25
    main = held_out_summary(found)
    assert (main["held_out_rows"], main["held_out_zeros_kept"], main["held_out_integers_kept"]) == (2, 1, 0.5)
    assert main["held_out_max_ks_distance"] == overall["ks_distance"] == 0.5
    both = on_all_rows(seen, found)
    assert both["on_rows"].tolist() == ["compressed"] * 5 + ["held_out"] * 5
    assert on_all_rows(seen, None)["on_rows"].tolist() == ["compressed"] * 5


def test_a_column_that_is_constant_on_the_training_rows_has_no_error_on_others():
    other = column_errors(AFTER, BEFORE, NAMES, DTYPES)
    found = held_out_errors(column_errors(BEFORE, BEFORE, NAMES, DTYPES), other).set_index("column")
    names = ["rms_over_range", "max_over_range", "nrmse", "explained_variance", "wasserstein_over_deviation"]
    assert found.loc["zero", names].isna().all() and found.loc["zero", "rms_residual"] > 0


@given(hnp.arrays(np.float64, (9, 2), elements=st.floats(-1e6, 1e6)))
def test_the_trivial_codec_reconstructs_column_means(data):
    means = np.broadcast_to(data.mean(axis=0), data.shape).copy()
    found = column_errors(data, means, ("a", "b"), ("float64", "float64"))
    varying = found[found["range"] > max(1e-6 * np.abs(data).max(), 1e-300)]  # without subnormal numbers
    np.testing.assert_allclose(varying["nrmse"], 1, rtol=1e-6)
    np.testing.assert_allclose(varying["explained_variance"], 0, atol=1e-6)
    measures = ["rms_over_range", "max_over_range", "ks_distance", "relative_error_median", "relative_error_p99"]
    for name in (*measures, "wasserstein_over_deviation"):
        np.testing.assert_allclose(varying[name], varying[f"trivial_{name}"], rtol=1e-6)


def test_the_trivial_codec_keeps_what_equals_the_mean():
    data = np.array([[0.0, 2], [0.0, 2], [-1.0, 1], [1.0, 3]])
    found = column_errors(data, data, ("a", "b"), ("float64", "int32")).set_index("column")
    counts = np.array([[0.0], [0.0], [0.0], [1.0]])
    assert column_errors(counts, counts, ("n",), ("int64",)).loc[0, "trivial_integers_kept"] == 0.75
    assert found.loc["a", "trivial_zeros_kept"] == 1 and np.isnan(found.loc["b", "trivial_zeros_kept"])
    assert found.loc["b", "trivial_integers_kept"] == 0.5 and np.isnan(found.loc["a", "trivial_integers_kept"])
    assert found.loc["all", ["trivial_zeros_kept", "trivial_integers_kept"]].tolist() == [1, 0.5]
    others = held_out_errors(found.reset_index(), found.reset_index()).set_index("column")
    assert others.loc["all", [name for name in others if name.startswith("trivial_")]].isna().all()


@given(SAMPLES.flatmap(lambda a: st.tuples(st.just(a), hnp.arrays(np.float64, len(a), elements=st.floats(-1e6, 1e6)))))
def test_the_distances_of_distributions_are_scipys(samples):
    before, after = (sample.reshape(-1, 1) for sample in samples)
    found = column_errors(before, after, ("a",), ("float64",)).iloc[0]
    assert found["ks_distance"] == pytest.approx(ks_2samp(*samples, method="asymp").statistic, abs=1e-12)
    if found["standard_deviation"] > 0:
        expected = wasserstein_distance(*samples) / found["standard_deviation"]
        assert found["wasserstein_over_deviation"] == pytest.approx(expected, rel=1e-9)


def test_a_shift_leaves_the_explained_variance_but_not_the_nrmse():
    found = column_errors(BEFORE[:, :1], BEFORE[:, :1] + 10, ("a",), ("float64",)).iloc[0]
    assert found["explained_variance"] == pytest.approx(1) and found["nrmse"] > 1


def test_the_summary_names_the_primary_error_and_the_worst_column(errors):
    main = summary(errors.reset_index())
    assert main["mean_rms_over_range"] == errors.loc["all", "rms_over_range"]
    assert (main["columns"], main["constant_columns"], main["worst_column"]) == (4, 2, "pt")


def test_a_table_of_constants_has_a_null_error():
    table = np.ones((3, 2))
    main = summary(column_errors(table, table, ("a", "b"), ("float64", "float64")))
    assert main["mean_rms_over_range"] is None and main["worst_column"] is None


@given(hnp.arrays(np.float64, (9, 2), elements=st.floats(-1e6, 1e6)), st.floats(-100, 100))
def test_errors_over_range_do_not_depend_on_the_unit(data, shift):
    after = data + shift
    plain = column_errors(data, after, ("a", "b"), ("float64", "float64"))
    scaled = column_errors(data * 1024, after * 1024, ("a", "b"), ("float64", "float64"))
    for column in ("rms_over_range", "max_over_range", "relative_error_rms", "ks_distance"):
        np.testing.assert_allclose(plain[column], scaled[column], rtol=1e-12)
    assert (plain["rms_over_range"].dropna() <= plain["max_over_range"].dropna() * (1 + 1e-12)).all()


def test_huge_and_tiny_values_neither_overflow_nor_vanish():
    data = np.array([[1e-200, 1e200], [2e-200, 2e200]])
    frame = column_errors(data, data * 1.5, ("a", "b"), ("float64", "float64"))
    np.testing.assert_allclose(frame["rms_over_range"], math.sqrt(0.625), rtol=1e-12)


def test_values_that_overflow_are_null_and_not_infinite():
    data = np.array([[5e-324, 1.0], [1.0, 2.0]])
    frame = column_errors(data, data + 1.0, ("a", "b"), ("float64", "float64")).set_index("column")
    assert np.isnan(frame.loc["a", "relative_error_mean"]) and np.isnan(frame.loc["all", "relative_error_rms"])
    assert frame.loc["b", "relative_error_mean"] == 0.75
    assert frame.loc["b", "relative_error_median"] == 1.0 and np.isnan(frame.loc["a", "relative_error_p99"])
    assert summary(frame.reset_index())["relative_error_mean"] is None


def test_a_mean_over_the_columns_does_not_skip_one_that_overflows():
    data = np.array([[1e-310, 1.0, 0.0], [2e-310, 2.0, 0.0]])
    main = summary(column_errors(data, data + np.array([1.0, 0.0, 0.0]), ("a", "b", "zero"), ("float64",) * 3))
    assert main["mean_relative_error_p99"] is main["mean_nrmse"] is main["max_over_range"] is None
    assert main["trivial_mean_relative_error_p99"] == pytest.approx((0.5 + 0.5) / 2)
    assert not any(Goal(0.5, measure).holds(main) for measure in MEASURES)


def test_a_held_out_mean_does_not_skip_a_column_that_overflows():
    data = np.array([[1e-310, 1.0, 0.0], [2e-310, 2.0, 0.0]])
    about = ("a", "b", "zero"), ("float64",) * 3
    errors = column_errors(data, data, *about)
    held_out = held_out_errors(errors, column_errors(data, data + np.array([1.0, 0.0, 0.0]), *about))
    overall = held_out[held_out["column"] == "all"].iloc[0]
    assert np.isnan(overall["relative_error_p99"]) and np.isnan(overall["relative_error_rms"])
    assert held_out["zeros_kept"].iloc[2] == 1, "without values other than 0, a relative error is not infinite"


def test_ratios_with_and_without_the_model():
    found = ratios({"float64": 1000, "source": None}, 100, 400)
    assert found == {
        "ratio_float64_bytes": 10,
        "ratio_float64_bytes_with_model": 2,
        "ratio_source_bytes": None,
        "ratio_source_bytes_with_model": None,
    }


COLUMNS = st.sampled_from(["float64", "int32"]).flatmap(
    lambda dtype: st.tuples(
        st.just(dtype),
        hnp.arrays(
            np.float64,
            (50, 1),
            elements=st.integers(-5, 10**6).map(float) if dtype == "int32" else st.floats(-1e9, 1e9),
        ),
    )
)


@given(COLUMNS, st.floats(-1e5, 1e5))
@example(("float64", np.zeros((50, 1))), 5e-324)  # fewer numbers than bins
@example(("float64", np.repeat([[1.0], [np.nextafter(1.0, 2.0)]], 25, axis=0)), 0.5)
def test_histograms_lose_nothing_and_stay_small(column, shift):
    dtype, before = column
    frame = histograms(before, before + shift, ("a",), (dtype,))
    assert frame.groupby("kind")["count"].sum().to_dict() == {"original": 50, "reconstructed": 50, "residual": 50}
    assert len(frame) <= 3 * (BINS + 3)
    assert (frame["high"] > frame["low"]).all() and np.isfinite(frame[["low", "high"]]).all(axis=None)
    bins = {kind: list(zip(part["low"], part["high"], strict=True)) for kind, part in frame.groupby("kind")}
    assert bins["original"] == bins["reconstructed"]
    for part in bins.values():
        assert all(a[1] == b[0] for a, b in pairwise(part))


def test_a_heavy_tail_gets_logarithmic_bins():
    rng = np.random.default_rng(0)
    tail = rng.pareto(1.0, (5000, 1)) * (rng.random((5000, 1)) < 0.8)
    frame = histograms(tail, tail, ("a",), ("float64",))
    inner = frame[frame["kind"] == "original"].iloc[2:-1]
    np.testing.assert_allclose((inner["high"] / inner["low"]).std(), 0, atol=1e-9)
    flat = histograms(rng.random((500, 1)), rng.random((500, 1)), ("a",), ("float64",))
    widths = (flat["high"] - flat["low"])[flat["kind"] == "original"].iloc[1:-1]
    assert widths.std() < 1e-12


def test_small_integers_get_a_bin_each():
    values = np.array([[0.0], [1], [1], [3]])
    frame = histograms(values, values, ("n",), ("int32",))
    original = frame[frame["kind"] == "original"]
    assert original["count"].tolist() == [1, 2, 0, 1]
    assert original["low"].tolist() == [-0.5, 0.5, 1.5, 2.5]


@pytest.mark.parametrize("function", [column_errors, histograms])
def test_tables_that_do_not_match_are_refused(function):
    with pytest.raises(InputError, match="not the same table"):
        function(BEFORE, AFTER[:2], NAMES, DTYPES)
    with pytest.raises(InputError, match="not the same table"):
        function(BEFORE[:0], AFTER[:0], NAMES, DTYPES)
    broken = AFTER.copy()
    broken[1, 1] = np.nan
    with pytest.raises(InputError, match=r"'n', row 1"):
        function(BEFORE, broken, NAMES, DTYPES)


def test_only_a_constant_explains_nothing():
    """The report takes a column with an explained variance of 0, up to rounding, for a constant."""
    rng = np.random.default_rng(3)
    before = np.column_stack([rng.normal(1e6, 1, 500), rng.exponential(1, 500), rng.integers(0, 3, 500)])
    names, dtypes = ("far", "tail", "n"), ("float64", "float32", "int32")
    constant = np.broadcast_to([1e6 + 3, 0.0, 1.0], before.shape)
    slight = before.mean(axis=0) + 0.01 * (before - before.mean(axis=0))
    for after, is_constant in ((constant, True), (slight, False)):
        explained = column_errors(before, after, names, dtypes).set_index("column")["explained_variance"]
        assert ((explained.abs() <= 1e-6) == is_constant).all(), explained
