"""What a file states about its size, and what is no file at all, is refused before it costs anything."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from block_files import LAYOUTS, copied, numbers, write
from read_columns import column, fails, read, refused

from baler_energy.data.ingest import tables_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source


def bomb(path: Path, rows: int, names: np.ndarray, dtype: str = "<f8") -> None:
    """Write an npz file of zeros with Deflate, without ever holding them."""
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, 2), dtype)) | {"shape": (rows, 2)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("data.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for _ in range(rows * 2 * np.dtype(dtype).itemsize >> 20):
                member.write(bytes(1 << 20))
        with archive.open("names.npy", "w") as member:
            np.lib.format.write_array(member, names)


def test_a_zip_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    bomb(path, 17 << 20, np.array(["a", "b"]))
    assert path.stat().st_size < 1 << 20
    assert "more than 200 times as many" in fails(path)
    with pytest.raises(InputError, match="more than 200 times as many"):
        Table.read(path)
    bomb(path, 1 << 18, np.array(["a", "b"]))  # 4 MB, which any machine has
    assert read(path).rows == 1 << 18


def test_millions_of_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, data=np.empty((0, 3_000_000)), names=np.zeros(3_000_000, "S1"))
    assert path.stat().st_size < 10_000
    assert "states 300,000,000 B of values" in fails(path)
    with pytest.raises(InputError, match="states 300,000,000 B of values"):
        Table.read(path)


@pytest.mark.parametrize("shape", ["(10000000000, 2)", "(2, 10000000000)", "(-5, -2)", "(5, 3)", "(5,)"])
@pytest.mark.parametrize("member", ["data", "names"])
def test_an_array_that_states_another_size_than_it_has_is_refused(tmp_path: Path, shape: str, member: str) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in {"data": np.ones((5, 2)), "names": np.array(["a", "b"])}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
        with archive.open(f"{member}2.npy", "w") as file:
            file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little"))
            text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
            file.write(text.ljust(117).encode() + b"\n" + bytes(80))
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "b.npz", "w") as other:
        for name in ("data.npy", "names.npy"):
            other.writestr(name, archive.read(f"{member}2.npy" if name == f"{member}.npy" else name))
    fails(tmp_path / "b.npz")


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.ones((50, 2)), names=np.array(["a", "b"]))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        info = archive.getinfo("data.npy")
        for number in range(9):
            again = zipfile.ZipInfo(f"{number}.npy")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(again, field, getattr(info, field))
            archive.filelist.append(again)
        archive._didModify = True
    fails(tmp_path / "a.npz")


def test_hdf5_shapes_beyond_the_file_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t/x", (10**10,), "f8", chunks=(1 << 20,), compression="gzip")
    fails(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("t/x", data=np.zeros(34 << 20), chunks=(1 << 22,), compression="gzip")
    assert "more than 200 times as many" in fails(tmp_path / "b.h5")


def test_parquet_rows_beyond_the_file_are_refused(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 20, np.int8)), pa.array([1.5])).dictionary_decode()
    schema = pa.schema({"x": pa.float64(), "y": pa.float64()})
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for _ in range(20):
            writer.write_table(pa.table({"x": column, "y": column}))
    assert "more than 200 times as many" in fails(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
@pytest.mark.parametrize("layout", [{}, {"layout": "leading", "leading": 1}])
def test_objects_beyond_the_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, layout: dict[str, object]
) -> None:
    """The objects of an event are read at once."""
    monkeypatch.setattr("baler_energy.damage.FREE_B", 1 << 20)
    path, zeros = tmp_path / "a.root", ak.unflatten(np.zeros(1 << 21, np.float32), [1 << 21])
    with uproot.recreate(path, compression=uproot.ZSTD(5)) as file:
        make = file.mktree if kind == "TTree" else file.mkrntuple
        make("Events", {"pt": zeros})
    assert "more than 200 times as many" in fails(path, **layout)


def test_groups_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    """HDF5 takes minutes for a few thousand of them."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group: h5py.Group = file
        for _ in range(150):
            group = group.create_group("g")
        group["x"] = np.arange(3.0)
    assert "more than 100 deep" in fails(tmp_path / "a.h5")


def test_a_branch_without_a_name_comes_back(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("Events", {"": "f8", "y": "f8"}).extend({"": np.arange(3.0), "y": np.arange(3.0) + 5})
    copied(tmp_path / "a.root", tmp_path / "b.root", 2)
    columns = read(tmp_path / "b.root")
    assert columns.names == ("", "y") and column(columns, "").tolist() == [0, 1, 2]


def test_what_needs_too_much_memory_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.h5", numbers(20), LAYOUTS["hdf5 group"], 20)

    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr("baler_energy.formats.base.matrix", full)
    assert "needs more memory than there is (Unable to allocate 74.5 GiB)" in refused(tmp_path / "a.h5")


# Files that are none


@pytest.mark.parametrize("suffix", ["npz", "parquet", "h5", "root"])
def test_pipes_and_devices_are_refused_before_they_are_read(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    (tmp_path / f"zeros.{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        path = tmp_path / f"{name}.{suffix}"
        assert "is not a file" in fails(path)
        for sha256 in (None, "0" * 64):
            with pytest.raises(InputError, match="is not a file"):
                tables_from_file(str(path), Request(), rows=None, seed=0, sha256=sha256)
        with pytest.raises(InputError, match="is not a file"):
            Table.read(path)


# Very many columns


class Compared(str):
    """A name that counts how often names are compared."""

    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return str.__eq__(self, other)


@pytest.mark.parametrize("named", [False, True])
def test_names_are_chosen_in_linear_time(named: bool) -> None:
    from baler_energy.formats.reading import choose

    names = [Compared(f"column {number}") for number in range(2000)]
    wanted = [Compared(str(name)) for name in names] if named else None
    Compared.count = 0
    assert len(choose("a", wanted, names)) == 2000
    assert Compared.count < 20 * len(names)


@pytest.mark.parametrize(("wanted", "near"), [("jet_ptt", "jet_pt"), ("het_pt", "jet_pt"), ("c50001x", "c50001")])
def test_near_misses_among_very_many_names_are_found_without_comparing_all(
    monkeypatch: pytest.MonkeyPatch, wanted: str, near: str
) -> None:
    from baler_energy.formats import reading

    compared: list[int] = []
    close = reading.difflib.get_close_matches

    def count(word: str, possibilities: Sequence[str], **options: float) -> list[str]:
        compared.append(len(possibilities))
        return close(word, possibilities, **options)

    monkeypatch.setattr(reading.difflib, "get_close_matches", count)
    names = [f"c{number}" for number in range(100_000)]
    names.insert(4567, "jet_pt")
    with pytest.raises(InputError) as caught:
        reading.choose("a", [wanted], names)
    assert str(caught.value).partition("It has: ")[2].startswith(f"{near}, ") and sum(compared) <= 2000


def test_a_table_of_very_many_columns_is_read_in_smaller_blocks(tmp_path: Path) -> None:
    names = tuple(f"c{number}" for number in range(20_000))
    np.savez(tmp_path / "a.npz", data=np.ones((2000, len(names)), np.int8), names=np.array(names))
    with open_source(tmp_path / "a.npz", Request(columns=names)) as source:
        sizes = [len(block.data) for block in source.blocks(1 << 16)]
    assert sum(sizes) == 2000 and max(sizes) == (1 << 28) // (8 * len(names))
