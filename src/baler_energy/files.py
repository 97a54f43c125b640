"""Atomic file writes, and arrays without pickle."""

import errno
import json
import os
import shutil
import stat
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import check_members, check_regular, read_array, read_member, refusing_damage
from baler_energy.errors import InputError
from baler_energy.temporaries import remove_abandoned, temporary_folder, temporary_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "WINDOW_START",
    "atomic_path",
    "check_distinct",
    "check_keys",
    "check_outputs",
    "discard",
    "from_json",
    "naming_target",
    "output_file",
    "output_folder",
    "read_json",
    "read_npy",
    "read_npz",
    "refuse_source",
    "write_json",
    "write_npz",
    "write_parquet",
    "write_text",
]

#: Key of a table's attributes (`pandas.DataFrame.attrs`): start of the measured window of the table's run.
WINDOW_START = "window_start"
#: Permissions of a file that anybody may write to. Without any, it is protected, also from root.
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path; the file there replaces `target` if the block succeeds.

    The name is unique, so that an orphaned process of a killed run never appends to its successor's file. If the block
    raises, the temporary file is removed and `target` stays unchanged; the error names `target`.

    Parameters
    ----------
    target
        The file to write. A missing folder is created, and removed again if it stays empty. If it is a link, the file
        that it leads to is replaced. A device, a pipe or an open file of this process (``/dev/stdout``) is never
        replaced: the complete contents are written into it.

    Raises
    ------
    InputError
        The target is a folder, a disk or a socket.
    """
    with _written_into(target) if _in_place(target) else _replaced(target) as temporary:
        yield temporary


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    target = _followed(target)
    found = target.parent.is_dir()
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target)
    temporary = temporary_name(target)
    try:
        with naming_target(target, temporary):
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            _put(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        if not found:
            with suppress(OSError):  # the folder is not empty
                target.parent.rmdir()


def _put(temporary: Path, target: Path) -> None:
    """Replace a file, whose owner and permissions stay."""
    if target.exists():
        found = target.stat()
        with suppress(OSError):  # it belongs to another user
            os.chown(temporary, found.st_uid, found.st_gid)
        with suppress(OSError):  # not every file system has permissions
            temporary.chmod(stat.S_IMODE(found.st_mode))
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(temporary, target)  # a file that is mounted into a container cannot be replaced


@contextmanager
def naming_target(target: Path, temporary: Path) -> Iterator[None]:
    """Let errors name the target, the only file that the user knows, instead of a temporary file or folder."""
    try:
        yield
    except Exception as error:

        def named(text: str) -> str:
            return text.replace(str(temporary), str(target)).replace(temporary.name, target.name)

        error.args = tuple(named(one) if isinstance(one, str) else one for one in error.args)
        for key in ("filename", "filename2"):  # of errors of the system
            if isinstance(path := getattr(error, key, None), str | Path):
                setattr(error, key, named(str(path)))
        raise


@contextmanager
def _written_into(target: Path) -> Iterator[Path]:
    with temporary_folder() as folder:  # formats such as npz need a file in which they can go back
        whole = folder / target.name
        with naming_target(target, whole):
            yield whole
            with whole.open("rb") as source, _opened(target) as sink:
                shutil.copyfileobj(source, sink)


def _in_place(target: Path) -> bool:
    """Whether writing to `target` must not replace it; raises `InputError` if it cannot take a file's contents."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise InputError(f"{target}: is a folder. Give the name of a file to write.")
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise InputError(f"{target}: is a disk or a socket. Give the name of a file to write.")
    return not stat.S_ISREG(mode) or _descriptor(target) is not None


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file of this process that a link such as ``/dev/stdout`` leads to."""
    while path.is_symlink():
        if os.path.realpath(path.parent) == f"/proc/{os.getpid()}/fd":
            return int(path.name)
        path = path.parent / path.readlink()
    return None


def _opened(target: Path) -> IO[bytes]:
    number = _descriptor(target)
    if number is None:
        return os.fdopen(os.open(target, os.O_WRONLY), "wb")  # never created: it exists
    # Opened again, a file would be overwritten from its start.
    sys.stdout.flush()
    return os.fdopen(os.dup(number), "wb")


def _followed(target: Path) -> Path:
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def discard(target: Path) -> None:
    """Remove the file that an earlier run wrote to `target`, if there is one; links, devices and pipes stay."""
    if target.is_file():
        _followed(target).unlink(missing_ok=True)


def output_file(text: str) -> Path:
    """Return the path of a file to write: the type of an argument, so that it is checked before any work.

    Raises
    ------
    InputError
        It cannot be written.
    """
    target = Path(text)
    with _refusing(target):
        if not _in_place(target):
            _try_to_write(_followed(target))
        elif not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return target


def check_outputs(folder: Path, *names: str) -> None:
    """Refuse a folder in which one of these files cannot be written, before any work; raises `InputError`."""
    for name in names:
        output_file(str(folder / name))


def output_folder(text: str) -> Path:
    """Return the path of a folder to write to: the type of an argument, so that it is checked before any work.

    Raises
    ------
    InputError
        It is not a folder, or it cannot be created or written to.
    """
    folder = Path(text)
    with _refusing(folder):
        _try_to_write(folder / "output")
    return folder


def refuse_source(target: Path, sources: Iterable[Path | str]) -> None:
    """Refuse to write over a file that is read.

    Raises
    ------
    InputError
        `target` is one of the `sources`, also by another name.
    """
    for source in sources:
        with suppress(OSError):  # one of them does not exist, or is a URL
            if target.samefile(source):
                raise InputError(f"{target}: would be replaced, but is the file to read. Choose another name.")


@contextmanager
def _refusing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written: {error.strerror or error}. Choose a place where you can write."
        ) from error


def _try_to_write(target: Path) -> None:
    """Write what `atomic_path` would: the permissions are not enough, as a file system may be read-only."""
    folder = next(parent for parent in target.parents if os.path.lexists(parent))
    probe = temporary_name(folder / target.name)
    probe.touch(exist_ok=False)
    probe.unlink()
    if not target.exists():
        return
    found, user = target.stat(), os.geteuid()
    # A file of another user may be replaced where the folder allows it. Root may write to any, but not in a read-only
    # mount, and not against the will of who protected it.
    if not found.st_mode & _WRITABLE or (user in (0, found.st_uid) and not os.access(target, os.W_OK)):
        raise PermissionError(errno.EACCES, "it is read-only")
    if folder.stat().st_mode & stat.S_ISVTX and user not in (0, folder.stat().st_uid, found.st_uid):  # as in /tmp
        raise PermissionError(errno.EPERM, "it belongs to another user, and its folder lets only them replace it")


def write_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8) to `target`, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON to `target`; NaN and infinity are refused (they are not JSON)."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        The file is missing, unreadable or not JSON, or a key occurs twice in it.
    """
    check_regular(path)
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path}: is not valid JSON ({error}). Delete it and run again.") from error


