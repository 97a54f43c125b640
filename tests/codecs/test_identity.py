"""Transform ``identity``: a lossless packing is a lossless codec of the table, from any format and back to it."""

import argparse
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baler_energy.codecs.coders.base import Coder
from baler_energy.codecs.container import Reader
from baler_energy.codecs.engines import engine_of
from baler_energy.codecs.identity import Identity
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.streaming import StreamingCodec
from baler_energy.config.parameters import Training
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_source
from baler_energy.stages.options import add_point_arguments, point_options
from baler_energy.variants import CODERS, load

FLOATS = ["float64", "float32", "float16"]
INTEGERS = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
#: Integers up to here are exact in a table, whose values are float64.
EXACT = 2**53
#: Levels that pack faster than the default ones.
QUICK = {"zlib": "zlib-1", "lzma": "lzma-0"}
WORDS = {name: load(module).WORD for name, (module, *_) in CODERS.items()}
LOSSLESS = [
    "none",
    *(QUICK.get(name, name) for name, word in WORDS.items() if issubclass(word, Coder) and word.lossless),
]


def columns(dtype: str, rows: int) -> st.SearchStrategy[np.ndarray]:
    """Draw a column of any values of a type that a table holds exactly."""
    if np.dtype(dtype).kind not in "iu":
        return arrays.arrays(dtype, rows)
    limits = np.iinfo(dtype)
    return arrays.arrays(dtype, rows, elements=st.integers(max(limits.min, -EXACT), min(limits.max, EXACT)))


def streaming_codec(names: tuple[str, ...], dtypes: tuple[str, ...], packing: str, threads: int = 1) -> StreamingCodec:
    if reason := Packing.parse(packing).missing():
        pytest.skip(reason)
    identity = Identity(names, dtypes)
    return StreamingCodec(identity, lambda: identity.encode, lambda: identity.decode, packing=packing, threads=threads)


def there_and_back(path: Path, out: Path, packing: str, threads: int = 1) -> None:
    with open_source(path) as source:
        streaming_codec(source.names, source.dtypes, packing, threads).compress(source, out.with_suffix(".baler"))
    facts = Reader(out.with_suffix(".baler")).facts
    streaming_codec(facts.names, facts.dtypes, packing, threads).decompress(out.with_suffix(".baler"), out)


@pytest.mark.parametrize("packing", LOSSLESS)
@given(data=st.data())
@settings(max_examples=30)  # with each packing
def test_a_table_comes_back_bit_by_bit(tmp_path_factory, packing, data):
    rows = data.draw(st.integers(1, 40))
    dtypes = tuple(data.draw(st.lists(st.sampled_from(FLOATS + INTEGERS), min_size=1, max_size=5)))
    drawn = [data.draw(columns(dtype, rows)).astype(np.float64) for dtype in dtypes]
    names = tuple(f"c{number}" for number in range(len(dtypes)))
    folder = tmp_path_factory.mktemp("identity")
    before = Table(np.ascontiguousarray(np.stack(drawn, axis=1)), names, dtypes, {"source": "toy"})
    before.write(folder / "t.npz")
    there_and_back(folder / "t.npz", folder / "back.npz", packing)
    after = Table.read(folder / "back.npz")
    assert (after.names, after.dtypes) == (names, dtypes)
    assert after.data.tobytes() == before.data.tobytes(), "also NaN, infinities and the sign of zero"


@pytest.mark.parametrize("packing", LOSSLESS)
def test_the_largest_integers_that_a_table_holds_come_back(tmp_path, packing):
    signed, unsigned = [-EXACT, 1 - EXACT, EXACT - 1, EXACT], [0, 1, EXACT - 1, EXACT]
    data = np.array([signed, unsigned], np.float64).T.copy()
    Table(data, ("signed", "unsigned"), ("int64", "uint64"), {}).write(tmp_path / "t.npz")
    there_and_back(tmp_path / "t.npz", tmp_path / "back.npz", packing)
    with np.load(tmp_path / "back.npz") as back:
        assert [[int(value) for value in column] for column in back["data"].T] == [signed, unsigned]


