"""Atomic file writes, and arrays without pickle."""

import json
import os
import re
import secrets
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import check_members, read_array, read_member, refusing_damage
from baler_energy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "atomic_path",
    "check_distinct",
    "check_keys",
    "check_writable",
    "read_json",
    "read_npy",
    "read_npz",
    "remove_temporaries",
    "write_json",
    "write_npz",
    "write_parquet",
    "write_text",
]

#: The temporary names of `atomic_path`.
_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}(\.[^.]+)?")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`; the file there replaces `target` if the block succeeds.

    The name is unique, so that an orphaned process of a killed run never appends to its successor's file. If the block
    raises, the temporary file is removed and `target` stays unchanged; the error names `target`.

    Parameters
    ----------
    target
        The file to write. A missing folder is created, and removed again if it stays empty. The temporary name keeps
        the suffix, because some writers (NumPy, matplotlib) depend on it.
    """
    found = target.parent.is_dir()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")
    try:
        with _naming(target, temporary):
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        if not found:
            with suppress(OSError):  # the folder is not empty
                target.parent.rmdir()


@contextmanager
def _naming(target: Path, temporary: Path) -> Iterator[None]:
    """Let errors name the target, the only file that the user knows."""
    try:
        yield
    except Exception as error:
        words = (arg.replace(temporary.name, target.name) if isinstance(arg, str) else arg for arg in error.args)
        error.args = tuple(words)
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) == temporary:
            error.filename = str(target)
        raise


def remove_temporaries(folder: Path) -> None:
    """Remove the temporary files of killed processes; no process may be writing to the folder."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def check_writable(target: Path) -> None:
    """Check that a file can be written to `target`, before long work of which it holds the results.

    Raises
    ------
    InputError
        The target is a folder, or the folder it is in is missing or not writable.
    """
    try:
        if target.is_dir():
            raise InputError(f"{target}: is a folder. Give the name of a file to write.")
        # The permissions are not enough: the file system may be read-only.
        with TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written: {error.strerror or error}. Use a folder that exists and is writable."
        ) from error


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
        The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path}: is not valid JSON ({error}). Delete it and run again.") from error


def write_npz(target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays (no object arrays) to an uncompressed npz file, whole or not at all."""
    with atomic_path(target) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def write_parquet(target: Path, frame: "pd.DataFrame") -> None:
    """Write a table, with a checksum of each page, to a Parquet file, whole or not at all."""
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
