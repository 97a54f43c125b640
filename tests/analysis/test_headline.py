"""Whether repeats suffice to state a mean, and effects that their spread hides."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.effects import unless_hidden
from baler_energy.analysis.headline import repeats_missing
from baler_energy.analysis.statistics import interval


def missing(*values):
    return repeats_missing(*interval(np.array(values, dtype=float)))


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ((70.6,), 2),
        ((70.0, 70.1), 1),
        ((38.0, 39.0, 40.0), 0),
        ((10.0, 10.0, 10.0), 0),
        # s = 10, t(0.975, 2) = 4.303: 2 x 24.8 J of 100 J is just allowed.
        ((90.0, 100.0, 110.0), 0),
        # s = 11: 2 x 27.3 J is too wide; with four runs 2 x 3.182 x 11 / 2 = 35 J of 100 J.
        ((89.0, 100.0, 111.0), 1),
        # s = 16.97: 2 t / sqrt(m) has to be at most 35.3 / 16.97 = 2.08: 2.10 for six, 1.85 for seven.
        ((58.6, 82.6), 5),
    ],
)
def test_a_mean_needs_three_runs_and_an_interval_not_wider_than_half_of_it(values, number):
    assert missing(*values) == number


@given(st.lists(st.floats(1.0, 1e3), min_size=2, max_size=6))
def test_with_the_missing_repeats_the_interval_is_narrow_enough(values):
    mean, half_width, n = interval(np.array(values))
    m = n + repeats_missing(mean, half_width, n)
    deviation = np.std(values, ddof=1)
    from scipy.stats import t

    assert m >= 3 and 2 * t.ppf(0.975, m - 1) * deviation / math.sqrt(m) <= 0.5 * mean * (1 + 1e-6)


def test_values_too_large_to_be_squared_have_no_mean_and_no_interval():
    mean, half_width, n = interval(np.array([1e308, 1e200, 1.0]))
    assert math.isnan(mean) and math.isnan(half_width) and n == 3


@pytest.mark.parametrize(
    ("effect", "spread", "said"),
    [
        (-22.1, 84.3, "not distinguishable from zero (spread 84 %)"),
        (22.1, 84.3, "not distinguishable from zero (spread 84 %)"),
        (-22.1, 11.0, "text"),
        (0.0, 0.004, "not distinguishable from zero (spread 0.004 %)"),
        (0.0, 0.0, "text"),
        (50.0, 123.4, "not distinguishable from zero (spread 123 %)"),
        (3.0, None, "text"),
        (3.0, math.nan, "text"),
    ],
)
def test_an_effect_below_its_spread_is_not_stated(effect, spread, said):
    assert unless_hidden("text", effect, spread, "%") == said


def test_a_pure_number_has_no_unit():
    assert unless_hidden("text", 0.1, 0.2) == "not distinguishable from zero (spread 0.2)"
