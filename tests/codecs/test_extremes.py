"""The extremes of every number type through every packing, in files of every format.

A lossless packing gives back every bit of a file. The others give back what they state, or refuse to compress: what has
been compressed can be decompressed.
"""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.streaming import streaming_codec
from baler_energy.codecs.coders.base import Coder
from baler_energy.codecs.container import Reader
from baler_energy.codecs.identity import Identity
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.streaming import StreamingCodec
from baler_energy.errors import InputError
from baler_energy.formats import open_source
from baler_energy.variants import CODERS, load

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64"]
TYPES = ["bool", *INTEGERS, *FLOATS]
WORDS = {name: load(module).WORD for name, (module, *_) in CODERS.items()}
QUICK = {"zlib": "zlib-1", "lzma": "lzma-0"}
LOSSLESS = [
    "none",
    *(QUICK.get(name, name) for name, word in WORDS.items() if issubclass(word, Coder) and word.lossless),
]
ROUNDING = [
    *("quantise-0.01", "quantise-1e-9+pcodec", "quantise-0.3+zstd", "sz3-0.01", "sz3-1e-6-interp", "zfp-0.001"),
    *("sz2-0.01", "float16", "float32-4+zstd", "float32+pcodec", "float64"),
]
#: Suffix of a file of each kind.
SUFFIXES = {"parquet": "parquet", "group": "h5", "npz": "npz", "tree": "root", "ntuple": "root"}
FORMATS = list(SUFFIXES)
Columns = Mapping[str, np.ndarray]


