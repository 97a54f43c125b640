"""A bound on every value's error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baler_energy.codecs.corrections import NOISE, Bound
from baler_energy.codecs.normalisation import Normalisation

DTYPES = ("float64", "float32", "float16", "int32", "uint8", "bool")
TYPES = st.lists(st.sampled_from(DTYPES), min_size=1, max_size=5)
ORDINARY = st.floats(-1e6, 1e6)
ANY = st.floats(width=64)


@st.composite
def _cases(draw, values=ORDINARY):
    """Original and decoded values, features of a training, types of the columns."""
    dtypes = tuple(draw(TYPES))
    shape = (draw(st.integers(0, 12)), len(dtypes))
    original = draw(arrays.arrays(np.float64, shape, elements=values))
    decoded = draw(arrays.arrays(np.float64, shape, elements=ORDINARY))
    close = draw(st.booleans())
    spread = draw(arrays.arrays(np.float64, len(dtypes), elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e6))))
    features = Normalisation(np.stack([np.zeros(len(dtypes)), spread]))
    if close:
        decoded = np.nan_to_num(original, nan=0, posinf=0, neginf=0) + decoded * 1e-6 * spread
    return original, decoded, features, dtypes


def _worst(original, restored, features, bound):
    """Largest excess over the bound; values that are not finite must come back unchanged."""
    with np.errstate(invalid="ignore"):
        excess = np.abs(restored - original) - bound * features.features[1]
    same = (restored == original) | (np.isnan(restored) & np.isnan(original))
    return np.where(same, 0.0, excess).max(initial=0.0)


@settings(max_examples=400)
@given(
    _cases(st.one_of(ORDINARY, ANY)),
    st.sampled_from([1e-6, 1e-3, 0.02, 0.5, 3.0]),
    st.sampled_from(["float64", "float32"]),
    st.integers(-1, 1),
)
def test_every_value_is_within_the_bound_however_it_is_decoded(case, error_bound, precision, side):
    original, decoded, features, dtypes = case
    bound = Bound(error_bound, features, dtypes, precision)
    corrections = bound.corrections(original, decoded.copy())
    # Near the largest float64 the noise is infinite: these values are stored exactly.
    restored = decoded + side * np.nan_to_num(bound.noise(decoded), posinf=0.0)
    bound.restore(restored, corrections)
    # The bound is exact, except for rounding in this test's own subtraction.
    digits = 4 * np.finfo(np.float64).eps * (np.abs(np.nan_to_num(original, posinf=0, neginf=0)).max(initial=0) + 1)
    assert _worst(original, restored, features, error_bound) <= digits


@given(_cases())
def test_a_value_within_the_bound_needs_no_correction(case):
    _, decoded, features, dtypes = case
    original = decoded + 0.3 * 0.01 * features.features[1]
    bound = Bound(0.01, features, ("float64",) * len(dtypes), "float64")
    corrections = bound.corrections(original, decoded)
    varying = features.features[1] > 0
    assert not corrections.steps[
        :, varying & (0.001 * features.features[1] > 1e-9 * np.abs(decoded).max(initial=1))
    ].any()


def test_values_come_back_in_their_columns_types():
    features = Normalisation(np.array([[0.0, 0.0], [10.0, 10.0]]))
    bound = Bound(0.2, features, ("int32", "float32"), "float64")
    original, decoded = np.array([[3.0, 0.1], [9.0, 7.0]]), np.array([[7.7, 8.0], [-3.0, 0.2]])
    restored = decoded.copy()
    bound.restore(restored, bound.corrections(original, decoded))
    assert np.abs(restored - original).max() <= 2.0
    assert np.array_equal(restored[:, 0], np.rint(restored[:, 0]))
    assert np.array_equal(restored[:, 1], restored[:, 1].astype(np.float32))


def test_a_column_that_was_constant_in_training_comes_back_exactly():
    bound = Bound(0.1, Normalisation(np.array([[5.0], [0.0]])), ("float64",), "float64")
    original, decoded = np.array([[5.0], [6.5]]), np.array([[5.0], [5.0]])
    corrections = bound.corrections(original, decoded)
    assert corrections.exact.tolist() == [6.5]
    bound.restore(decoded, corrections)
    assert np.array_equal(decoded, original)


@pytest.mark.parametrize("error_bound", [1e-5, 1e-4])
def test_a_bound_as_small_as_the_noise_still_holds(error_bound):
    rng = np.random.default_rng(3)
    features = Normalisation(np.array([[0.0], [1.0]]))
    bound = Bound(error_bound, features, ("float64",), "float32")
    original = rng.random((1000, 1))
    decoded = original + rng.normal(0, 0.01, (1000, 1))
    corrections = bound.corrections(original, decoded)
    restored = decoded + rng.uniform(-1, 1, (1000, 1)) * NOISE["float32"]
    bound.restore(restored, corrections)
    assert np.abs(restored - original).max() <= error_bound
