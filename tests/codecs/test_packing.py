"""How numbers are stored: the words of the axis ``packing``."""

import lzma
import re
import tomllib
import tracemalloc
from unittest.mock import MagicMock
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baler_energy.codecs.coders.base import Coder, Word
from baler_energy.codecs.coders.blosc2 import Blosc2
from baler_energy.codecs.coders.bound import ErrorBound
from baler_energy.codecs.coders.lz4 import Lz4
from baler_energy.codecs.coders.lzma import DICTIONARY, Lzma
from baler_energy.codecs.coders.numbers import NumberFormat
from baler_energy.codecs.coders.parquet import ParquetFile
from baler_energy.codecs.coders.pcodec import Pcodec
from baler_energy.codecs.coders.root import RootFile
from baler_energy.codecs.coders.sz2 import Sz2
from baler_energy.codecs.coders.sz3 import Sz3
from baler_energy.codecs.coders.zfp import Zfp
from baler_energy.codecs.coders.zlib import Zlib
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
        ("zlib", Packing(coder=Zlib(6))),
        ("zlib-1+bound-0.01", Packing(coder=Zlib(1), bound=ErrorBound(0.01))),
        ("lzma", Packing(coder=Lzma(6))),
        ("lzma-0", Packing(coder=Lzma(0))),
        ("blosc2", Packing(coder=Blosc2("zstd", 5, bitshuffle=False))),
        ("blosc2-lz4", Packing(coder=Blosc2("lz4", 5))),
        ("float32-12+blosc2-blosclz-9", Packing(NumberFormat("float32", 12), Blosc2("blosclz", 9))),
        ("blosc2-zlib-bitshuffle", Packing(coder=Blosc2("zlib", 5, bitshuffle=True))),
        ("blosc2-zstd-1-bitshuffle", Packing(coder=Blosc2("zstd", 1, bitshuffle=True))),
        ("parquet", Packing(coder=ParquetFile(3))),
        ("parquet-zstd", Packing(coder=ParquetFile(3))),
        ("float32-12+parquet-zstd-19", Packing(NumberFormat("float32", 12), ParquetFile(19))),
        ("root", Packing(coder=RootFile("root", "zstd", 5))),
        ("root-zlib", Packing(coder=RootFile("root", "zlib", 1))),
        ("rntuple-lzma-6", Packing(coder=RootFile("rntuple", "lzma", 6))),
        ("sz2-0.01", Packing(coder=Sz2(0.01))),
        ("sz3-0.01", Packing(coder=Sz3(0.01))),
        ("sz3-1e-3-interp", Packing(coder=Sz3(1e-3, interpolation=True))),
        ("zfp-0.1+bound-0.01", Packing(coder=Zfp(0.1), bound=ErrorBound(0.01))),
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
        "zlib-0",
        "zlib-10",
        "lzma-10",
        "lzma-",
        "zlib+lzma",
        "blosc2-",
        "blosc2-5",
        "blosc2-snappy",
        "blosc2-lz4-0",
        "blosc2-lz4-10",
        "blosc2-bitshuffle",
        "blosc2-lz4-bitshuffle-9",
        "blosc2-lz4-",
        "parquet-",
        "parquet-lz4",
        "parquet-zstd-",
        "parquet-zstd-23",
        "root-snappy",
        "root-zstd-0",
        "rntuple-zlib-10",
        "root-zlib+rntuple",
        "sz2",
        "sz2-0.01-interp",
        "sz3",
        "sz3-0",
        "sz3-interp",
        "sz3-0.01-lorenzo",
        "zfp",
        "zfp-rate-1",
        "sz3-0.01+zstd",
        "float32+sz3-0.01",
        "zfp-0.01+quantise-0.01",
        "zfp-0.01+sz3-0.01",
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
CODERS = [
    *("zstd", "zstd-1", "zstd-19", "lz4", "pcodec", "pcodec-0", "pcodec-12"),
    *("zlib", "zlib-1", "zlib-9", "lzma", "lzma-0", "lzma-9"),
    *("blosc2", "blosc2-zstd-9-bitshuffle", "blosc2-lz4", "blosc2-lz4hc-1", "blosc2-zlib-bitshuffle", "blosc2-blosclz"),
    *("parquet-zstd", "root-zstd-5", "root-zlib-1", "root-lzma-6", "root-lz4", "rntuple-zstd-5", "rntuple-lz4"),
    *("rntuple-zlib-1", "rntuple-lzma-1"),
]
#: Coders whose packed bytes have a checksum; what the others pack is guarded by that of the compressed file only.
CHECKED = ["zlib", "lzma", "blosc2", "blosc2-lz4-bitshuffle"]


def coder(text: str) -> Coder:
    packing = Packing.parse(text)
    assert packing.coder is not None and packing.lossless
    if reason := packing.missing():
        pytest.skip(reason)
    return packing.coder


