"""Arrays of an npz file, read and written in pieces.

An npz file is a zip. Each member starts with a NumPy header, which holds the array's shape; the values follow. The
number of rows is only known after the last row, when the header is already in the file and in the member's CRC-32.
Both are then patched: NumPy pads the header to a length that does not depend on the number of rows, and the CRC is
linear.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import read_header, read_member

__all__ = ["StoredArray", "WrittenArray", "header", "patched_crc", "write_array"]

# zip: size of a local file header's fixed part, and offsets in it of the CRC and of the name and extra lengths.
_LOCAL_BYTES, _CRC_AT, _LENGTHS_AT = 30, 14, 26
# Bytes that are read at once to check a CRC.
_PIECE_B = 1 << 20
# CRC-32 of zip (ISO 3309), with reversed bits: the highest bit is the coefficient of x^0.
_POLYNOMIAL, _ONE, _X8 = 0xEDB88320, 1 << 31, 1 << 23


@dataclass(frozen=True, eq=False)
class StoredArray:
    """A 2-D array in an open npz file.

    Parameters
    ----------
    archive, handle
        The zip, and its open file.
    info
        The zip's record of the array.
    shape, fortran_order, dtype
        From the array's header.
    """

    archive: zipfile.ZipFile
    handle: BinaryIO
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @classmethod
    def find(cls, archive: zipfile.ZipFile, handle: BinaryIO, name: str) -> "StoredArray":
        """Read an array's header; a damaged file raises `ValueError` or an error of `zipfile`.

        The values of a stored array in Fortran order, which `pieces` gathers from all over the file, are read once to
        check the zip's checksum.
        """
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as member:
            array = cls(archive, handle, info, *read_header(member, info.file_size))
            while array.gathered and member.read(_PIECE_B):
                pass
        return array

    @property
    def gathered(self) -> bool:
        """Whether rows are gathered from all over the file; a compressed array is read into memory instead."""
        return self.fortran_order and self.info.compress_type == zipfile.ZIP_STORED

    def pieces(self, rows: int) -> Iterator[NDArray[Any]]:
        """Read all rows in order, at most `rows` at once.

        An array in C order is read from front to back, and the zip's checksum is checked at the end. An array in
        Fortran order is gathered from all over the file; if it is compressed, it is read into memory whole instead.
        """
        if self.gathered:
            yield from self._gathered(rows)
        elif self.fortran_order:
            whole = read_member(self.archive, self.info.filename.removesuffix(".npy"))
            yield from (whole[start : start + rows] for start in range(0, self.shape[0], rows))
        else:
            yield from self._in_order(rows)

    def _in_order(self, rows: int) -> Iterator[NDArray[Any]]:
        columns = self.shape[1]
        with self.archive.open(self.info) as member:
            read_header(member, self.info.file_size)
            for start in range(0, self.shape[0], rows):
                wanted = min(rows, self.shape[0] - start)
                values = member.read(wanted * columns * self.dtype.itemsize)
                yield np.frombuffer(values, self.dtype).reshape(wanted, columns)

    def _gathered(self, rows: int) -> Iterator[NDArray[Any]]:
        total, columns = self.shape
        with self.archive.open(self.info) as member:
            read_header(member, self.info.file_size)
            begin = _data_offset(self.handle, self.info) + member.tell()
        for start in range(0, total, rows):
            wanted = min(rows, total - start)
            piece = np.empty((wanted, columns), self.dtype)
            for column in range(columns):
                self.handle.seek(begin + (column * total + start) * self.dtype.itemsize)
                piece[:, column] = np.frombuffer(self.handle.read(wanted * self.dtype.itemsize), self.dtype)
            yield piece


class WrittenArray:
    """A 2-D array that is written to a new npz file row by row, with the same bytes as NumPy's ``savez``.

    Parameters
    ----------
    archive, handle
        The zip, without an open member, and its file, open to read and write.
    name, columns, dtype
        Of the array.
    """

    def __init__(
        self, archive: zipfile.ZipFile, handle: BinaryIO, name: str, columns: int, dtype: np.dtype[Any]
    ) -> None:
        self._archive = archive
        self._handle = handle
        self._columns = columns
        self._dtype = dtype
        self._rows = 0
        # zip64 from the start, because the size is not known.
        self._name = f"{name}.npy"
        self._member = archive.open(self._name, "w", force_zip64=True)
        self._member.write(header(0, columns, dtype))

    def write(self, values: NDArray[Any]) -> None:
        """Append values (rows, columns)."""
        piece = np.ascontiguousarray(values, dtype=self._dtype)
        if piece.size:
            self._member.write(piece.data)
        self._rows += len(piece)

    def close(self) -> None:
        """Close the member and patch the number of rows into it."""
        self._member.close()
        provisional, final = (header(rows, self._columns, self._dtype) for rows in (0, self._rows))
        size = self._rows * self._columns * self._dtype.itemsize
        # The zip's directory is written last and takes the CRC from here.
        info = self._archive.getinfo(self._name)
        info.CRC = patched_crc(info.CRC, provisional, final, size)
        end = self._handle.tell()
        self._handle.seek(info.header_offset + _CRC_AT)
        self._handle.write(struct.pack("<I", info.CRC))
        self._handle.seek(_data_offset(self._handle, info))
        self._handle.write(final)
        self._handle.seek(end)


def write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Write a whole array."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def header(rows: int, columns: int, dtype: np.dtype[Any]) -> bytes:
    """Return the header of an .npy array (rows, columns) in C order; its length does not depend on `rows`."""
    buffer = io.BytesIO()
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, columns)}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def patched_crc(crc: int, old: bytes, new: bytes, following: int) -> int:
    """Return the CRC-32 after the first bytes are replaced, without reading the rest.

    The CRC is linear: if two messages of equal length differ only in their first bytes, the difference (XOR) of their
    CRCs is that of the first bytes' CRCs, times x to the number of bits that follow, modulo the polynomial.

    Parameters
    ----------
    crc
        CRC-32 of `old` and the bytes that follow it.
    old, new
        The first bytes, and their replacement of equal length.
    following
        Number of bytes that follow.
    """
    if len(old) != len(new):
        raise ValueError(f"{len(old)} bytes are replaced by {len(new)}")
    return crc ^ _product(zlib.crc32(old) ^ zlib.crc32(new), _power(following))


def _power(count: int) -> int:
    """x^(8 count) modulo the polynomial, by repeated squaring."""
    result, square = _ONE, _X8
    while count:
        if count & 1:
            result = _product(result, square)
        square = _product(square, square)
        count >>= 1
    return result


def _product(first: int, second: int) -> int:
    """Product of two polynomials over GF(2) modulo the CRC polynomial, all with reversed bits."""
    result = 0
    for bit in range(31, -1, -1):
        if first >> bit & 1:
            result ^= second
        second = second >> 1 ^ (_POLYNOMIAL if second & 1 else 0)
    return result


def _data_offset(handle: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Offset of a member's data in the file."""
    handle.seek(info.header_offset + _LENGTHS_AT)
    name, extra = struct.unpack("<HH", handle.read(4))
    return int(info.header_offset + _LOCAL_BYTES + name + extra)
