"""How latents are stored, as a word of the axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baler_energy.codecs.coders.base import Coder
from baler_energy.codecs.coders.bound import ErrorBound
from baler_energy.codecs.coders.lz4 import Lz4
from baler_energy.codecs.coders.numbers import NumberFormat
from baler_energy.codecs.coders.pcodec import Pcodec
from baler_energy.codecs.coders.zstd import Zstd
from baler_energy.codecs.packing import Packing
from baler_energy.errors import InputError


@pytest.mark.parametrize(
    ("text", "packing"),
    [
        ("none", Packing()),
        ("float16", Packing(NumberFormat("float16"))),
        ("float32-12+zstd", Packing(NumberFormat("float32", 12), Zstd(3))),
        ("zstd-19+bound-0.01", Packing(coder=Zstd(19), bound=ErrorBound(0.01))),
        ("bound-1e-3", Packing(bound=ErrorBound(1e-3))),
        ("lz4", Packing(coder=Lz4())),
        ("pcodec", Packing(coder=Pcodec(8))),
        ("float32+pcodec-12", Packing(NumberFormat("float32"), Pcodec(12))),
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
        "lz4-3",
        "pcodec-13",
        "pcodec-x",
        "zstd+lz4",
    ],
)
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match=r"packing .*: use none, or|packing .*; use none, or"):
        Packing.parse(text)


#: Every number type that a column may have.
NUMBERS = [
    "float64",
    "float32",
    "float16",
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
]
CODERS = ["zstd", "zstd-1", "zstd-19", "lz4", "pcodec", "pcodec-0", "pcodec-12"]


def coder(text: str) -> Coder:
    packing = Packing.parse(text)
    assert packing.coder is not None and packing.lossless
    return packing.coder


@pytest.mark.parametrize("text", CODERS)
@given(data=st.data(), dtype=st.sampled_from(NUMBERS))
def test_packed_arrays_come_back_bit_by_bit(text, data, dtype):
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=20))
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    # Of any bits: NaN of every payload, both zeros, infinities, subnormal numbers; a boolean has two values only.
    raw = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8)
    values = (raw & 1 if dtype == "bool" else raw).view(dtype).reshape(shape)
    back = coder(text).decode(coder(text).encode(values), dtype, shape)
    assert back.dtype == dtype and back.shape == shape and back.tobytes() == values.tobytes()


@pytest.mark.parametrize("text", ["zstd", "lz4", "pcodec"])
def test_packed_bytes_that_are_damaged_are_refused(text):
    values = np.arange(100.0)
    packed = coder(text).encode(values)
    for damaged in (packed[:-1], packed[: len(packed) // 2], b""):
        with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
            coder(text).decode(damaged, "float64", (100,))
    with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
        coder(text).decode(packed, "float64", (101,))


@pytest.mark.parametrize("text", ["zstd", "lz4", "pcodec"])
def test_a_coder_names_its_package_and_what_is_missing(text, monkeypatch):
    assert coder(text).version() and coder(text).missing() is None and Packing.parse(text).missing() is None
    monkeypatch.setattr("baler_energy.codecs.coders.base.find_spec", lambda name: None)
    assert f"pip install {coder(text).package}" in Packing.parse(f"float32+{text}").missing()
    assert Packing.parse("float32+bound-0.1").missing() is None


def test_what_comes_back_to_the_bit_and_what_within_a_bound():
    assert Packing.parse("none").lossless and Packing.parse("pcodec").lossless
    assert not Packing.parse("float32+zstd").lossless and not Packing.parse("zstd+bound-0.1").lossless
    assert [word.keeps_bound for word in Packing.parse("float32+zstd+bound-0.1").words] == [False, False, True]


def test_the_shuffle_packs_numbers_of_like_size_better():
    import pyarrow as pa

    values = np.random.default_rng(1).normal(100, 1, 10_000)
    plain = pa.Codec("zstd", compression_level=3).compress(values.tobytes(), asbytes=True)
    assert len(Zstd().encode(values)) < 0.95 * len(plain)


FLOATS = arrays.arrays(np.float32, 30, elements=st.floats(-(2.0**100), 2.0**100, width=32))


@given(FLOATS, st.integers(1, 22))
def test_fewer_bits_of_mantissa_are_the_nearest_number_with_so_many(values, bits):
    reduced = Packing(NumberFormat("float32", bits)).reduce(values)
    assert reduced.dtype == np.float32
    # The bits that are dropped are zero, and the step to the next such number is at most 2^-bits of the value.
    assert not (reduced.view(np.uint32) & np.uint32((1 << (23 - bits)) - 1)).any()
    normal = np.abs(values) > np.finfo(np.float32).tiny
    error = np.abs(reduced.astype(float) - values)[normal]
    assert (error <= np.abs(values.astype(float))[normal] * 2.0 ** -(bits + 1)).all()


def test_halfway_goes_away_from_zero_and_every_nan_stays_one():
    number = NumberFormat("float32", 4)
    assert list(number.round(np.array([33.0, 35.0, -33.0, -35.0]))) == [34, 36, -34, -36]
    nans = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(number.round(nans)).all()


@given(arrays.arrays(np.float64, 20, elements=st.floats(-6e4, 6e4)), st.sampled_from(["float32", "float16", "float64"]))
def test_a_number_format_is_a_cast(values, name):
    assert np.array_equal(Packing(NumberFormat(name)).reduce(values), values.astype(name))
    assert Packing().reduce(values) is values


@pytest.mark.parametrize(
    ("packing", "value", "named"),
    [
        ("float16", 7e4, "exceeds the range of float16"),
        ("float32", 1e39, "exceeds the range of float32"),
        ("float32-4", 3.4e38, "exceeds the range of float32"),
        ("float16", float("nan"), "not finite"),
    ],
)
def test_a_latent_that_no_number_format_holds_is_refused(packing, value, named):
    with pytest.raises(InputError, match=named):
        Packing.parse(packing).reduce(np.array([1.0, value]))
