"""What every reader of a file refuses, so that any file ends as data or as one message.

- `refusing_damage`: the handler around everything that reads a file: it refuses what is no regular file, and turns any
  exception of a library into a message
- `check_unpacked`, `check_rows`: a file that takes far more memory than its own size
- `check_members`: the same for the members of a zip, which npz files, checkpoints and compressed files are
- `read_header`, `read_array`: arrays in NumPy's format, never larger than the bytes that hold them
"""

import io
import math
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.errors import BalerEnergyError, InputError, UnavailableError

__all__ = [
    "FREE_B",
    "array_of",
    "block_rows",
    "check_members",
    "check_regular",
    "check_rows",
    "check_unpacked",
    "is_url",
    "naming",
    "read_array",
    "read_header",
    "read_member",
    "refusing_damage",
]

#: What a file, or a block of it, may take in memory whatever its size (B).
FREE_B = 1 << 28
#: What it may take over its own size, if that is more. Tables in HEP files shrink by a factor of 2 to 20; Deflate,
#: which npz files use, reaches 1032 with nothing but zeros.
_MOST_RATIO = 200
#: Errors of the system or the network, which some libraries raise without a number.
_UNREADABLE = (PermissionError, FileNotFoundError, ConnectionError, TimeoutError)
#: The record at the end of a zip: its number of members, which is 2^16 - 1 if there are more (APPNOTE 6.3.10, 4.3.16).
_RECORD, _UNKNOWN = struct.Struct("<10sH10x"), 0xFFFF
#: What a text takes in memory, as a Python object in a list (B).
_TEXT_B = 100
#: Bytes that are read at once.
_PIECE_B = 1 << 18


def is_url(source: Path | str) -> bool:
    """Whether `source` is a URL rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(source)) is not None


def check_regular(source: Path | str) -> None:
    """Refuse a folder, a pipe or a device, which may never end.

    Raises
    ------
    InputError
        There is something at this path that is not a regular file.
    """
    try:
        mode = Path(source).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:  # such as a folder that may not be entered
        raise InputError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{source}: cannot be read: it is not a file, but a folder, pipe or device.")


@contextmanager
def refusing_damage(source: Path | str, kind: str, advice: str = "") -> Iterator[None]:
    """Turn any exception while a file is read into one message that names the file.

    Libraries raise nearly any exception on unexpected bytes, so all are caught.

    Parameters
    ----------
    source
        Path, or URL.
    kind
        What the file should be, such as ``ROOT file``.
    advice
        What to do about a damaged file, as a sentence.

    Raises
    ------
    InputError
        The file is missing, not regular, not readable, or damaged.
    UnavailableError
        A package or the memory to read it is missing.
    """
    if not is_url(source):
        check_regular(source)
        if not Path(source).exists():
            raise InputError(f"{source}: cannot be read: no such file.")
    try:
        with naming(source):
            yield
    except BalerEnergyError:
        raise
    except Exception as error:
        raise _refusal(source, kind, advice, error) from error


@contextmanager
def naming(source: Path | str) -> Iterator[None]:
    """Add the name of a file to a message that does not have it."""
    try:
        yield
    except BalerEnergyError as error:
        if str(source) in str(error):
            raise
        raise type(error)(f"{source}: {error}") from error


def _refusal(source: Path | str, kind: str, advice: str, error: Exception) -> BalerEnergyError:
    """Return the message for an exception of a library; parameters as for `reading`."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    if isinstance(error, MemoryError):
        return UnavailableError(f"{source}: is damaged, or needs more memory than there is ({reason}).")
    if isinstance(error, ImportError):
        return UnavailableError(f"{source}: reading it needs a package that is not installed: {error}")
    if isinstance(error, OSError) and (error.errno or isinstance(error, _UNREADABLE)):
        return InputError(f"{source}: cannot be read: {error.strerror or type(error).__name__}.")
    if isinstance(error, NotImplementedError):
        return InputError(f"{source}: is damaged, or uses something of a {kind} that cannot be read here ({reason}).")
    return InputError(f"{source}: is truncated, damaged or not a valid {kind} ({reason}). {advice}".rstrip())