def from_json(text: str) -> Any:
    """Read JSON.

    Raises
    ------
    ValueError
        It is not JSON, a key occurs twice in a mapping, or it has half a character, which no file can hold.
    """
    try:
        value = json.loads(text, object_pairs_hook=_mapping)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping; Python's own reader silently takes the last of equal keys."""
    made = dict(pairs)
    if len(made) < len(pairs):
        ((repeated, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {repeated!r} occurs more than once")
    return made


def write_npz(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays (no object arrays) to an uncompressed npz file, whole or not at all."""
    with atomic_path(target) as temporary, temporary.open("wb") as handle:  # NumPy adds a suffix to a name without
        np.savez(handle, allow_pickle=False, **arrays)


def write_parquet(target: Path, frame: "pd.DataFrame", window_start: datetime | None = None) -> None:
    """Write a table, with a checksum of each page, to a Parquet file, whole or not at all.

    Parameters
    ----------
    target
        The file.
    frame
        The table.
    window_start
        Start of the measured window of the table's run, by which a table of another run is recognised; None: no run.
    """
    if window_start is not None:
        frame = frame.copy(deep=False)
        frame.attrs[WINDOW_START] = window_start.isoformat()
    with atomic_path(target) as temporary:
        frame.to_parquet(temporary, index=False, write_page_checksum=True)


def read_npy(path: Path) -> NDArray[Any]:
    """Read an npy file, never unpickling.

    Raises
    ------
    InputError
        The file is missing or damaged, or contains Python objects.
    """
    with refusing_damage(path, ".npy file"), path.open("rb") as handle:
        return read_array(handle, path.stat().st_size)


def read_npz(path: Path, keys: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz file, never unpickling.

    Parameters
    ----------
    path
        The file.
    keys
        Names of required arrays; all arrays are returned.

    Raises
    ------
    InputError
        The file is missing or damaged, contains Python objects, or lacks one of `keys`.
    """
    with refusing_damage(path, "npz file"), path.open("rb") as handle:
        if handle.peek(6)[:6] == np.lib.format.MAGIC_PREFIX:
            raise InputError(f"{path}: is a single .npy array, but an .npz file with {', '.join(keys)} is required.")
        with zipfile.ZipFile(handle) as archive:
            check_members(archive)
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            check_distinct(path, names, "array")
            arrays = {name: read_member(archive, name) for name in names}
    check_keys(path, arrays, keys)
    return arrays


def check_keys(path: Path, arrays: Iterable[str], keys: tuple[str, ...]) -> None:
    """Raise `InputError` if an npz file with these `arrays` lacks one of `keys`."""
    held = list(arrays)
    missing = [key for key in keys if key not in held]
    if missing:
        raise InputError(
            f"{path}: has no array {', '.join(map(repr, missing))}; it contains {', '.join(held) or 'none'}."
        )


def check_distinct(source: Path | str, names: Iterable[str], kind: str = "column") -> None:
    """Raise `InputError` if a name is not unique in a file, so that nobody knows which of its bearers is meant."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            f"{source}: {kind} {', '.join(map(repr, repeated[:20]))} occurs more than once, so it is unclear which one "
            "is meant. Rename it in the file, or leave it out."
        )
