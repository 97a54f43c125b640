"""Rounding to native types."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.codecs.native import bounds, round_to_native
from baler_energy.formats.base import native

TYPES = ("int8", "uint8", "int16", "int32", "int64", "uint64", "bool", "float16", "float32", "float64")


@given(st.sampled_from(TYPES), st.floats(-1e30, 1e30))
def test_the_result_is_a_value_of_the_type(dtype, value):
    data = np.array([[value]])
    round_to_native(data, [dtype])
    assert np.array_equal(native("x", data[:, 0], dtype).astype(np.float64), data[:, 0])


@given(st.floats(-30000, 30000))
def test_integers_are_rounded_not_truncated(value):
    data = np.array([[value]])
    round_to_native(data, ["int32"])
    assert abs(data[0, 0] - value) <= 0.5


def test_columns_keep_their_places():
    data = np.array([[1.6, 0.1, 300.2, 2.4, 0.1]])
    round_to_native(data, ["int32", "float32", "uint8", "int32", "float64"])
    assert data.tolist() == [[2.0, float(np.float32(0.1)), 255.0, 2.0, 0.1]]


@pytest.mark.parametrize("dtype", TYPES)
def test_bounds_can_be_cast(dtype):
    low, high = bounds(dtype)
    with np.errstate(all="raise"):
        assert [float(v) for v in np.array([low, high]).astype(dtype)] == [low, high]