def extremes(dtype: str) -> list[np.generic]:
    """Return the ends of a type, their neighbours, and its special values."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return [np.False_, np.True_]
    if kind.kind in "iu":
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        near = [low, low + 1, -1, 0, 1, high - 1, high, *(sign * 2**53 + n for sign in (-1, 1) for n in (-1, 0, 1, 3))]
        return [kind.type(value) for value in near if low <= value <= high]
    limits, bits = np.finfo(kind), f"uint{8 * kind.itemsize}"
    ordinary = [limits.min, limits.max, limits.tiny, limits.smallest_subnormal, 0.0, -0.0, 1 / 3, np.inf, -np.inf]
    # Quiet NaNs of other payloads and signs. (A processor makes signalling ones quiet when it converts them.)
    quiet = int(np.array(np.nan, kind).view(bits))
    nans = np.array([quiet, quiet | 1, quiet | 1 << (8 * kind.itemsize - 1)], bits).view(kind)
    return [*(kind.type(value) for value in ordinary), *nans]


def finite(dtype: str) -> list[np.generic]:
    """Extremes within a range that float64 holds."""
    return [one for one in extremes(dtype) if np.dtype(dtype).kind != "f" or abs(float(one)) < 1e300]


@st.composite
def files(draw, formats: list[str], values: Callable[[str], list[np.generic]] = extremes):
    """Draw the columns of a file, of any types that its format has."""
    form = draw(st.sampled_from(formats))
    types = [one for one in TYPES if not (SUFFIXES[form] == "root" and one == "float16")]
    chosen = draw(st.lists(st.sampled_from(types), min_size=1, max_size=4))
    # An npz file has one type for all columns.
    chosen = [chosen[0]] * len(chosen) if form == "npz" else chosen
    rows = draw(st.integers(1, 30))
    drawn = [draw(st.lists(st.sampled_from(values(one)), min_size=rows, max_size=rows)) for one in chosen]
    return form, {f"c{n}": np.array(drawn[n], one) for n, one in enumerate(chosen)}


def write(path: Path, form: str, columns: Columns) -> None:
    if form == "parquet":
        pq.write_table(pa.table(dict(columns)), path)
    elif form == "group":
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[f"jets/{name}"] = values
    elif form == "npz":
        np.savez(path, data=np.stack(list(columns.values()), axis=1), names=np.array(list(columns)))
    else:
        with uproot.recreate(path) as file:
            made = file.mktree if form == "tree" else file.mkrntuple
            made("Events", {name: values.dtype for name, values in columns.items()}).extend(dict(columns))


def read(path: Path, form: str) -> Columns:
    """Read a file without this package."""
    if form == "parquet":
        table = pq.read_table(path)
        return {name: table[name].to_numpy() for name in table.column_names}
    if form == "group":
        with h5py.File(path) as file:
            return {name: file["jets"][name][:] for name in file["jets"]}
    if form == "npz":
        with np.load(path) as arrays:
            return dict(zip(arrays["names"].tolist(), arrays["data"].T, strict=True))
    with uproot.open(path) as file:
        found = file["Events"].arrays(library="np")
        return {name: values.astype(values.dtype.newbyteorder("=")) for name, values in found.items()}


def bits(values: np.ndarray) -> tuple[str, bytes]:
    return values.dtype.name, np.ascontiguousarray(values).tobytes()


def identity(names: tuple[str, ...], dtypes: tuple[str, ...], packing: str) -> StreamingCodec:
    if reason := Packing.parse(packing).missing():
        pytest.skip(reason)
    codec = Identity(names, dtypes)
    return StreamingCodec(codec, lambda: codec.encode, lambda: codec.decode, packing=packing, threads=1)


def there_and_back(folder: Path, form: str, columns: Columns, packing: str) -> Columns:
    path, packed, back = (folder / name for name in (f"a.{SUFFIXES[form]}", "a.baler", f"b.{SUFFIXES[form]}"))
    write(path, form, columns)
    with open_source(path) as source:
        identity(source.names, source.dtypes, packing).compress(source, packed)
    # From here on nothing may be refused.
    facts = Reader(packed).facts
    try:
        identity(facts.names, facts.dtypes, packing).decompress(packed, back)
    except InputError as error:
        raise AssertionError("was compressed, but cannot be decompressed") from error
    return read(back, form)


@pytest.mark.parametrize("packing", LOSSLESS)
@given(drawn=files(FORMATS))
@settings(max_examples=40)  # with each packing
def test_a_lossless_packing_gives_back_every_bit_of_a_file(tmp_path_factory, packing, drawn):
    form, columns = drawn
    back = there_and_back(tmp_path_factory.mktemp("bits"), form, columns, packing)
    assert {name: bits(values) for name, values in back.items()} == {name: bits(one) for name, one in columns.items()}


def exact(value: np.generic) -> Fraction:
    return Fraction(int(value)) if value.dtype.kind in "iub" else Fraction(float(value))


@pytest.mark.parametrize("packing", ROUNDING)
@given(drawn=files(FORMATS))
@settings(max_examples=40)  # with each packing
def test_a_rounding_packing_keeps_its_promise_or_refuses_to_compress(tmp_path_factory, packing, drawn):
    form, columns = drawn
    try:
        back = there_and_back(tmp_path_factory.mktemp("rounded"), form, columns, packing)
    except InputError as error:
        assert "exceeds the range of" in str(error)
        return
    assert {name: values.dtype for name, values in back.items()} == {name: one.dtype for name, one in columns.items()}
    words = Packing.parse(packing).words
    bound = max((word.value for word in words if word.keeps_bound), default=None)
    for name, values in columns.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            special = ~np.isfinite(values)
            np.testing.assert_array_equal(back[name][special], values[special])
        elif bound is not None:
            ends = exact(values.max()) - exact(values.min())
            worst = max(abs(exact(one) - exact(other)) for one, other in zip(values, back[name], strict=True))
            assert worst <= Fraction(bound * (1 + 1e-12)) * ends
        elif values.dtype.kind in "iub":
            assert bits(back[name]) == bits(values), "number formats leave integers alone"


BOUNDS = ["bound-1e-6", "zstd+bound-0.01", "float16+zstd+bound-0.01", "quantise-0.01+pcodec+bound-1e-3"]


@pytest.mark.parametrize("packing", BOUNDS)
@given(drawn=files(FORMATS, finite))
@settings(max_examples=60)  # with each packing
def test_a_bound_holds_for_every_extreme_or_compression_is_refused(tmp_path_factory, packing, drawn):
    form, columns = drawn
    folder = tmp_path_factory.mktemp("bound")
    path, packed, back = (folder / name for name in (f"a.{SUFFIXES[form]}", "a.baler", f"b.{SUFFIXES[form]}"))
    write(path, form, columns)
    torch.manual_seed(1)
    with open_source(path) as source:
        data = np.concatenate([block.data for block in source.blocks(100)])
        features = Normalisation.of(data, source.names)
        network = Autoencoder(Architecture(len(source.names), 1))
        codec = Checkpoint.of(network, features, source.names, source.dtypes)
        try:
            streaming_codec(codec, torch.device("cpu"), packing, 1).compress(source, packed)
        except InputError as error:
            assert "beyond 2^53" in str(error) or "exceeds the range of" in str(error)
            return
    streaming_codec(codec, torch.device("cpu"), packing, 1).decompress(packed, back)
    bound = Fraction(Packing.parse(packing).error_bound or 0)
    for place, (name, values) in enumerate(columns.items()):
        found = read(back, form)[name]
        worst = max(abs(exact(one) - exact(other)) for one, other in zip(values, found, strict=True))
        # Bound and error are computed in float64.
        rounding = 4 * np.finfo(np.float64).eps * max(float(abs(exact(one))) for one in values)
        assert worst <= bound * Fraction(float(features.features[1, place])) + Fraction(rounding), name


@pytest.mark.parametrize(("dtype", "missing"), [("uint64", 2**64 - 1), ("int64", 2**63 - 1), ("int64", -(2**63))])
@pytest.mark.parametrize("packing", [packing for packing in BOUNDS if "float16" not in packing])
def test_the_marker_of_a_missing_value_comes_back_behind_a_bound(tmp_path, dtype, missing, packing):
    values = {"n": np.array([*range(200), missing], dtype), "x": np.linspace(0, 1, 201)}
    write(tmp_path / "a.parquet", "parquet", values)
    # Trained on rows without the marker, which is then far outside, so it is stored exactly.
    features = Normalisation(np.array([[0.0, 0.0], [199.0, 1.0]]))
    torch.manual_seed(1)
    codec = Checkpoint.of(Autoencoder(Architecture(2, 1)), features, ("n", "x"), (dtype, "float64"))
    with open_source(tmp_path / "a.parquet") as source:
        streaming_codec(codec, torch.device("cpu"), packing).compress(source, tmp_path / "a.baler")
    streaming_codec(codec, torch.device("cpu"), packing).decompress(tmp_path / "a.baler", tmp_path / "b.parquet")
    back = read(tmp_path / "b.parquet", "parquet")
    assert int(back["n"][-1]) == missing
    assert np.abs(back["n"][:-1].astype(float) - np.arange(200)).max() <= 0.01 * 199


def test_integers_that_float64_rounds_by_more_than_the_bound_are_refused(tmp_path):
    numbers = 2**60 + np.arange(200)
    write(tmp_path / "a.parquet", "parquet", {"n": numbers, "x": np.linspace(0, 1, 200)})
    torch.manual_seed(1)
    with open_source(tmp_path / "a.parquet") as source:
        features = Normalisation(np.array([[2.0**60, 0.0], [256.0, 1.0]]))
        codec = Checkpoint.of(Autoencoder(Architecture(2, 1)), features, source.names, source.dtypes)
        with pytest.raises(InputError, match=r"'n' has integers beyond 2\^53.*rounds them by up to \d+, more than the"):
            streaming_codec(codec, torch.device("cpu"), "bound-0.01").compress(source, tmp_path / "a.baler")
        coarse = streaming_codec(codec, torch.device("cpu"), "bound-0.6")
        coarse.compress(source, tmp_path / "a.baler")
    coarse.decompress(tmp_path / "a.baler", tmp_path / "b.parquet")
    assert np.abs(read(tmp_path / "b.parquet", "parquet")["n"] - numbers).max() <= 0.6 * 256


def test_columns_of_minus_zeros_are_not_integers(tmp_path):
    for values in ([-0.0, 1.0], [0.0, 1.0]):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            dataset = file.create_dataset("jets", data=np.array([values], np.float32).T)
            dataset.attrs["names"] = ["x"]
        with open_source(tmp_path / "a.h5") as source:
            signs = [math.copysign(1, value) for value in values]
            assert source.dtypes == ("float32" if -1 in signs else "int32",)


def test_floats_wider_than_a_tables_are_no_numbers_of_a_table(tmp_path):
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("this machine has no wider floats")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["jets/wide"] = np.array([1, np.finfo(np.longdouble).max], np.longdouble)
        file["jets/x"] = np.arange(2.0)
    with open_source(tmp_path / "a.h5") as source:
        assert source.names == ("x",) and "wide" in source.warnings[0]
    np.savez(tmp_path / "a.npz", data=np.ones((2, 1), np.longdouble), names=np.array(["x"]))
    with pytest.raises(InputError, match="not plain numbers"), open_source(tmp_path / "a.npz"):
        pass
