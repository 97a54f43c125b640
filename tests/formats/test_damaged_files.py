"""Every format's door: a file damaged in any way ends as data or as one message; checksums in it are used."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
import xxhash
from block_files import LAYOUTS, SUFFIXES, copied, joined, layout_hdf5, layout_root, numbers, write
from mutations import ended, survived
from read_columns import fails, read

from baler_energy.data.table import Table
from baler_energy.files import write_parquet
from baler_energy.formats import Block, open_sink, open_source

ROWS = 100


def whole(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], bytes]:
    with open_source(path) as source:
        return source.names, source.dtypes, joined(source, 40)[0].tobytes()


def fortran(path: Path, data: np.ndarray, save: Callable[..., None] = np.savez) -> Path:
    save(path, data=np.asfortranarray(data), names=np.array(["pt", "n", "good"]))
    return path


def with_events(path: Path) -> Path:
    layout = layout_root("TTree", ["pt", "n"], "nJet")
    counts = np.array([3, 0, 7, 0, *[3] * 30], np.int32)
    with open_sink(path, ("pt", "n", "met"), ("float32", "int16", "float64"), layout, {}) as sink:
        sink.write(Block(numbers(ROWS), counts))
    return path


def files_of(folder: Path, file_format: str) -> list[Path]:
    """Write files of a format, in every layout."""
    found = []
    for form, layout in LAYOUTS.items():
        if layout["format"] == file_format or file_format == "npz" == SUFFIXES[layout["format"]]:
            found.append(folder / f"{form.replace(' ', '-')}.{SUFFIXES[layout['format']]}")
            write(found[-1], numbers(ROWS), layout, 50)
    if file_format == "npz":
        found.append(fortran(folder / "fortran.npz", numbers(ROWS)))
        found.append(fortran(folder / "packed.npz", numbers(ROWS), np.savez_compressed))
    if file_format == "parquet":
        found.append(folder / "plain.parquet")
        schema = pa.schema({"pt": pa.float32(), "n": pa.int16(), "good": pa.bool_()})
        with pq.ParquetWriter(found[-1], schema, compression="gzip") as writer:
            for block in np.split(numbers(ROWS), 2):
                columns = zip(block.T, schema.types, strict=True)
                arrays = [pa.array(column.astype(kind.to_pandas_dtype())) for column, kind in columns]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
    if file_format == "root":
        found.append(with_events(folder / "events.root"))
    if file_format == "hdf5":
        found.append(folder / "fletcher.h5")
        write(found[-1], numbers(ROWS), layout_hdf5("group") | {"fletcher32": True}, 50)
    return found


@pytest.mark.parametrize("file_format", ["npz", "parquet", "hdf5", "root"])
def test_a_damaged_file_ends_as_data_or_as_one_message(tmp_path: Path, file_format: str) -> None:
    files = files_of(tmp_path, file_format)
    for file, found in survived(whole, tmp_path, files):
        # The zip has a checksum of every array.
        assert file_format != "npz" or found == whole(file)


@pytest.mark.parametrize("form", ["table", "npz"])
def test_any_flipped_bit_of_a_prepared_table_is_refused_or_harmless(tmp_path: Path, form: str) -> None:
    write(tmp_path / "a.npz", numbers(5), LAYOUTS[form], 5)
    content = (tmp_path / "a.npz").read_bytes()
    expected = whole(tmp_path / "a.npz")
    for place in range(0, len(content), 5):
        (tmp_path / "b.npz").write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert ended(whole, tmp_path / "b.npz") in (None, expected)
        if form == "table":
            table = ended(Table.read, tmp_path / "b.npz")
            assert table is None or table.data.tobytes() == expected[2]


# Checksums


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_flipped_value_in_fortran_order_is_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    content = fortran(tmp_path / "a.npz", numbers(2000), save).read_bytes()
    expected = whole(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        info = archive.getinfo("data.npy")
    rng = np.random.default_rng(5)
    for place in rng.integers(info.header_offset + 200, info.header_offset + info.compress_size, 200):
        (tmp_path / "b.npz").write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        # A bit after the end of the compressed bytes means nothing.
        assert ended(whole, tmp_path / "b.npz") in ((None,) if save is np.savez else (None, expected))


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_that_is_shorter_than_its_member_is_refused(tmp_path: Path, order: str) -> None:
    """The checksum would not be looked at: the end of the member is not reached."""
    np.savez(tmp_path / "a.npz", data=np.array(numbers(1000), order=order), names=np.array(["pt", "n", "good"]))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(b"'shape': (1000, 3)", b"'shape': (10  , 3)"))
    assert "does not take" in fails(tmp_path / "a.npz")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_a_parquet_page_whose_checksum_does_not_match_is_refused(
    tmp_path: Path, version: str, dictionary: bool
) -> None:
    options = {"data_page_version": version, "use_dictionary": dictionary, "compression": "none"}
    data = np.random.default_rng(1).normal(size=1000)
    pq.write_table(pa.table({"x": data}), tmp_path / "a.parquet", write_page_checksum=True, **options)
    np.testing.assert_array_equal(read(tmp_path / "a.parquet").arrays[0], data)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4000] ^= 1
    (tmp_path / "a.parquet").write_bytes(content)
    assert "CRC" in fails(tmp_path / "a.parquet")


def test_a_public_parquet_file_with_a_wrong_checksum_is_refused(shared: Callable[[str], Path]) -> None:
    assert "CRC" in fails(shared("faults/datapage_v1-corrupt-checksum.parquet"))


def test_our_own_parquet_files_have_checksums(tmp_path: Path) -> None:
    write(tmp_path / "sink.parquet", numbers(500), LAYOUTS["parquet"] | {"compression": "none"}, 500)
    frame = pa.table({"x": np.random.default_rng(1).normal(size=500)}).to_pandas()
    write_parquet(tmp_path / "frame.parquet", frame)
    for name in ("sink", "frame"):
        content = bytearray((tmp_path / f"{name}.parquet").read_bytes())
        content[500] ^= 1
        (tmp_path / f"{name}.parquet").write_bytes(content)
        fails(tmp_path / f"{name}.parquet")
        with pytest.raises(OSError, match="CRC"):
            pq.read_table(tmp_path / f"{name}.parquet", page_checksum_verification=True)


def test_hdf5_checksums_are_checked_and_kept(tmp_path: Path) -> None:
    data = np.random.default_rng(1).normal(size=1000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("t/x", data=data, fletcher32=True, chunks=(1000,))
        place = file["t/x"].id.get_chunk_info(0).byte_offset + 100
    copied(tmp_path / "a.h5", tmp_path / "again.h5", 300)
    with h5py.File(tmp_path / "again.h5") as file:
        assert file["t/x"].fletcher32
        np.testing.assert_array_equal(file["t/x"], data)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[place] ^= 1
    (tmp_path / "a.h5").write_bytes(content)
    assert "damaged" in fails(tmp_path / "a.h5")


def test_a_member_that_is_missing_in_the_directory_of_a_zip_is_missed(tmp_path: Path) -> None:
    """Without it, the table would count as a file of Baler, with types inferred from the values."""
    write(tmp_path / "a.npz", numbers(5), LAYOUTS["table"], 5)
    content = (tmp_path / "a.npz").read_bytes()
    start, name = content.rindex(b"PK\x01\x02"), content.rindex(b"origin.npy")
    assert start < name
    entry = content[start : content.rindex(b"PK\x05\x06")]
    size = int.from_bytes(content[-10:-6], "little")
    end = content[-22:-10] + (size - len(entry)).to_bytes(4, "little") + content[-6:]
    (tmp_path / "a.npz").write_bytes(content[:start] + end)
    assert "its directory has 3 members, but states 4" in fails(tmp_path / "a.npz")


def test_checksums_of_the_pages_of_an_rntuple(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ROOT writes them; uproot does not, so they are added to what it writes."""
    from uproot.writing import _cascadentuple as writer

    add, serialize = writer.NTuple.add_rblob, writer.NTuple_PageDescription.serialize

    def with_checksum(self: object, sink: object, content: object, size: int) -> object:
        stored = bytes(content)  # type: ignore[call-overload]
        digest = xxhash.xxh3_64_intdigest(stored).to_bytes(8, "little")
        return add(self, sink, np.frombuffer(stored + digest, np.uint8), size)

    def negative(self: "writer.NTuple_PageDescription") -> bytes:
        return (-self.num_entries).to_bytes(4, "little", signed=True) + serialize(self)[4:]

    monkeypatch.setattr(writer.NTuple, "add_rblob", with_checksum)
    monkeypatch.setattr(writer.NTuple_PageDescription, "serialize", negative)
    path = tmp_path / "a.root"
    write(path, numbers(500), layout_root("RNTuple") | {"title": "", "compression": None}, 250)
    monkeypatch.undo()
    with uproot.open(path) as file:
        page = file["Events"].page_link_list[1][0].pages[0]
        assert page.has_checksum
    np.testing.assert_array_equal(np.stack(read(path).arrays, axis=1), numbers(500))
    content = bytearray(path.read_bytes())
    content[page.locator.offset + 30] ^= 1
    path.write_bytes(content)
    assert "checksum" in fails(path)
    assert "checksum" in fails(path, columns=("pt",))
    assert read(path, columns=("n",)).rows == 500


