"""Factors between groups of runs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from baler_energy.analysis.comparison import paired_ratio, ratio_of_means

GROUPS = st.lists(st.floats(0.1, 10), min_size=2, max_size=6)


@given(GROUPS, GROUPS, st.floats(0.01, 100))
def test_a_ratio_of_means_has_no_unit_and_can_be_inverted(values: list[float], base: list[float], unit: float) -> None:
    found = ratio_of_means(values, base)
    assert found.value == pytest.approx(np.mean(values) / np.mean(base))
    assert found.low <= found.value <= found.high
    scaled = ratio_of_means([unit * value for value in values], [unit * value for value in base])
    assert (scaled.low, scaled.high) == pytest.approx((found.low, found.high), rel=1e-6)
    turned = ratio_of_means(base, values)
    assert (1 / turned.high, 1 / turned.low) == pytest.approx((found.low, found.high), rel=1e-6)


def test_the_interval_of_a_ratio_of_means_by_hand() -> None:
    found = ratio_of_means([1.9, 2.0, 2.1], [0.9, 1.0, 1.1])
    variances = (0.01 / (3 * 4), 0.01 / 3)
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 2 + variances[1] ** 2 / 2)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(variances))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 * math.exp(-half), 2 * math.exp(half)))


def test_the_interval_of_a_ratio_of_means_has_its_nominal_coverage() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        found = ratio_of_means(list(random.normal(3, 0.15, 4)), list(random.normal(2, 0.04, 4)))
        hits += found.low <= 1.5 <= found.high
    assert 0.92 < hits / 400 < 0.98


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=2, max_size=6))
def test_common_factors_of_pairs_cancel(pairs: list[tuple[float, float]]) -> None:
    shared, factors = zip(*pairs, strict=True)
    same = paired_ratio([1.25 * value for value in shared], shared)
    assert (same.value, same.low, same.high) == pytest.approx((1.25, 1.25, 1.25))
    found = paired_ratio([a * b for a, b in pairs], shared)
    assert found.value == pytest.approx(stats.gmean(factors)) and found.low <= found.value <= found.high


def test_single_runs_have_a_factor_and_no_interval() -> None:
    for ratio in (ratio_of_means, paired_ratio):
        single = ratio([3.0], [2.0])
        assert single.value == pytest.approx(1.5) and math.isnan(single.low) and math.isnan(single.high)
        assert math.isnan(ratio([], []).value)
    assert ratio_of_means([2.0, 2.0], [1.0, 1.0]).low == pytest.approx(2.0)
