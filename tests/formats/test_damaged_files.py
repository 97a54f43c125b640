"""Every format's door: a file damaged in any way ends as data or as one message; checksums in it are used."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
import xxhash
from block_files import LAYOUTS, SUFFIXES, copied, joined, layout_hdf5, layout_root, numbers, write
from mutations import ended, survived
from read_columns import column, fails, read

from baler_energy.data.ingest import tables_from_file
from baler_energy.data.table import Table
from baler_energy.errors import InputError, UnavailableError
from baler_energy.files import write_parquet
from baler_energy.formats import Block, Request, open_sink, open_source

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


def test_hdf5_values_in_other_files_are_refused(tmp_path: Path) -> None:
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
            for columns in (None, ("y", "x")):
                message = fails(path, tree=tree, columns=columns)
                assert "other file" in message or "another file" in message
            assert read(path, tree=tree, columns=("y",)).rows == 10
        source.unlink(missing_ok=True)  # once with the other file, once without


def test_hdf5_values_that_were_never_written_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, options in {"whole": {}, "chunked": {"chunks": (4,)}, "packed": {"compression": "gzip"}}.items():
            file.create_dataset(f"{name}/x", (10,), "f8", **options)
        file.create_dataset("part/x", (10,), "f8", chunks=(4,))[:4] = 1.0
        file.create_dataset("compact/x", data=np.arange(3.0))
    for tree in ("whole", "chunked", "packed", "part"):
        assert "were never written" in fails(path, tree=tree)
    assert read(path, tree="compact").rows == 3


def test_branches_with_values_in_other_files_are_refused(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = uproot.model.Model.all_members.fget

    def elsewhere(self: uproot.model.Model) -> dict[str, object]:
        return members(self) | ({"fFileName": "other.root"} if getattr(self, "name", None) == "met" else {})

    monkeypatch.setattr(uproot.model.Model, "all_members", property(elsewhere))
    assert "values of met are in another file (other.root)" in fails(fixtures / "jets.root")
    assert "another file" in fails(fixtures / "jets.root", columns=("met",))
    assert read(fixtures / "jets.root", columns=("event",)).rows == 57


def test_a_heap_on_which_hdf5_never_ends_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", numbers(20), LAYOUTS["hdf5 matrix"], 20)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    start = content.index(b"GCOL")
    content[start + 16 : start + 64] = bytes(48)
    (tmp_path / "a.h5").write_bytes(content)
    assert "an object of 0 B in a heap" in fails(tmp_path / "a.h5")


# Parts that cannot be read


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


def test_a_damaged_basket_is_damage_and_not_a_branch_to_leave_out(fixtures: Path, tmp_path: Path) -> None:
    with uproot.open(fixtures / "jets.root") as file:
        start = file["Events"]["met"].member("fBasketSeek")[0]
    content = bytearray((fixtures / "jets.root").read_bytes())
    content[start + 70 : start + 300] = bytes(230)
    (tmp_path / "a.root").write_bytes(content)
    assert "damaged" in fails(tmp_path / "a.root")
    assert "met" not in read(tmp_path / "a.root", columns=("event",)).names


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


def refused(path: Path, **request: object) -> str:
    with pytest.raises(UnavailableError) as caught:
        read(path, **request)
    assert str(path) in str(caught.value)
    return str(caught.value)


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


# Files that are made to fill the memory


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


def test_a_table_of_very_many_columns_is_read_in_smaller_blocks(tmp_path: Path) -> None:
    names = tuple(f"c{number}" for number in range(20_000))
    np.savez(tmp_path / "a.npz", data=np.ones((2000, len(names)), np.int8), names=np.array(names))
    with open_source(tmp_path / "a.npz", Request(columns=names)) as source:
        sizes = [len(block.data) for block in source.blocks(1 << 16)]
    assert sum(sizes) == 2000 and max(sizes) == (1 << 28) // (8 * len(names))
