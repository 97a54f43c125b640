"""Sources and sinks of all formats: what is written in blocks is read in blocks."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from block_files import DTYPES, LAYOUTS, NAMES, SUFFIXES, copied, joined, layout_hdf5, layout_root, numbers, write
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.data.ingest import tables_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Block, Request, open_sink, open_source
from baler_energy.formats.base import UnfitError, matrix, native

# Files with one type for all columns: integers are inferred from the values, and there are no booleans.
INFERRED = {"npz": ("float32", "int32", "int32"), "hdf5 matrix": ("float32", "int32", "int32")}


# Round trips


@pytest.mark.parametrize("form", LAYOUTS)
@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_what_is_written_is_read(tmp_path: Path, form: str, rows: int) -> None:
    layout, data = LAYOUTS[form], numbers(100)
    path = tmp_path / f"a.{SUFFIXES[layout['format']]}"
    origin = write(path, data, layout, 64)
    copied(path, tmp_path / f"b{path.suffix}", rows)
    for file in (path, tmp_path / f"b{path.suffix}"):
        with open_source(file) as source:
            assert (source.names, source.dtypes, source.rows) == (NAMES, INFERRED.get(form, DTYPES), 100)
            assert dict(source.layout) == layout
            first, second = joined(source, rows)[0], joined(source, 33)[0]
            assert max(len(block.data) for block in source.blocks(rows)) <= rows
            if form == "table":
                assert source.origin == origin
            else:
                assert source.origin["label"] == file.name
                assert source.origin["source_bytes"] == file.stat().st_size
        np.testing.assert_array_equal(first, data)
        np.testing.assert_array_equal(second, data)


@pytest.mark.parametrize("form", LAYOUTS)
def test_a_table_without_rows(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    write(path, numbers(0), LAYOUTS[form], 5)
    with open_source(path) as source:
        assert (source.names, source.rows) == (NAMES, 0)
        assert list(source.blocks(10)) == []


@pytest.mark.parametrize("form", [form for form in LAYOUTS if form != "table"])
def test_blocks_match_a_full_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    write(path, numbers(50), LAYOUTS[form], 20)
    request = Request(columns=("good", "pt"))
    table = tables_from_file(str(path), request, rows=None, seed=0)[0]
    with open_source(path, request) as source:
        assert (source.names, source.dtypes) == (table.names, table.dtypes)
        same = {key: value for key, value in table.origin.items() if key not in ("sha256", "seed", "warnings")}
        assert {key: source.origin_of(50, 50)[key] for key in same} == same
        np.testing.assert_array_equal(joined(source, 13)[0], table.data)


def test_a_table_has_the_bytes_of_the_full_writer(tmp_path: Path) -> None:
    origin = write(tmp_path / "a.npz", numbers(100), LAYOUTS["table"], 9)
    Table(numbers(100), NAMES, DTYPES, origin).write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_columns_of_a_table(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", numbers(10), LAYOUTS["table"], 9)
    with open_source(tmp_path / "a.npz", Request(columns=("good", "pt")), "npz") as source:
        assert source.dtypes == ("bool", "float32")
        np.testing.assert_array_equal(joined(source, 4)[0], numbers(10)[:, [2, 0]])


@pytest.mark.parametrize("form", LAYOUTS)
def test_nan_and_infinity_pass_bit_for_bit(tmp_path: Path, form: str) -> None:
    data = numbers(6)
    data[:4, 0] = [np.nan, np.inf, -np.inf, -0.0]
    data.view(np.uint64)[4, 0] = 0xFFF8_0000_4000_0000  # a quiet NaN with a sign and a payload, which float32 holds
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    write(path, data, LAYOUTS[form], 4)
    with open_source(path) as source:
        np.testing.assert_array_equal(joined(source, 5)[0].view(np.uint64), data.view(np.uint64))


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
def test_parquet_comes_out_in_its_compression(tmp_path: Path, codec: str) -> None:
    pq.write_table(pa.table({"x": [1.5, 2.5]}), tmp_path / "a.parquet", compression=codec)
    copied(tmp_path / "a.parquet", tmp_path / "b.parquet", 1)
    compressions = []
    for name in "ab":
        with pq.ParquetFile(tmp_path / f"{name}.parquet") as file:
            compressions.append(file.metadata.row_group(0).column(0).compression)
    assert compressions[0] == compressions[1]


def test_the_file_itself_as_a_group(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", numbers(9), layout_hdf5("group") | {"path": "/"}, 4)
    copied(tmp_path / "a.h5", tmp_path / "b.h5", 5)
    with open_source(tmp_path / "b.h5") as source:
        assert (source.names, source.layout["path"]) == (NAMES, "/")
        np.testing.assert_array_equal(joined(source, 5)[0], numbers(9))


def test_hdf5_chunks_larger_than_a_block(tmp_path: Path) -> None:
    data = numbers(100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=data, chunks=(40, 1), compression="gzip").attrs["names"] = NAMES
    with open_source(tmp_path / "a.h5") as source:
        assert [len(block.data) for block in source.blocks(30)] == [30, 10, 30, 10, 20]
        assert max(len(block.data) for block in source.blocks(90)) == 80
        np.testing.assert_array_equal(joined(source, 30)[0], data)


# Arithmetic


@given(rows=st.integers(0, 50), columns=st.integers(1, 4), tile=st.integers(1, 9))
@settings(max_examples=30)
def test_columns_side_by_side(rows: int, columns: int, tile: int) -> None:
    data = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baler_energy.formats.base._TILE_ROWS", tile)
        together = matrix(list(data.T))
    assert together.dtype == np.float64 and together.flags.c_contiguous
    np.testing.assert_array_equal(together, data)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1.5, "int32"), (300.0, "int8"), (-1.0, "uint8"), (np.nan, "int64"), (2.0, "bool"), (1e39, "float32")],
)
def test_a_value_that_does_not_fit_its_type(tmp_path: Path, value: float, dtype: str) -> None:
    data = numbers(5)
    data[3, 0] = value
    with pytest.raises(InputError, match=rf"a\.parquet.*'pt'.*{dtype}"):
        write(tmp_path / "a.parquet", data, LAYOUTS["parquet"], 5, (dtype, *DTYPES[1:]))
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_does_not_fit_an_array(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz.*'pt'.*float32"):
        write(tmp_path / "a.npz", np.full((2, 3), 1e39), LAYOUTS["npz"], 5)


def test_values_that_fit_their_type() -> None:
    assert native("x", np.array([-128.0, 127.0]), "int8").tolist() == [-128, 127]
    assert np.isinf(native("x", np.array([np.inf, 1.0]), "float32")).tolist() == [True, False]


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_largest_integer_is_that_again_after_float64_has_rounded_it_up(dtype: str) -> None:
    largest = np.iinfo(dtype).max
    values = np.array([largest, 0], dtype).astype(np.float64)
    assert native("x", values, dtype).tolist() == [largest, 0]
    with pytest.raises(UnfitError):
        native("x", np.nextafter(values, np.inf), dtype)


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_root_file_gets_floats_of_16_bits_as_floats_of_32_bits(tmp_path: Path, kind: str) -> None:
    values = np.array([[65504.0], [-0.0], [2.0**-24], [np.nan]])
    with open_sink(tmp_path / "a.root", ("x",), ("float16",), layout_root(kind), {}) as sink:
        sink.write(Block(values))
    with open_source(tmp_path / "a.root") as source:
        assert source.dtypes == ("float32",)
        np.testing.assert_array_equal(joined(source, 10)[0], values)


@pytest.mark.parametrize(("kind", "columns"), [("matrix", 5000), ("compound", 1400)])
def test_the_names_of_very_many_columns_fit_into_an_hdf5_file_again(tmp_path: Path, kind: str, columns: int) -> None:
    names, data = [f"column{n:05}" for n in range(columns)], np.arange(2.0 * columns).reshape(2, columns) + 0.5
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        if kind == "matrix":
            file["jets"] = data
            file["jets"].attrs["names"] = np.array(names, "S")
        else:
            file["jets"] = np.array([tuple(row) for row in data], [(name, "f8") for name in names])
    copied(tmp_path / "a.h5", tmp_path / "b.h5", 10)
    with open_source(tmp_path / "b.h5") as source:
        assert source.names == tuple(names)
        np.testing.assert_array_equal(joined(source, 10)[0], data)