@pytest.mark.parametrize("text", CODERS)
@given(data=st.data(), dtype=st.sampled_from(NUMBERS))
@settings(max_examples=40)  # of each of these coders
def test_packed_arrays_come_back_bit_by_bit(text, data, dtype):
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=20))
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    # Any bits: NaN of every payload, both zeros, infinities, subnormal numbers; a boolean has only two values.
    raw = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8)
    values = (raw & 1 if dtype == "bool" else raw).view(dtype).reshape(shape)
    back = coder(text).decode(coder(text).encode(values), dtype, shape)
    assert back.dtype == dtype and back.shape == shape and back.tobytes() == values.tobytes()


@pytest.mark.parametrize("text", CODERS)
@given(data=st.data(), rows=st.sampled_from([0, 1, 9, 100]))
@settings(max_examples=10)
def test_arrays_of_all_types_come_back_together_bit_by_bit(text, data, rows):
    shapes = [(dtype, (rows,)) for dtype in NUMBERS] + [("float32", (rows, 2)), ("float64", (3,)), ("int8", (rows, 0))]
    raw = np.frombuffer(data.draw(st.binary(min_size=1600, max_size=1600)), np.uint8)
    bits = [raw[: int(np.prod(shape)) * np.dtype(dtype).itemsize] for dtype, shape in shapes]
    values = [
        (one & 1 if dtype == "bool" else one).view(dtype).reshape(shape)
        for one, (dtype, shape) in zip(bits, shapes, strict=True)
    ]
    back = coder(text).decode_all(coder(text).encode_all(values), shapes)
    assert [(one.dtype.name, one.shape) for one in back] == shapes
    assert [one.tobytes() for one in back] == [one.tobytes() for one in values]


def test_arrays_are_packed_one_by_one_behind_their_sizes():
    values = [np.arange(9.0), np.zeros(5, np.int16)]
    packed = [Zstd().encode(one) for one in values]
    assert Zstd().encode_all(values) == np.array([*map(len, packed)], "<u4").tobytes() + packed[0] + packed[1]
    assert Zstd().encode_all(values[:1]) == packed[0], "a single array has no size before it"
    for damaged in (b"", packed[0], Zstd().encode_all(values)[:-1], Zstd().encode_all(values) + b"x"):
        with pytest.raises(ValueError, match="damaged"):
            Zstd().decode_all(damaged, [("float64", (9,)), ("int16", (5,))])


