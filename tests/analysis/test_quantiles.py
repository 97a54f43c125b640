"""Quantiles and probabilities are those of `scipy.stats`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from baler_energy.analysis.quantiles import chi_squared_quantile, t_quantile, two_sided_power

FREEDOM = st.integers(1, 10_000)


@given(FREEDOM, st.floats(0.001, 0.999))
def test_quantiles_are_those_of_the_distributions(freedom, probability):
    assert t_quantile(freedom, probability) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-12, abs=1e-12)
    assert chi_squared_quantile(freedom, probability) == pytest.approx(stats.chi2.ppf(probability, freedom), rel=1e-12)


def test_arrays_and_missing_values():
    np.testing.assert_array_equal(t_quantile(np.array([1.0, np.nan])), [stats.t.ppf(0.975, 1), np.nan])


@given(FREEDOM, st.floats(0, 30), st.sampled_from([0.01, 0.05]))
def test_the_power_is_that_of_the_noncentral_distribution(freedom, noncentrality, alpha):
    limit = stats.t.ppf(1 - alpha / 2, freedom)
    tails = [stats.nct.sf(limit, freedom, noncentrality), stats.nct.cdf(-limit, freedom, noncentrality)]
    # The lower tail is NaN if it is far below double precision.
    assert two_sided_power(freedom, noncentrality, alpha) == pytest.approx(np.nansum(tails), abs=1e-9)
