"""Columns and files that cannot be read: left out with a warning, or one message that says what is missing."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from read_columns import column, fails, read, refused


def test_a_branch_that_uproot_cannot_decode_is_left_out(shared: Callable[[str], Path]) -> None:
    columns = read(shared("faults/x-flat-tree.root"))
    assert len(columns.names) > 1 and columns.rows > 0
    assert "left out" in columns.warnings[0]


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), RuntimeError("y"), AttributeError("z")])
def test_a_branch_with_any_error_is_left_out_unless_it_is_named(
    fixtures: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    array = uproot.TBranch.array

    def broken(self: uproot.TBranch, *args: object, **options: object) -> object:
        if self.name == "met":
            raise error
        return array(self, *args, **options)

    known = uproot.behaviors.TBranch.TBranch.interpretation.fget
    monkeypatch.setattr(
        uproot.behaviors.TBranch.TBranch,
        "interpretation",
        property(lambda self: uproot.AsDouble32(0.0, 0.0, 32) if self.name == "met" else known(self)),
    )
    monkeypatch.setattr(uproot.TBranch, "array", broken)
    columns = read(fixtures / "jets.root")
    assert "met" not in columns.names and "event" in columns.names
    assert columns.warnings == ("branches that are not plain numbers were left out: met",)
    assert "met" in fails(fixtures / "jets.root", columns=("met",))


def test_parquet_columns_of_every_other_kind_are_left_out(tmp_path: Path) -> None:
    others = {
        "text": pa.array(["a", "b"]),
        "bytes": pa.array([b"a", b"b"]),
        "time": pa.array([1, 2], pa.timestamp("us")),
        "day": pa.array([1, 2], pa.date32()),
        "lasted": pa.array([1, 2], pa.duration("s")),
        "exact": pa.array([1, 2], pa.decimal128(5, 1)),
        "kind": pa.array(["a", "b"]).dictionary_encode(),
        "list": pa.array([[1.0], []]),
        "both": pa.array([{"x": 1.0}, {"x": 2.0}]),
        "none": pa.nulls(2),
    }
    pq.write_table(pa.table({**others, "x": [1.5, 2.5]}), tmp_path / "a.parquet")
    columns = read(tmp_path / "a.parquet")
    assert columns.names == ("x",) and column(columns, "x").tolist() == [1.5, 2.5]
    assert columns.warnings == (f"columns that are not plain numbers were left out: {', '.join(others)}",)
    for name in others:
        assert name in fails(tmp_path / "a.parquet", columns=("x", name))


def test_hdf5_columns_of_every_other_kind_are_left_out(tmp_path: Path) -> None:
    time = np.array(["2026-11-30", "2026-12-01"], "M8[s]")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t/x"] = [1.5, 2.5]
        file["t/text"] = ["a", "b"]
        file["t/complex"] = [1j, 2j]
        file["t/opaque"] = time.astype(h5py.opaque_dtype(time.dtype))
        # NumPy has no such type.
        h5py.h5d.create(file["t"].id, b"time", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((2,)))
    columns = read(tmp_path / "a.h5")
    assert columns.names == ("x",) and columns.arrays[0].tolist() == [1.5, 2.5]
    assert set(columns.warnings[0].partition(": ")[2].split(", ")) == {"text", "complex", "opaque", "time"}
    assert "time" in fails(tmp_path / "a.h5", columns=("time",))


def test_an_hdf5_column_of_another_length_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"], file["run"] = [1.5, 2.5], [3.0, 4.0], [7]
    columns = read(path)
    assert columns.names == ("x", "y") and [values.tolist() for values in columns.arrays] == [[1.5, 2.5], [3.0, 4.0]]
    assert columns.warnings == ("columns that do not have 2 rows, as most do, were left out: run has 1",)
    assert columns.unused == "columns that were not read"
    assert read(path, columns=("run",)).arrays[0].tolist() == [7]
    for names in (("x", "run"), ("*",)):
        assert "differ in length: " in fails(path, columns=names)
    with h5py.File(path, "a") as file:
        file["lumi"] = [0.5]
    assert "differ in length: lumi has 1, run has 1, x has 2, y has 2." in fails(path)


def test_a_missing_hdf5_filter_is_named(tmp_path: Path) -> None:
    path, unknown = tmp_path / "a.h5", 32_999
    with h5py.File(path, "w") as file:
        file["t/y"] = np.arange(10.0)
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((10,))
        created.set_filter(unknown, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((10,))
        dataset = h5py.h5d.create(file["t"].id, b"x", h5py.h5t.NATIVE_DOUBLE, space, created)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(10.0))
    message = refused(path)
    assert "/t/x" in message and "filter 32999" in message and "hdf5plugin" in message
    assert read(path, columns=("y",)).rows == 10


def test_a_public_file_with_a_missing_filter(shared: Callable[[str], Path]) -> None:
    path = shared("faults/h5_blosc.h5")
    if h5py.h5z.filter_avail(32001):
        pytest.skip("the filter is loaded")
    assert "filter 32001 (blosc" in refused(path) and "hdf5plugin" in refused(path)


def test_arrangements_of_pandas_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in ("fixed", "table", "columns"):
            file.create_group(name).attrs["pandas_type"] = np.bytes_("frame" if name == "fixed" else "frame_table")
        file["fixed/axis0"] = np.array([b"pt", b"eta"])
        file["fixed/axis1"] = np.arange(3)
        file["fixed/block0_items"] = np.array([b"pt", b"eta"])
        file["fixed/block0_values"] = np.ones((3, 2))
        file["table/table"] = np.zeros(3, [("index", "i8"), ("values_block_0", "f8", (2,))])
        file["columns/table"] = np.zeros(3, [("index", "i8"), ("pt", "f8")])
        file["columns/_i_table/index/abounds"] = np.arange(4)
    for tree in ("fixed", "table"):
        message = fails(path, tree=tree)
        assert "written by pandas" in message and f"read_hdf('{path}', '{tree}').to_parquet(" in message
    assert read(path, tree="columns/table").names == ("index", "pt")
    with h5py.File(path, "a") as file:
        del file["columns"]
    assert "written by pandas" in fails(path)


def test_files_of_pandas(shared: Callable[[str], Path]) -> None:
    assert "read_hdf(" in fails(shared("faults/pandas_fixed.h5"))
    columns = read(shared("faults/pandas_table.h5"))
    assert (columns.names, columns.rows) == (("index", "pt", "eta", "n"), 50)
