"""Error-bounded coders: their bound, what stays exact, and what they fall back to."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from baler_energy.codecs.coders.base import Word
from baler_energy.codecs.coders.bounded import BoundedCoder
from baler_energy.codecs.coders.sz2 import Sz2
from baler_energy.codecs.coders.sz3 import Sz3
from baler_energy.codecs.coders.zfp import Zfp
from baler_energy.codecs.packing import Packing

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
BOUNDS = st.sampled_from([1e-7, 1e-4, 0.01, 0.3, 1.0, 2.0])
WORDS = ("sz2", "sz3", "sz3-interp", "zfp")


def coder(word: str, bound: float = 0.01) -> BoundedCoder:
    name, hyphen, algorithm = word.partition("-")
    packing = Packing.parse(f"{name}-{bound!r}{hyphen}{algorithm}")
    if reason := packing.missing():
        pytest.skip(reason)
    assert isinstance(packing.coder, BoundedCoder)
    return packing.coder


@st.composite
def columns(draw, dtypes):
    """Make a column of any values, also of huge, tiny and alike ones."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    if dtype.kind == "f":
        elements = st.floats(allow_nan=False, allow_infinity=False, width=8 * dtype.itemsize)
    elif dtype.kind == "b":
        elements = st.booleans()
    else:
        elements = st.integers(*(int(getattr(np.iinfo(dtype), name)) for name in ("min", "max")))
    few = elements if dtype.kind == "b" else st.one_of(elements, st.sampled_from([0, 1, 2, 3, 100]))
    return draw(hnp.arrays(dtype, st.integers(1, 60), elements=few))


def there_and_back(one: BoundedCoder, values: np.ndarray, ranges: list[float] | None = None) -> np.ndarray:
    """Round an array, and check that what is packed of it gives the same."""
    (back,), packed = one.rounded((values,), ranges)
    assert one.decode(packed, values.dtype.name, values.shape).tobytes() == back.tobytes()
    assert back.dtype == values.dtype and back.shape == values.shape
    return back


@pytest.mark.parametrize("word", WORDS)
@given(values=columns(FLOATS), bound=BOUNDS)
def test_every_float_is_within_the_bound_with_its_own_rounding(word, values, bound):
    back = there_and_back(coder(word, bound), values)
    errors = [abs(float(a) - float(b)) for a, b in zip(values, back, strict=True)]
    assert max(errors) <= bound * (float(values.max()) - float(values.min()))
    assert np.isfinite(back).all()


@pytest.mark.parametrize("word", WORDS)
@given(values=columns(INTEGERS), bound=BOUNDS)
def test_integers_stay_integers_within_the_bound_and_are_exact_below_one(word, values, bound):
    back = there_and_back(coder(word, bound), values)
    errors = [abs(int(a) - int(b)) for a, b in zip(values, back, strict=True)]
    spread = int(values.max()) - int(values.min())
    assert max(errors) <= bound * float(spread)
    if bound * spread < 1:
        assert np.array_equal(values, back)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_column_that_is_not_finite_or_finer_than_its_bound_comes_back_to_the_bit(word, dtype, odd):
    values = np.array([1.0, odd, -0.0], dtype)
    assert there_and_back(coder(word, 0.1), values).tobytes() == values.tobytes()
    signalling = np.array([0x7FA00001, 0x3F800000], np.uint32).view(np.float32)
    assert there_and_back(coder(word, 0.1), signalling).tobytes() == signalling.tobytes()
    fine = np.array([1000.0, 1001.0], dtype)
    assert there_and_back(coder(word, 1e-20), fine).tobytes() == fine.tobytes()


@given(columns((*FLOATS, *INTEGERS)), BOUNDS)
def test_zeros_stay_zeros_without_prediction(values, bound):
    values[::2] = 0
    assert (there_and_back(coder("sz3", bound), values)[values == 0] == 0).all()


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("rows", [1, 19, 20, 21, 5000])
@pytest.mark.parametrize("largest", [1e-310, 1e-300, 1.0, 1e300])
def test_short_columns_and_tiny_and_huge_values_are_within_the_bound(word, rows, largest):
    values = np.random.default_rng(2).uniform(-largest, largest, rows)
    back = there_and_back(coder(word, 0.1), values)
    assert np.isfinite(back).all()
    assert np.abs(back / largest - values / largest).max() <= 0.1 * np.ptp(values / largest)


