"""Sources and sinks of all formats."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.data.ingest import table_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Block, Request, Source, open_sink, open_source
from baler_energy.formats.base import matrix, native
from baler_energy.formats.root import event_spans

NAMES = ("pt", "n", "good")
DTYPES = ("float32", "int16", "bool")
SUFFIXES = {"table": "npz", "npz": "npz", "parquet": "parquet", "hdf5": "h5", "root": "root"}


def layout_hdf5(kind: str) -> dict[str, Any]:
    stored = ["float32"] * 3 if kind == "matrix" else list(DTYPES)
    filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return {"format": "hdf5", "kind": kind, "path": "/deep/jets", "stored": stored, **filters}


def layout_root(kind: str, jagged: Sequence[str] = (), counter: str | None = None) -> dict[str, Any]:
    tree = {"tree": "Events", "title": "jets", "compression": ["ZSTD", 1]}
    return {"format": "root", "kind": kind, "jagged": list(jagged), "counter": counter, **tree}


LAYOUTS: dict[str, dict[str, Any]] = {
    "table": {"format": "table"},
    "npz": {"format": "npz", "stored": "float32"},
    "parquet": {"format": "parquet", "compression": "gzip"},
    "hdf5 matrix": layout_hdf5("matrix"),
    "hdf5 compound": layout_hdf5("compound"),
    "hdf5 group": layout_hdf5("group"),
    "root tree": layout_root("TTree"),
    "root ntuple": layout_root("RNTuple") | {"title": ""},
}
# Files with one type for all columns: integers are inferred from the values, and there are no booleans.
INFERRED = {"npz": ("float32", "int32", "int32"), "hdf5 matrix": ("float32", "int32", "int32")}


def numbers(rows: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    pt = rng.exponential(20.0, rows).astype(np.float32)
    return np.stack([pt, rng.integers(-9, 9, rows), rng.integers(0, 2, rows)], axis=1).astype(np.float64)


def write(
    path: Path, data: np.ndarray, layout: Mapping[str, Any], rows: int, dtypes: Sequence[str] = DTYPES
) -> dict[str, Any]:
    origin = {"source": "toy", "label": "toy data", "warnings": []}
    with open_sink(path, NAMES, dtypes, layout, origin) as sink:
        for start in range(0, len(data), rows):
            sink.write(Block(data[start : start + rows]))
    return origin


def joined(source: Source, rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    blocks = list(source.blocks(rows))
    for block in blocks:
        assert block.data.dtype == np.float64 and block.data.flags.c_contiguous
        assert block.data.shape[1] == len(source.names)
        assert block.counts is None or block.counts.sum() == len(block.data)
    counts = [block.counts for block in blocks if block.counts is not None]
    data = np.concatenate([np.empty((0, len(source.names))), *(block.data for block in blocks)])
    return data, np.concatenate(counts) if counts else None


def copied(path: Path, again: Path, rows: int, request: Request | None = None) -> None:
    with (
        open_source(path, request) as source,
        open_sink(again, source.names, source.dtypes, source.layout, source.origin) as sink,
    ):
        for block in source.blocks(rows):
            sink.write(block)


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
    table = table_from_file(str(path), request, rows=None, seed=0)
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


@pytest.mark.parametrize("form", ["table", "npz", "parquet", "root tree"])
def test_nan_and_infinity_pass(tmp_path: Path, form: str) -> None:
    data = numbers(6)
    data[:4, 0] = [np.nan, np.inf, -np.inf, -0.0]
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    write(path, data, LAYOUTS[form], 4)
    with open_source(path) as source:
        np.testing.assert_array_equal(joined(source, 5)[0], data)


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


# Jagged


def jagged(path: Path, ntuple: bool = False) -> ak.Array:
    events = ak.Array([[1.5, 2.5], [], [3.5], [], [4.5, 5.5, 6.5], []])
    branches = {"pt": ak.values_astype(events, np.float32), "q": ak.values_astype(events, np.int8)}
    flat = {"run": np.arange(6, dtype=np.int64), "met": np.arange(6.0), "bx": np.arange(6, dtype=np.uint16)}
    with uproot.recreate(path) as file:
        if ntuple:
            file.mkrntuple("Events", branches | flat)
        else:
            jets = {f"Jet_{name}": values for name, values in branches.items()}
            file.mktree("Events", jets | flat, counter_name=lambda _: "nJet")
    return events


@pytest.mark.parametrize("ntuple", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_objects_come_back_in_their_events(tmp_path: Path, ntuple: bool, rows: int) -> None:
    events = jagged(tmp_path / "a.root", ntuple)
    copied(tmp_path / "a.root", tmp_path / "b.root", rows)
    with open_source(tmp_path / "a.root") as one, open_source(tmp_path / "b.root") as other:
        assert (one.names, one.dtypes, one.layout) == (other.names, other.dtypes, other.layout)
        assert one.rows is None
        assert all(name in one.origin["warnings"][0] for name in ("run", "met", "bx"))
        (first, counts), (second, again) = joined(one, rows), joined(other, 2)
        assert max(len(block.data) for block in one.blocks(rows)) <= max(rows, 3)
    assert counts is not None and counts.dtype == np.int32
    assert counts.tolist() == again.tolist() == ak.num(events).to_list()  # type: ignore[union-attr]
    np.testing.assert_array_equal(first, second)
    with uproot.open(tmp_path / "b.root") as file:
        tree = file["Events"]
        name = "pt" if ntuple else "Jet_pt"
        assert tree[name].array().to_list() == events.to_list()
        assert ntuple or (tree[name].count_branch.name, tree["nJet"].array().to_list()) == ("nJet", counts.tolist())
        # Missing is never zero.
        lowest = np.iinfo(np.int64).min
        assert tree["run"].array().to_list() == [0, lowest, 2, lowest, 4, lowest]
        assert np.isnan(tree["met"].array()).tolist() == [False, True] * 3
        assert tree["bx"].array().to_list() == [0, 65535, 2, 65535, 4, 65535]


def test_a_tree_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.root", numbers(9), layout_root("TTree") | {"tree": "dir/Events"}, 4)
    copied(tmp_path / "a.root", tmp_path / "b.root", 5, Request(tree="dir/Events;1"))
    with open_source(tmp_path / "b.root", Request(tree="dir/Events")) as source:
        np.testing.assert_array_equal(joined(source, 5)[0], numbers(9))


def test_jagged_branches_without_a_counter_get_one(tmp_path: Path) -> None:
    jagged(tmp_path / "a.root", ntuple=True)
    with open_source(tmp_path / "a.root", Request(columns=("pt", "q"))) as source:
        layout = {**source.layout, "kind": "TTree"}
        with open_sink(tmp_path / "b.root", source.names, source.dtypes, layout, {}) as sink:
            for block in source.blocks(2):
                sink.write(block)
    with open_source(tmp_path / "b.root") as source:
        assert source.names == ("npt", "pt", "q")
        assert joined(source, 9)[0][:, 1].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_leading_objects_come_out_flat(tmp_path: Path) -> None:
    jagged(tmp_path / "a.root")
    request = Request(columns=("Jet_pt", "run"), layout="leading", leading=2)
    copied(tmp_path / "a.root", tmp_path / "b.root", 1, request)
    with open_source(tmp_path / "b.root") as source:
        assert source.names == ("Jet_pt_0", "Jet_pt_1", "run")
        assert source.dtypes == ("float32", "float32", "int64")
        data, counts = joined(source, 10)
    assert counts is None
    assert data.tolist() == [[1.5, 2.5, 0.0], [4.5, 5.5, 4.0]]


def test_branches_that_count_differently_are_found_in_any_step(tmp_path: Path) -> None:
    one, other = ak.Array([[1.0]] * 8), ak.Array([[1.0]] * 7 + [[1.0, 2.0]])
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("Events", {"Jet": ak.zip({"pt": one}), "Muon": ak.zip({"pt": other})})
    with (
        open_source(tmp_path / "a.root", Request(columns=("Jet_pt", "Muon_pt"))) as source,
        pytest.raises(InputError, match="event 7 has 1 and 2"),
    ):
        joined(source, 3)


def test_counts_and_jagged_branches_go_together(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="go together"),
        open_sink(tmp_path / "a.root", NAMES, DTYPES, layout_root("TTree", ["pt"], "nJet"), {}) as sink,
    ):
        sink.write(Block(numbers(3)))
    assert list(tmp_path.iterdir()) == []


@given(counts=st.lists(st.integers(0, 9), max_size=30), rows=st.integers(1, 12))
def test_events_are_cut_into_pieces(counts: list[int], rows: int) -> None:
    spans = list(event_spans(np.array(counts, dtype=np.int64), rows))
    assert [event for start, stop in spans for event in range(start, stop)] == list(range(len(counts)))
    for start, stop in spans:
        assert stop - start == 1 or sum(counts[start:stop]) <= rows
        assert stop == len(counts) or sum(counts[start : stop + 1]) > rows


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


# Bad input


def fails(path: Path, request: Request | None = None, file_format: str | None = None) -> str:
    with pytest.raises(InputError) as caught, open_source(path, request, file_format) as source:
        joined(source, 10)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", LAYOUTS)
def test_bad_files(tmp_path: Path, form: str) -> None:
    file_format = LAYOUTS[form]["format"]
    path = tmp_path / f"a.{SUFFIXES[file_format]}"
    assert "no such file" in fails(path, None, file_format)
    write(path, numbers(100), LAYOUTS[form], 50)
    assert "'px'" in fails(path, Request(columns=("px",)))
    assert "more than once" in fails(path, Request(columns=("pt", "pt")))
    if file_format != "root":
        assert "jagged" in fails(path, Request(layout="leading", leading=1))
    whole = path.read_bytes()
    for content in (b"", whole[:10], whole[: len(whole) // 2], b"pt,n\n1.5,2\n" * 90):
        path.write_bytes(content)
        fails(path)
        fails(path, None, file_format)


@pytest.mark.parametrize("form", ["table", "npz"])
def test_a_flipped_bit_among_the_values(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.npz"
    write(path, numbers(100), LAYOUTS[form], 50)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    assert "damaged" in fails(path)


def test_npz_files_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, data=np.ones((2, 2)), names=np.array(["a", "b"]))
    assert "is not a prepared table (missing: dtypes, origin)" in fails(path, None, "table")
    np.savez(path, data=np.ones((2, 2)))
    assert "no array 'names'" in fails(path)
    np.savez(path, data=np.array([[1, "a"]], dtype=object), names=np.array(["a", "b"]))
    assert "objects" in fails(path)
    np.savez(path, data=np.array([["x", "y"]]), names=np.array(["a", "b"]))
    assert "text" in fails(path)
    np.savez(path, data=np.ones((2, 3)), names=np.array(["a", "b"]))
    assert "shape" in fails(path)
    others = {"dtypes": np.array(["float64"] * 2), "origin": np.array("{}"), "names": np.array(["a", "b"])}
    for data in (np.ones((2, 3)), np.ones(2), np.ones((2, 2), dtype=np.float32)):
        np.savez(path, data=data, **others)
        assert "not a complete prepared table" in fails(path)


def test_parquet_without_a_value_in_a_later_batch(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0] * 25 + [None]}), tmp_path / "a.parquet")
    assert "'x' has no value at row 25" in fails(tmp_path / "a.parquet")


def test_a_format_without_a_suffix(tmp_path: Path) -> None:
    assert "--format" in fails(tmp_path / "a.csv")
    assert "needs --leading" in fails(tmp_path / "a.root", Request(layout="leading"))


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"format": "csv"},
        {"format": "npz"},
        {"format": "npz", "stored": "nonsense"},
        {"format": "parquet"},
        {"format": "parquet", "compression": "nonsense"},
        {"format": "hdf5", "kind": "matrix"},
        layout_hdf5("matrix") | {"kind": "tensor"},
        layout_hdf5("matrix") | {"stored": []},
        {"format": "root"},
        layout_root("TTree") | {"compression": ["nonsense", 1]},
    ],
)
def test_an_unknown_layout(tmp_path: Path, layout: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"a\.x"), open_sink(tmp_path / "a.x", NAMES, DTYPES, layout, {}):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", LAYOUTS)
def test_an_error_leaves_nothing(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{SUFFIXES[LAYOUTS[form]['format']]}"
    with (
        pytest.raises(RuntimeError, match="stop"),
        open_sink(path, NAMES, DTYPES, LAYOUTS[form], {}) as sink,
    ):
        sink.write(Block(numbers(5)))
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_caller_is_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", numbers(5), LAYOUTS["table"], 5)
    with pytest.raises(RuntimeError, match="mine"), open_source(tmp_path / "a.npz") as source:
        for _ in source.blocks(2):
            raise RuntimeError("mine")
    with open_source(tmp_path / "a.npz") as source, pytest.raises(ValueError, match="blocks of 0 rows"):
        next(source.blocks(0))


def test_a_block_of_another_width(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="for 3 columns"),
        open_sink(tmp_path / "a.npz", NAMES, DTYPES, {"format": "table"}, {}) as sink,
    ):
        sink.write(Block(np.ones((2, 2))))


# Real files


REAL = pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("cms_dimuon2012_20000.npz", None),
        ("cms_dimuon2012_20000.parquet", None),
        ("cms_dimuon2012_20000.h5", None),
        ("lhcb_B2HHH_4322x26.npz", None),
        ("cms_DoubleMuParked2012_100k_muons.root", None),
        ("cms_OpenData2015_nanoAOD_ttbar_200ev.root", ("Jet_*", "event")),
    ],
)


@REAL
def test_real_files_match_other_readers(
    shared: Callable[[str], Path], name: str, columns: tuple[str, ...] | None
) -> None:
    path = shared(f"data/{name}")
    table = table_from_file(str(path), Request(columns=columns), rows=None, seed=0)
    by_suffix = {".parquet": pd.read_parquet, ".h5": _by_h5py, ".npz": _by_numpy}
    theirs = _by_uproot(path, columns) if path.suffix == ".root" else by_suffix[path.suffix](path)
    for place, column in enumerate(table.names):
        np.testing.assert_array_equal(table.data[:, place], np.asarray(theirs[column], np.float64))


def _by_uproot(path: Path, columns: tuple[str, ...] | None) -> dict[str, Any]:
    with uproot.open(path) as file:
        events = file["Events"].arrays(filter_name=columns or "*")
    objects = next(name for name in events.fields if name.startswith(("Jet_", "Muon_")))
    return {
        name: ak.flatten(ak.broadcast_arrays(events[name], events[objects])[0], axis=None) for name in events.fields
    }


def _by_h5py(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        (dataset,) = (item for item in file.values() if "names" in item.attrs)
        return dict(zip(dataset.attrs["names"], dataset[:].T, strict=True))


def _by_numpy(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(zip(arrays["names"].tolist(), arrays["data"].T, strict=True))


@REAL
def test_real_files(shared: Callable[[str], Path], tmp_path: Path, name: str, columns: tuple[str, ...] | None) -> None:
    path, request = shared(f"data/{name}"), Request(columns=columns)
    whole = table_from_file(str(path), request, rows=None, seed=0)
    copied(path, tmp_path / name, 777, request)
    counts = []
    for file, rows in ((path, 10_000), (tmp_path / name, 999)):
        with open_source(file, request) as source:
            assert source.names == whole.names
            # uproot counts objects in int32 only.
            dtypes = [dtype for name, dtype in zip(source.names, source.dtypes, strict=True) if name != "nMuon"]
            assert dtypes == [dtype for name, dtype in zip(whole.names, whole.dtypes, strict=True) if name != "nMuon"]
            data, own = joined(source, rows)
        np.testing.assert_array_equal(data, whole.data)
        counts.append(None if own is None else own.tolist())
    assert counts[0] == counts[1]
    assert (counts[0] is not None) == name.endswith(".root")