def check_unpacked(unpacked_b: int, packed_b: int) -> None:
    """Refuse to unpack far more than a table would have.

    Parameters
    ----------
    unpacked_b
        Size in memory (B), as the file states it.
    packed_b
        Size in the file (B).

    Raises
    ------
    InputError
        The file is damaged or made to fill the memory. `refusing_damage` adds its name.
    """
    if unpacked_b > max(FREE_B, _MOST_RATIO * packed_b):
        raise InputError(
            f"states {unpacked_b:,} B of values in {packed_b:,} B, more than {_MOST_RATIO} times as many: it is "
            "damaged, made to fill the memory, or nearly all its values are equal. Use an intact copy, or leave out "
            "columns with a single value."
        )


def block_rows(columns: int) -> int:
    """Return the largest number of rows of a block that takes no more than `FREE_B` as float64, at least 1."""
    return max(1, FREE_B // (8 * max(1, columns)))


def check_rows(source: Path | str, rows: int, row_b: int) -> None:
    """Refuse a file whose stated rows, of `row_b` bytes each, are far more than it has room for; see `check_unpacked`.

    The size of a remote file is unknown, so it is not checked.
    """
    if not is_url(source):
        check_unpacked(rows * row_b, Path(source).stat().st_size)


def check_members(archive: zipfile.ZipFile, *, stored: bool = False) -> None:
    """Refuse a zip that unpacks to far more than its size, or that NumPy does not write.

    Parameters
    ----------
    archive
        The open zip.
    stored
        Whether its members must not be compressed.

    Raises
    ------
    InputError
        See `check_unpacked`.
    ValueError
        Members overlap, are missing, or are compressed by another method.
    """
    methods = (zipfile.ZIP_STORED,) if stored else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    members = archive.infolist()
    for info in members:
        if info.compress_type not in methods:
            raise ValueError(f"{info.filename!r} is compressed by method {info.compress_type}")
        if not stored:
            # A member of a damaged name would not be missed. Files of stored members have a checksum of all bytes.
            archive.open(info).close()
    if _stated_members(archive) not in (len(members), _UNKNOWN):
        raise ValueError(f"its directory has {len(members)} members, but states {_stated_members(archive)}")
    packed_b = sum(info.compress_size for info in members)
    if packed_b > archive.start_dir:
        raise ValueError("its members overlap")
    check_unpacked(sum(info.file_size for info in members), packed_b)


def _stated_members(archive: zipfile.ZipFile) -> int:
    """Return the number of members that a zip's last record states, which `zipfile` does not compare."""
    assert archive.fp is not None
    archive.fp.seek(-_RECORD.size - len(archive.comment), io.SEEK_END)
    members: int = _RECORD.unpack(archive.fp.read(_RECORD.size))[1]
    return members


def read_header(handle: IO[bytes], size_b: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of an array in NumPy's format, up to its values.

    Parameters
    ----------
    handle
        Open at the beginning of the array.
    size_b
        Size of the whole array with its header (B).

    Returns
    -------
    tuple
        Shape, whether the values are in Fortran order, and number type.

    Raises
    ------
    ValueError
        It is damaged, its values take more or less than the rest of the bytes, or are Python objects, which are never
        loaded.
    """
    version = np.lib.format.read_magic(handle)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(handle)
    if dtype.hasobject:
        raise ValueError("it contains Python objects, which are never loaded")
    if any(length < 0 for length in shape) or handle.tell() + math.prod(shape) * dtype.itemsize != size_b:
        raise ValueError(f"an array of shape {shape} and type {dtype} does not take {size_b:,} B")
    return shape, fortran_order, dtype


def read_array(handle: IO[bytes], size_b: int) -> NDArray[Any]:
    """Read an array in NumPy's format; parameters and errors as for `read_header`.

    All bytes are read, so that a zip checks the member's CRC-32.
    """
    shape, fortran_order, dtype = read_header(handle, size_b)
    values = np.empty(math.prod(shape), dtype)
    into, start = values.view(np.uint8).data, 0
    while start < len(into):
        piece = handle.read(min(_PIECE_B, len(into) - start))
        if not piece:
            raise ValueError(f"an array ends after {start:,} of {len(into):,} B")
        into[start : start + len(piece)] = piece
        start += len(piece)
    return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


def read_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read an array of an npz file; errors as for `read_header` and `check_unpacked`, or `zipfile.BadZipFile`."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        values = read_array(member, info.file_size)
    if values.dtype.kind in "SU":
        check_unpacked(_TEXT_B * values.size, info.compress_size)
    return values


def array_of(content: bytes) -> NDArray[Any]:
    """Read an array from all bytes of an npy file; errors as for `read_header`."""
    return read_array(io.BytesIO(content), len(content))