@pytest.mark.parametrize("compression", [None, ["ZLIB", 1]])
def test_the_checksum_of_the_list_of_pages_of_an_rntuple(tmp_path: Path, compression: list[object] | None) -> None:
    """It says where the pages are, so that values of other places would be read."""
    layout = layout_root("RNTuple") | {"title": "", "compression": compression}
    path = tmp_path / "a.root"
    write(path, numbers(400), layout, 20)
    with uproot.open(path) as file:
        place = file["Events"].footer.cluster_group_records[-1].page_list_link.locator
        pages = file["Events"].page_link_list[-1]
        offsets = [pages[column].pages[0].locator.offset for column in (0, 1)]
    content = bytearray(path.read_bytes())
    if compression is None:
        # The pages of the second column in place of those of the first.
        start = content.index(offsets[0].to_bytes(8, "little"), place.offset)
        assert start < place.offset + place.num_bytes
        content[start : start + 8] = offsets[1].to_bytes(8, "little")
    else:
        content[place.offset + place.num_bytes // 2] ^= 1
    path.write_bytes(content)
    message = fails(path)
    assert "checksum of list" in message or compression


# Values that are not in the file


def test_hdf5_values_in_other_files_are_left_out_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["t/x"] = np.arange(10.0)
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "t/x", (10,))
    with h5py.File(path, "w") as file:
        file["virtual/y"] = np.arange(10.0)
        file.create_virtual_dataset("virtual/x", layout)
        file["external/y"] = np.arange(10.0)
        file.create_dataset("external/x", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
        file["linked/y"] = np.arange(10.0)
        file["linked/x"] = h5py.ExternalLink(tmp_path / "other.h5", "/t/x")
        file["linked/folder"] = h5py.ExternalLink(tmp_path / "other.h5", "/t")
        file["indirect/y"] = np.arange(10.0)
        file["indirect/x"] = h5py.SoftLink("/linked/folder/x")
    for source in (tmp_path / "other.h5", tmp_path / "other.h5"):
        for tree in ("virtual", "external", "linked", "indirect"):
            message = fails(path, tree=tree, columns=("y", "x"))
            assert "other file" in message or "another file" in message
            columns = read(path, tree=tree)
            assert columns.names == ("y",) and columns.rows == 10
            assert columns.warnings[0].startswith("columns with values missing from the file were left out: ")
            assert "x is " in columns.warnings[0]
            assert columns.unused == "columns that were not read"
        source.unlink(missing_ok=True)  # once with the other file, once without


def test_hdf5_values_that_were_never_written_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, options in {"whole": {}, "chunked": {"chunks": (4,)}, "packed": {"compression": "gzip"}}.items():
            file.create_dataset(f"{name}/x", (10,), "f8", **options)
        file.create_dataset("part/x", (10,), "f8", chunks=(4,))[:4] = 1.0
        file.create_dataset("compact/x", data=np.arange(3.0))
        file.create_dataset("matrix", (10, 2), "f8").attrs["names"] = ["x", "y"]
        file["some/y"] = np.arange(10.0)
        file.create_dataset("some/x", (10,), "f8")
        h5py.h5d.create(file["some"].id, b"time", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((10,)))
    for tree in ("whole", "chunked", "packed", "part", "matrix"):
        assert "is not written, at least in part" in fails(path, tree=tree)
    assert read(path, tree="compact").rows == 3
    columns = read(path, tree="some")
    assert columns.names == ("y",) and any("x is not written" in warning for warning in columns.warnings)
    assert "x is not written" in fails(path, tree="some", columns=("x", "y"))


def test_branches_with_values_in_other_files_are_left_out_or_refused(
    fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = uproot.model.Model.all_members.fget

    def elsewhere(self: uproot.model.Model) -> dict[str, object]:
        return members(self) | ({"fFileName": "other.root"} if getattr(self, "name", None) == "met" else {})

    monkeypatch.setattr(uproot.model.Model, "all_members", property(elsewhere))
    columns = read(fixtures / "jets.root")
    assert "met" not in columns.names and "event" in columns.names
    assert (
        "branches with values missing from the file were left out: met is in another file (other.root)"
        in columns.warnings
    )
    assert "met is in another file" in fails(fixtures / "jets.root", columns=("met", "event"))
    assert read(fixtures / "jets.root", columns=("event",)).rows == 57


def test_a_heap_on_which_hdf5_never_ends_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", numbers(20), LAYOUTS["hdf5 matrix"], 20)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    start = content.index(b"GCOL")
    content[start + 16 : start + 64] = bytes(48)
    (tmp_path / "a.h5").write_bytes(content)
    assert "an object of 0 B in a heap" in fails(tmp_path / "a.h5")


# Parts that cannot be read


def test_a_damaged_basket_is_damage_and_not_a_branch_to_leave_out(fixtures: Path, tmp_path: Path) -> None:
    with uproot.open(fixtures / "jets.root") as file:
        start = file["Events"]["met"].member("fBasketSeek")[0]
    content = bytearray((fixtures / "jets.root").read_bytes())
    content[start + 70 : start + 300] = bytes(230)
    (tmp_path / "a.root").write_bytes(content)
    assert "damaged" in fails(tmp_path / "a.root")
    assert "met" not in read(tmp_path / "a.root", columns=("event",)).names