@pytest.mark.parametrize("word", WORDS)
def test_threads_pack_and_unpack_at_the_same_time(word):
    columns = [np.random.default_rng(seed).normal(size=3000).astype(np.float32) for seed in range(20)]
    one = [there_and_back(coder(word), values) for values in columns]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(lambda values: there_and_back(coder(word), values), columns)), one)


@pytest.mark.parametrize("word", WORDS)
def test_columns_and_latents_are_packed_alike_by_the_ranges_that_are_given(word):
    latents = np.random.default_rng(1).normal(size=(500, 3))
    spread = [1.0, 10.0, 100.0]
    back = there_and_back(coder(word), latents, spread)
    columns = coder(word).rounded(tuple(np.ascontiguousarray(latents.T)), spread)[0]
    assert np.array_equal(np.stack(columns, axis=1), back)
    assert (np.abs(back - latents).max(axis=0) <= 0.01 * np.array(spread)).all()
    assert np.abs(back - latents).max() > 0.1, "the range that is given counts, not the column's own"
    for shape in ((0,), (0, 2), (4, 0)):
        there_and_back(coder(word), np.empty(shape, np.float32))


@pytest.mark.parametrize("word", WORDS)
def test_a_coarser_bound_packs_smaller(word):
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    sizes = [len(coder(word, bound).encode(values)) for bound in (1e-5, 0.001, 0.01, 0.1)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 2 * sizes[-1]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("dtype", "kind"), [("int16", b"f"), ("int64", b"f"), ("float64", b"d"), ("float16", b"f")])
def test_a_column_is_packed_as_floats_even_where_it_comes_back_exactly(word, dtype, kind):
    values = np.random.default_rng(0).poisson(3, 500).astype(dtype)
    size_b, checksum_b = 4, 4
    assert coder(word).encode(values)[size_b + checksum_b :][:1] == kind


@pytest.mark.parametrize(("word", "kind"), [("sz2", Sz2), ("sz3", Sz3), ("zfp", Zfp)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_a_column_that_breaks_its_bound_is_stored_as_it_is(word, kind, dtype, monkeypatch):
    values = np.random.default_rng(1).normal(0, 1000, 300).astype(dtype)
    one, unpack = coder(word), kind.unpack
    within = there_and_back(one, values)
    assert not np.array_equal(within, values)

    def off_in_one_value(self, packed, computed, rows):
        back = unpack(self, packed, computed, rows)
        back[17] += 200
        return back

    monkeypatch.setattr(kind, "unpack", off_in_one_value)
    assert there_and_back(one, values).tobytes() == values.tobytes()


@pytest.mark.parametrize("word", WORDS)
@given(data=st.data())
def test_random_damage_never_gives_other_numbers(word, data):
    values = np.random.default_rng(1).normal(size=200).astype(np.float32)
    (back,), packed = coder(word).rounded((values,), None)
    damaged = bytearray(packed)
    place, length = data.draw(st.integers(0, len(damaged) - 1)), data.draw(st.sampled_from([0, 1, 2, len(damaged)]))
    damaged[place : place + length] = data.draw(st.binary(max_size=3))
    try:
        found = coder(word).decode(bytes(damaged), "float32", (200,))
    except ValueError as error:
        assert "damaged" in str(error) or "buffer size" in str(error)
    else:
        assert found.tobytes() == back.tobytes()


@pytest.mark.parametrize("word", WORDS)
def test_packed_columns_of_another_shape_are_refused(word):
    one = coder(word)
    for packed in (one.encode(np.arange(100.0)), one.encode(np.array([np.nan] * 100))):
        for dtype, shape in (("float64", (99,)), ("float64", (101,)), ("float64", (50, 2)), ("float64", (0,))):
            with pytest.raises(ValueError, match=r"damaged|instead of|holds|Dimension must be positive"):
                one.decode(packed, dtype, shape)


def test_what_they_say_of_themselves(monkeypatch):
    coders = (
        ("sz2-0.01", "hdf5plugin", "'baler-energy[sz2]'"),
        ("sz3-0.01", "pysz", "pysz"),
        ("zfp-0.01", "zfpy", "zfpy"),
    )
    for word, package, install in coders:
        packing = Packing.parse(word)
        assert packing.needs_ranges and not packing.lossless and packing.error_bound is None
        assert packing.coder is not None and packing.coder.keeps_bound
        with monkeypatch.context() as patch:
            patch.setattr(Word, "version", classmethod(lambda cls: None))
            assert packing.missing() == f"The package {package} is not installed: `pip install {install}`."