@pytest.mark.parametrize("packing", ["pcodec", "float32-12+zstd"])
def test_threads_and_blocks_change_nothing(tmp_path, table, packing, monkeypatch):
    monkeypatch.setattr("baler_energy.codecs.streaming.BLOCK_ROWS", 70)
    monkeypatch.setattr("baler_energy.codecs.streaming.LEAST_BLOCK_ROWS", 30)
    table.write(tmp_path / "t.npz")
    for threads in (1, 3):
        there_and_back(tmp_path / "t.npz", tmp_path / f"{threads}.npz", packing, threads)
    one, three = ((tmp_path / f"{threads}.baler").read_bytes() for threads in (1, 3))
    assert one == three and len(list(Reader(tmp_path / "1.baler").blocks())) > 3


def test_a_number_format_rounds_floats_and_leaves_integers(tmp_path, table):
    table.write(tmp_path / "t.npz")
    there_and_back(tmp_path / "t.npz", tmp_path / "back.npz", "float32-12+zstd")
    back = Table.read(tmp_path / "back.npz")
    for place, dtype in enumerate(table.dtypes):
        before, after = table.data[:, place], back.data[:, place]
        if np.dtype(dtype).kind == "f":
            assert (np.abs(after - before) <= np.abs(before) * 2.0**-13).all() and (after != before).any()
        else:
            assert (after == before).all()


@pytest.mark.parametrize("packing", ["float32", "float32-12+zstd", "float64+pcodec", "float16"])
def test_nan_and_infinity_pass_a_number_format_and_no_column_grows(tmp_path, packing):
    data = np.array([[np.nan, 1.5], [np.inf, -np.inf], [-0.0, np.nan]])
    Table(data, ("wide", "narrow"), ("float64", "float16"), {}).write(tmp_path / "t.npz")
    there_and_back(tmp_path / "t.npz", tmp_path / "back.npz", packing)
    assert np.array_equal(Table.read(tmp_path / "back.npz").data, data, equal_nan=True)
    (block,) = Reader(tmp_path / "back.baler").blocks()
    sizes = {"float32": 4, "float32-12+zstd": 4, "float64+pcodec": 8, "float16": 2}
    assert [values.itemsize for values in block.arrays] == [sizes[packing], 2]


def test_a_value_beyond_the_number_format_is_refused(tmp_path):
    Table(np.array([[1e39], [1.0]]), ("x",), ("float64",), {}).write(tmp_path / "t.npz")
    with pytest.raises(InputError, match=r"a value of 1e\+39 exceeds the range of float32"):
        there_and_back(tmp_path / "t.npz", tmp_path / "back.npz", "float32")


def test_columns_are_stored_in_their_own_types_and_smaller_than_floats(tmp_path, table):
    table.write(tmp_path / "t.npz")
    with open_source(tmp_path / "t.npz") as source:
        sizes = streaming_codec(source.names, source.dtypes, "none").compress(source, tmp_path / "t.baler")
    assert sizes.latent_bytes == table.native_bytes and sizes.correction_bytes == 0
    (block,) = Reader(tmp_path / "t.baler").blocks()
    assert tuple(values.dtype.name for values in block.arrays) == table.dtypes


def test_jagged_branches_of_a_root_file_come_back_as_such(tmp_path):
    counts, rng = np.array([3, 0, 2, 7], np.int32), np.random.default_rng(1)
    with uproot.recreate(tmp_path / "t.root") as file:
        pt = ak.unflatten(rng.exponential(size=12).astype(np.float32), counts)
        file["Events"] = {"pt": pt, "charge": ak.unflatten(rng.integers(-1, 2, 12).astype(np.int32), counts)}
    there_and_back(tmp_path / "t.root", tmp_path / "back.root", "pcodec")
    with uproot.open(tmp_path / "t.root") as before, uproot.open(tmp_path / "back.root") as after:
        for name in ("pt", "charge"):
            one, other = before["Events"][name].array(), after["Events"][name].array()
            assert one.tolist() == other.tolist() and str(one.type) == str(other.type)


def test_a_bound_needs_a_training():
    parser = argparse.ArgumentParser()
    add_point_arguments(parser)
    point = point_options(parser.parse_args(["--transform", "identity", "--packing", "bound-0.1"]))
    with pytest.raises(InputError, match="transform 'identity' is not trained"):
        engine_of(point).refuse(point, Training())
