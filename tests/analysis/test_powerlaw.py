"""Power laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from baler_energy.analysis.powerlaw import fit_power_law


@given(
    st.lists(st.floats(1, 1e7), min_size=2, max_size=20, unique=True),
    st.floats(-3, 3),
    st.floats(1e-9, 1e9),
)
def test_an_exact_law_is_recovered(x, exponent, coefficient):
    sizes = np.array(x)
    if np.ptp(np.log(sizes)) < 0.1:
        return
    law = fit_power_law(sizes, coefficient * sizes**exponent)
    assert law is not None
    assert law.exponent == pytest.approx(exponent, abs=1e-6)
    assert law(sizes) == pytest.approx(coefficient * sizes**exponent, rel=1e-6)
    assert math.isnan(law.exponent_half_width) == (len(x) == 2)


@given(st.lists(st.floats(-0.5, 0.5), min_size=8, max_size=8))
def test_the_interval_is_that_of_linear_regression(noise):
    x = np.array([1, 2, 4, 8, 16, 32, 64, 128.0])
    y = 3 * x**0.7 * np.exp(noise)
    law, (known, covariance) = fit_power_law(x, y), np.polyfit(np.log(x), np.log(y), 1, cov=True)
    assert law is not None and law.exponent == pytest.approx(known[0], abs=1e-12)
    # SciPy takes its error from 1 - r², which rounding leaves at 1e-16 if there is hardly any noise.
    assert law.exponent_half_width == pytest.approx(stats.t.ppf(0.975, 6) * covariance[0, 0] ** 0.5, abs=1e-6)


def test_equal_values_have_an_exponent_of_exactly_0():
    law = fit_power_law([1.0, 2.0, 4.0], [5.0, 5.0, 5.0])
    assert law is not None and (law.exponent, law.exponent_half_width) == (0, 0)
    assert law.coefficient == pytest.approx(5.0)


@pytest.mark.parametrize("x", [[], [5.0], [5.0, 5.0]])
def test_one_size_gives_no_law(x):
    assert fit_power_law(x, [1.0] * len(x)) is None
