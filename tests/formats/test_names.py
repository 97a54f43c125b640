"""Names that are not unique in a file: distinguished by their full path, or refused; never silently one of them."""

import io
import zipfile
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from block_files import layout_root, write
from read_columns import column, fails, read

from baler_energy.data.ingest import tables_from_file
from baler_energy.errors import InputError
from baler_energy.formats import Block, Request, open_sink, open_source
from baler_energy.formats.reading import choose

FIRST, SECOND, OTHER = np.arange(4.0), np.arange(4.0) + 10, np.arange(4.0) + 20


def write_npz(path: Path) -> None:
    np.savez(path, data=np.stack([FIRST, SECOND, OTHER], axis=1), names=np.array(["x", "x", "y"]))


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([FIRST, SECOND, OTHER], names=["x", "x", "y"]), path)


def write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("jets", data=np.stack([FIRST, SECOND, OTHER], axis=1))
        dataset.attrs["names"] = ["x", "x", "y"]


def write_root(path: Path) -> None:
    """Rename a branch in the file's bytes, since uproot writes no two of a name."""
    with uproot.recreate(path, compression=None) as file:
        file.mktree("Events", {"xx": FIRST.dtype, "xz": FIRST.dtype, "y": FIRST.dtype})
        file["Events"].extend({"xx": FIRST, "xz": SECOND, "y": OTHER})
    path.write_bytes(path.read_bytes().replace(b"\x02xz", b"\x02xx"))


FILES = {"npz": (write_npz, "x"), "parquet": (write_parquet, "x"), "h5": (write_hdf5, "x"), "root": (write_root, "xx")}


@pytest.mark.parametrize("suffix", FILES)
def test_a_column_whose_name_occurs_twice_is_refused_and_the_others_are_read(tmp_path: Path, suffix: str) -> None:
    write_file, name = FILES[suffix]
    path = tmp_path / f"a.{suffix}"
    write_file(path)
    for request in ({}, {"columns": (name,)}, {"columns": ("y", name)}, {"columns": (f"{name}*",)}):
        assert f"{name!r} occurs more than once" in fails(path, **request)
    with pytest.raises(InputError, match=f"{name!r} occurs more than once"):
        tables_from_file(str(path), Request(columns=(name,)), rows=None, seed=0)
    columns = read(path, columns=("y",))
    assert columns.names == ("y",) and columns.arrays[0].tolist() == OTHER.tolist()
    assert columns.unused is not None


def test_the_end_of_several_full_names_is_refused_with_the_list() -> None:
    available = ["entrance/time", "exit/time", "energy"]
    assert choose("a.root", ["exit/time"], available, "branch") == ("exit/time",)
    with pytest.raises(InputError, match=r"branch 'time' is not unique.*entrance/time, exit/time"):
        choose("a.root", ["time"], available, "branch")
    with pytest.raises(InputError, match="has no branch 'tim'"):
        choose("a.root", ["tim"], available, "branch")


def test_branches_of_several_objects_are_told_apart_by_their_objects(shared) -> None:
    path = shared("faults/uproot-issue-513.root")
    tree = "TrkAnaNeg/trkana"
    with uproot.open(path) as file:
        branches = {name: branch for name, branch in file[tree].iteritems() if branch.name == "_time"}
        expected = {name: ak.to_numpy(branch.array()) for name, branch in branches.items()}
    assert len(expected) == 3
    with pytest.raises(InputError, match="'_time' is not unique"), open_source(path, Request(("_time",), tree)):
        pass
    names = tuple(reversed(expected))
    for rows in (7, 10_000):
        with open_source(path, Request(names, tree)) as source:
            found = np.concatenate([block.data for block in source.blocks(rows)])
            assert source.names == names
        for place, name in enumerate(names):
            np.testing.assert_array_equal(found[:, place], expected[name])
    table, _ = tables_from_file(str(path), Request(names, tree), rows=None, seed=0)
    np.testing.assert_array_equal(table.data, found)


def duplicate_member(path: Path, name: str, values: np.ndarray) -> None:
    """Append another array of the same name."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"{name}.npy", buffer.getvalue())


@pytest.mark.parametrize("name", ["data", "names"])
@pytest.mark.parametrize("form", ["npz", "table"])
def test_an_array_that_is_twice_in_an_npz_file_is_refused(tmp_path: Path, form: str, name: str) -> None:
    path = tmp_path / "a.npz"
    layout = {"format": "table"} if form == "table" else {"format": "npz", "stored": "float32"}
    write(path, np.ones((4, 3)), layout, 4)
    with zipfile.ZipFile(path) as archive:
        values = np.load(archive.open(f"{name}.npy"))
    duplicate_member(path, name, values)
    assert f"array {name!r} occurs more than once" in fails(path)


def test_a_flat_branch_named_as_a_leading_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file["Events"] = {"pt": ak.Array([[1.0, 2.0], [3.0, 4.0]]), "pt_0": np.array([7.0, 8.0])}
    leading = {"layout": "leading", "leading": 2}
    assert "'pt_0' occurs more than once" in fails(path, columns=("pt", "pt_0"), **leading)
    assert read(path, columns=("pt",), **leading).names == ("pt_0", "pt_1")


def test_a_counter_that_the_file_gets_does_not_replace_a_column_of_its_name(tmp_path: Path) -> None:
    names, dtypes = ("jet", "njet"), ("float64", "int64")
    counts = np.array([2, 1], np.int32)
    layout = layout_root("TTree", ["jet"])
    with open_sink(tmp_path / "a.root", names, dtypes, layout, {}) as sink:
        sink.write(Block(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 9.0]]), counts))
    with uproot.open(tmp_path / "a.root") as file:
        assert file["Events"]["njet"].array().tolist() == [7, 9]
        assert file["Events"]["jet"].array().tolist() == [[1.0, 2.0], [3.0]]
    columns = read(tmp_path / "a.root", columns=names)
    assert column(columns, "njet").tolist() == [7, 7, 9]
