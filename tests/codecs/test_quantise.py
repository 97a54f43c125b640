"""Uniform quantisation: its bound, and what stays exact."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from baler_energy.codecs.coders.quantise import Quantise
from baler_energy.codecs.packing import Packing
from baler_energy.errors import InputError

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
BOUNDS = st.sampled_from([1e-7, 1e-4, 0.01, 0.3, 1.0, 2.0])


@st.composite
def columns(draw, dtypes):
    """Make a column of any values, including huge, tiny and equal ones."""
    dtype = draw(st.sampled_from(dtypes))
    elements = (
        st.floats(allow_nan=False, allow_infinity=False, width=8 * np.dtype(dtype).itemsize)
        if np.dtype(dtype).kind == "f"
        else st.integers(*(int(getattr(np.iinfo(dtype), name)) for name in ("min", "max")))
    )
    few = st.one_of(elements, st.sampled_from([0, 1, 2, 3, 100]))
    return draw(hnp.arrays(dtype, st.integers(1, 30), elements=few))


def rounded(values: np.ndarray, bound: float) -> tuple[np.ndarray, float]:
    """Round a column by its own range, and check that the stored integers give the same values."""
    quantise = Quantise(bound)
    (back,), steps, packed = Packing(quantise).reduced((values,))
    assert packed is None
    step = float(steps[0])
    codes = quantise.codes_of(back, step)
    assert codes.dtype == quantise.code_type(values.dtype.name)
    assert quantise.values_of(codes, values.dtype.name, step).tobytes() == back.tobytes()
    assert back.dtype == values.dtype and back.shape == values.shape
    return back, step


@given(columns(FLOATS), BOUNDS)
def test_every_float_is_within_the_bound_with_its_own_rounding(values, bound):
    back, _ = rounded(values, bound)
    exact = [abs(float(a) - float(b)) for a, b in zip(values, back, strict=True)]
    with np.errstate(over="ignore"):
        assert max(exact) <= bound * (float(values.max()) - float(values.min()))
    assert np.isfinite(back).all()
    assert (back[values == 0] == 0).all(), "zeros stay zeros"


@given(columns(INTEGERS), BOUNDS)
def test_integers_stay_integers_within_the_bound_and_are_exact_below_one(values, bound):
    back, step = rounded(values, bound)
    errors = [abs(int(a) - int(b)) for a, b in zip(values, back, strict=True)]
    spread = int(values.max()) - int(values.min())
    assert max(errors) <= bound * float(spread)
    assert step >= 1 and step == int(step)
    if bound * spread < 1:
        assert np.array_equal(values, back)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_column_that_is_not_finite_or_has_too_fine_a_bound_is_stored_unchanged(dtype, odd):
    values = np.array([1.0, odd, -0.0], dtype)
    assert rounded(values, 0.1)[0].tobytes() == values.tobytes()
    fine = np.array([1000.0, 1001.0], dtype)
    back, step = rounded(fine, 1e-20)
    assert step == 0 and back.tobytes() == fine.tobytes()


def test_flags_come_back():
    flags = np.array([True, False, True])
    assert np.array_equal(rounded(flags, 0.5)[0], flags)


def test_a_coarser_step_needs_fewer_integers():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    used = [len(np.unique(rounded(values, bound)[0])) for bound in (0.001, 0.01, 0.1)]
    assert used[0] > used[1] > used[2] >= 5


@pytest.mark.parametrize("word", ["quantise", "quantise-0", "quantise-x", "quantise--1", "quantise-inf"])
def test_a_wrong_bound_is_one_message(word):
    with pytest.raises(InputError, match=f"'{word}' is not supported; use none, or some of these"):
        Packing.parse(word)
    with pytest.raises(InputError, match="cannot be combined with the words before it"):
        Packing.parse("quantise-0.1+float32")
