"""Arrays of npz files, read and written in pieces, and the arithmetic of their headers."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.formats.npy import StoredArray, WrittenArray, header, patched_crc

DTYPES = st.sampled_from([np.dtype(name) for name in ("float64", "float32", "int16", "bool")])


@given(first=st.binary(min_size=1, max_size=60), rest=st.binary(max_size=300), data=st.data())
def test_the_crc_of_a_replaced_beginning(first: bytes, rest: bytes, data: st.DataObject) -> None:
    new = data.draw(st.binary(min_size=len(first), max_size=len(first)))
    assert patched_crc(zlib.crc32(first + rest), first, new, len(rest)) == zlib.crc32(new + rest)


def test_the_crc_with_many_bytes_after_the_header() -> None:
    rest = bytes(5_000_011)
    assert patched_crc(zlib.crc32(b"rows 0" + rest), b"rows 0", b"rows 7", len(rest)) == zlib.crc32(b"rows 7" + rest)


def test_a_beginning_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes are replaced by 2"):
        patched_crc(1, b"abc", b"ab", 0)


@given(rows=st.integers(0, 10**18), columns=st.integers(0, 10**6), dtype=DTYPES)
def test_the_length_of_a_header_does_not_depend_on_the_rows(rows: int, columns: int, dtype: np.dtype) -> None:
    assert len(header(rows, columns, dtype)) == len(header(0, columns, dtype))


@given(rows=st.integers(0, 200), columns=st.integers(0, 5), dtype=DTYPES)
def test_a_header_equals_numpys(rows: int, columns: int, dtype: np.dtype) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((rows, columns), dtype))
    assert buffer.getvalue().startswith(header(rows, columns, dtype))


@given(cuts=st.lists(st.integers(0, 40), max_size=6), columns=st.integers(1, 4), dtype=DTYPES)
@settings(max_examples=30)
def test_pieces_are_written_as_by_numpy(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], columns: int, dtype: np.dtype
) -> None:
    folder = tmp_path_factory.mktemp("npy")
    data = np.arange(sum(cuts) * columns).reshape(-1, columns).astype(dtype)
    with (
        (folder / "pieces.npz").open("w+b") as handle,
        zipfile.ZipFile(handle, "w") as archive,
    ):
        array = WrittenArray(archive, handle, "data", columns, dtype)
        for piece in np.split(data, np.cumsum(cuts)):
            array.write(piece)
        array.close()
    np.savez(folder / "whole.npz", data=data)
    assert (folder / "pieces.npz").read_bytes() == (folder / "whole.npz").read_bytes()


@pytest.mark.parametrize("fortran_order", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["float64", ">f4", "int32"])
def test_read_in_pieces(tmp_path: Path, fortran_order: bool, save: object, dtype: str) -> None:
    data = np.arange(35.0).reshape(7, 5).astype(dtype)
    save(tmp_path / "a.npz", other=np.ones(3), data=np.asfortranarray(data) if fortran_order else data)  # type: ignore[operator]
    with (tmp_path / "a.npz").open("rb") as handle, zipfile.ZipFile(handle) as archive:
        array = StoredArray.find(archive, handle, "data")
        assert array.fortran_order == fortran_order
        for rows in (1, 3, 7, 100):
            pieces = list(array.pieces(rows))
            assert max(len(piece) for piece in pieces) == min(rows, 7)
            np.testing.assert_array_equal(np.concatenate(pieces), data)
