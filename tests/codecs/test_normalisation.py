"""Min-max scaling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from baler_energy.codecs.normalisation import Normalisation
from baler_energy.errors import InputError

TABLES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
    elements=st.floats(-1e12, 1e12, allow_subnormal=False),
)


def _of(data):
    return Normalisation.of(data, [f"c{n}" for n in range(data.shape[1])])


@given(TABLES)
def test_training_rows_are_in_the_unit_interval_and_come_back(data):
    normalisation = _of(data)
    scaled = normalisation.normalise(data)
    assert scaled.min() >= 0 and scaled.max() <= 1
    spread = data.max(axis=0) - data.min(axis=0)
    tolerance = 4 * np.finfo(float).eps * (np.abs(data).max(axis=0) + spread)
    assert (np.abs(normalisation.restore(scaled) - data) <= tolerance).all()


@given(st.floats(-1e300, 1e300), st.floats(-10, 10))
def test_a_constant_column_becomes_zero_and_comes_back_exactly(value, decoded):
    normalisation = _of(np.full((3, 1), value))
    assert normalisation.constant.tolist() == [True]
    assert (normalisation.normalise(np.full((3, 1), value)) == 0).all()
    assert (normalisation.restore(np.full((3, 1), decoded)) == value).all()
    assert (normalisation.normalise(np.full((3, 1), decoded)) == 0).all()


def test_other_rows_are_scaled_with_the_training_features():
    normalisation = _of(np.array([[0.0], [10.0]]))
    assert normalisation.normalise(np.array([[20.0], [-5.0]])).tolist() == [[2.0], [-0.5]]


def test_the_bits_are_balers():
    data = np.random.default_rng(0).lognormal(size=(50, 3))
    expected = np.stack([(c - c.min()) / (c.max() - c.min()) for c in data.T], axis=1)
    assert np.array_equal(_of(data).normalise(data), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_by_column(bad):
    data = np.ones((4, 3))
    data[2, 1] = bad
    with pytest.raises(InputError, match="'c1'"):
        _of(data)


def test_a_range_that_overflows_is_refused():
    with pytest.raises(InputError, match="'c0'"):
        _of(np.array([[-1e308], [1e308]]))


@pytest.mark.parametrize(
    "features",
    [
        np.zeros((3, 2)),
        np.zeros(4),
        np.zeros((2, 2), np.float32),
        np.array([[0.0], [-1.0]]),
        np.array([[np.nan], [1.0]]),
    ],
)
def test_wrong_features_are_refused(features):
    with pytest.raises(InputError):
        Normalisation(features)
