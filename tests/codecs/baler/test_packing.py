"""How latents are stored, as a word of the axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baler_energy.codecs.baler.packing import Packing, pack, unpack
from baler_energy.errors import InputError


@pytest.mark.parametrize(
    ("text", "packing"),
    [
        ("none", Packing()),
        ("float16", Packing(number_format="float16")),
        ("float32-12+zstd", Packing(number_format="float32", mantissa_bits=12, zstd_level=3)),
        ("zstd-19+bound-0.01", Packing(zstd_level=19, error_bound=0.01)),
        ("bound-1e-3", Packing(error_bound=1e-3)),
    ],
)
def test_words_are_read(text, packing):
    assert Packing.parse(text) == packing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "zip",
        "float32-0",
        "float32-23",
        "float64-12",
        "zstd-0",
        "zstd-23",
        "bound-0",
        "bound--1",
        "bound-inf",
        "zstd+",
        "none+zstd",
        "zstd+zstd-3",
        "float16+float32",
    ],
)
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match=r"packing .*: give none, or|packing .*; give none, or"):
        Packing.parse(text)


NUMBERS = st.sampled_from(["float64", "float32", "float16", "int32", "int16", "uint8"])


@given(st.data())
def test_packed_arrays_come_back_bit_by_bit(data):
    dtype = np.dtype(data.draw(NUMBERS))
    values = data.draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=20)))
    back = unpack(pack(values, data.draw(st.integers(1, 22))), dtype.name, values.shape)
    assert back.dtype == dtype and back.shape == values.shape and back.tobytes() == values.tobytes()


def test_the_shuffle_packs_numbers_of_like_size_better():
    import pyarrow as pa

    values = np.random.default_rng(1).normal(100, 1, 10_000)
    plain = pa.Codec("zstd", compression_level=3).compress(values.tobytes(), asbytes=True)
    assert len(pack(values)) < 0.95 * len(plain)


FLOATS = arrays.arrays(np.float32, 30, elements=st.floats(-(2.0**100), 2.0**100, width=32))


@given(FLOATS, st.integers(1, 22))
def test_fewer_bits_of_mantissa_are_the_nearest_number_with_so_many(values, bits):
    reduced = Packing(number_format="float32", mantissa_bits=bits).reduce(values)
    assert reduced.dtype == np.float32
    # The bits that are dropped are zero, and the step to the next such number is at most 2^-bits of the value.
    assert not (reduced.view(np.uint32) & np.uint32((1 << (23 - bits)) - 1)).any()
    normal = np.abs(values) > np.finfo(np.float32).tiny
    error = np.abs(reduced.astype(float) - values)[normal]
    assert (error <= np.abs(values.astype(float))[normal] * 2.0 ** -(bits + 1)).all()


@given(arrays.arrays(np.float64, 20, elements=st.floats(-6e4, 6e4)), st.sampled_from(["float32", "float16", "float64"]))
def test_a_number_format_is_a_cast(values, name):
    assert np.array_equal(Packing(number_format=name).reduce(values), values.astype(name))
    assert Packing().reduce(values) is values


@pytest.mark.parametrize(
    ("packing", "value"), [("float16", 7e4), ("float32", 1e39), ("float32-4", 3.4e38), ("float16", float("nan"))]
)
def test_a_latent_beyond_the_number_format_is_refused(packing, value):
    with pytest.raises(InputError, match=r"beyond float(16|32)"):
        Packing.parse(packing).reduce(np.array([1.0, value]))