@pytest.mark.parametrize("text", CODERS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_arrays_that_are_not_contiguous_come_back_bit_by_bit(text, dtype):
    table = np.random.default_rng(1).integers(-9, 9, (40, 6)).astype(dtype)
    for values in (table.T, table[::3], table[:, 2], table[::-1, ::2], table[:, :0]):
        back = coder(text).decode(coder(text).encode(values), dtype, values.shape)
        assert back.shape == values.shape and back.tobytes() == values.tobytes()


@pytest.mark.parametrize("text", CODERS)
def test_blocks_of_a_table_come_back_bit_by_bit(text):
    values = np.random.default_rng(1).exponential(20, (32_768, 3)).astype(np.int32)
    packed = coder(text).encode(values)
    assert len(packed) < 0.5 * values.nbytes
    assert coder(text).decode(packed, "int32", values.shape).tobytes() == values.tobytes()


@pytest.mark.parametrize("text", ["zstd", "lz4", "pcodec", *CHECKED, "parquet-zstd", "root-zlib-1", "rntuple-zstd-5"])
def test_packed_bytes_that_are_damaged_are_refused(text):
    values = np.arange(100.0)
    packed = coder(text).encode(values)
    for damaged in (packed[:-1], packed[: len(packed) // 2], packed[:8], b"", packed + b"\0", packed + packed):
        with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
            coder(text).decode(damaged, "float64", (100,))
    for shape in ((101,), (99,), (0,)):
        with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
            coder(text).decode(packed, "float64", shape)
    nothing = coder(text).encode(values[:0])
    with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
        coder(text).decode(nothing, "float64", (1,))


ARRAYS = [np.arange(100.0), np.zeros(3000), np.random.default_rng(1).integers(0, 3, 900).astype(np.int16)]


@pytest.mark.parametrize("text", CHECKED)
@given(data=st.data(), values=st.sampled_from(ARRAYS))
def test_random_damage_never_gives_other_numbers(text, data, values):
    damaged = bytearray(coder(text).encode(values))
    place = data.draw(st.integers(0, len(damaged) - 1))
    length = data.draw(st.sampled_from([0, 1, 2, 9, len(damaged)]))
    damaged[place : place + length] = data.draw(st.binary(max_size=9))
    try:
        back = coder(text).decode(bytes(damaged), values.dtype.name, values.shape)
    except ValueError as error:
        assert "damaged" in str(error) or "bytes instead of" in str(error)
    else:
        assert back.tobytes() == values.tobytes(), "some bits of a packed array carry nothing"


@pytest.mark.parametrize("inner", ["zstd", "lz4", "lz4hc", "zlib", "blosclz"])
@given(data=st.data(), values=st.sampled_from(ARRAYS))
def test_a_damaged_chunk_behind_the_right_checksum_ends_no_process(inner, data, values):
    text = f"blosc2-{inner}"
    chunk = bytearray(coder(text).encode(values)[4:])
    for _ in range(data.draw(st.integers(1, 3))):
        chunk[data.draw(st.integers(0, len(chunk) - 1))] = data.draw(st.integers(0, 255))
    try:
        back = coder(text).decode(crc32(chunk).to_bytes(4, "little") + chunk, values.dtype.name, values.shape)
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        assert back.shape == values.shape and back.dtype == values.dtype


@pytest.mark.parametrize("text", CHECKED)
def test_no_more_memory_is_taken_than_the_stated_size(text):
    packed = coder(text).encode(np.zeros(2_000_000))
    coder(text).decode(coder(text).encode(np.zeros(10)), "float64", (10,))  # imports take memory, too
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"damaged|bytes instead of"):
        coder(text).decode(packed, "float64", (10,))
    _, peak_b = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_b < 400_000


def test_lzmas_dictionaries_are_those_of_its_presets_and_a_needlessly_large_one_is_refused():
    properties = lzma._encode_filter_properties
    for preset, size in enumerate(DICTIONARY):
        filters = {"id": lzma.FILTER_LZMA2, "preset": preset}
        assert properties(filters) == properties(filters | {"dict_size": size})
    with pytest.raises(ValueError, match=r"damaged.*Memory usage limit"):
        Lzma().decode(lzma.compress(bytes(80), preset=9), "float64", (10,))


def test_blosc2_keeps_to_the_thread_that_calls_it(monkeypatch):
    blosc2 = pytest.importorskip("blosc2")
    calls = [MagicMock(wraps=blosc2.compress2), MagicMock(wraps=blosc2.decompress2)]
    monkeypatch.setattr(blosc2, "compress2", calls[0])
    monkeypatch.setattr(blosc2, "decompress2", calls[1])
    values = np.arange(1e5)
    assert (Blosc2().decode(Blosc2().encode(values), "float64", values.shape) == values).all()
    assert [call.call_args.kwargs["nthreads"] for call in calls] == [1, 1]


@pytest.mark.parametrize(
    ("text", "install"),
    [
        ("zstd", "pip install pyarrow"),
        ("lz4", "pip install pyarrow"),
        ("pcodec", "pip install pcodec"),
        ("blosc2-lz4", "pip install 'baler-energy[blosc2]'"),
        ("root-lz4", "pip install uproot"),
        ("parquet-zstd", "pip install pyarrow"),
    ],
)
def test_a_coder_names_its_package_and_what_is_missing(text, install, monkeypatch, repository):
    assert coder(text).version() and coder(text).missing() is None and Packing.parse(text).missing() is None
    monkeypatch.setattr(Word, "version", classmethod(lambda cls: None))
    reason = Packing.parse(f"float32+{text}").missing()
    assert f"The package {Packing.parse(text).coder.package} is not installed: `{install}`." == reason
    assert Packing.parse("float32+bound-0.1").missing() is None
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"baler-energy\[(\w+)\]", install)) <= set(extras)


def test_a_coder_of_python_needs_no_package_but_python_may_lack_it(monkeypatch):
    for text in ("zlib", "lzma"):
        assert coder(text).version() is None and coder(text).missing() is None
    monkeypatch.setattr("baler_energy.codecs.coders.lzma.find_spec", lambda name: None)
    assert "Python was built without lzma" in Packing.parse("lzma-1").missing()


@pytest.mark.parametrize(
    "text", [*CODERS, "quantise-0.01+pcodec", "float32-12+zstd", "sz2-0.01", "sz3-0.01", "zfp-0.1"]
)
def test_a_coder_takes_some_time_to_start(text):
    packing = Packing.parse(text)
    if reason := packing.missing():
        pytest.skip(reason)
    assert packing.startup_s() > 0


@pytest.mark.parametrize("text", ["none", "float32-12", "bound-0.01"])
def test_without_a_coder_there_is_no_start_up(text):
    assert Packing.parse(text).startup_s() is None


def test_which_packings_are_lossless_and_which_keep_a_bound():
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
def test_fewer_mantissa_bits_give_the_nearest_number(values, bits):
    reduced = Packing(NumberFormat("float32", bits)).reduce(values)
    assert reduced.dtype == np.float32
    # The dropped bits are zero, and the distance to the next such number is at most 2^-bits of the value.
    assert not (reduced.view(np.uint32) & np.uint32((1 << (23 - bits)) - 1)).any()
    normal = np.abs(values) > np.finfo(np.float32).tiny
    error = np.abs(reduced.astype(float) - values)[normal]
    assert (error <= np.abs(values.astype(float))[normal] * 2.0 ** -(bits + 1)).all()


def test_halfway_cases_round_away_from_zero_and_nan_stays_nan():
    number = NumberFormat("float32", 4)
    assert list(number.round_column(np.array([33.0, 35.0, -33.0, -35.0]), None)) == [34, 36, -34, -36]
    nans = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(number.round_column(nans, None)).all()


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
