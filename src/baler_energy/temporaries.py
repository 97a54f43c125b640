"""Temporary files and folders, named after their process, so that the next run removes those of dead processes."""

import math
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

__all__ = ["remove_abandoned", "remove_temporaries", "temporary_folder", "temporary_name"]

#: The names that `temporary_name` returns. Those of earlier versions have no place.
_NAME = re.compile(
    r"\.(?P<stem>.+)\.(?:(?P<place>[0-9a-f]{8})-)?(?P<pid>\d+)-[0-9a-f]{8}(?P<suffix>\.[^.]+)?", re.DOTALL
)
#: A file system allows 255 bytes for a name; a character takes up to four.
_STEM_CHARACTERS = 40
#: Tolerance for clocks of different machines, and for clocks that were set (s).
_CLOCKS_S = 600.0
#: Age at which the process of another machine or container, which cannot be seen, counts as dead (s).
_OLD_S = 24 * 3600.0


def temporary_name(target: Path) -> Path:
    """Return a unique name next to `target`, with its suffix, which some writers (NumPy, matplotlib) depend on."""
    return target.with_name(f".{_stem(target)}.{_place()}-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")


@contextmanager
def temporary_folder(target: Path | None = None) -> Iterator[Path]:
    """Yield a new folder that only this user can read, and remove it afterwards.

    Parameters
    ----------
    target
        The folder is next to this path and named after it. None: in the system's folder for temporary files.
    """
    target = target or Path(tempfile.gettempdir(), "baler-energy")
    remove_abandoned(target)
    folder = temporary_name(target)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(target: Path) -> None:
    """Remove temporary files and folders of `target` whose process has ended.

    Processes of other machines and containers are not visible: their files are removed when they are a day old.
    """
    wanted = (_stem(target), target.suffix)
    for path, found in _temporaries(target.parent):
        if (found["stem"], found["suffix"] or "") == wanted and _abandoned(path, found, _OLD_S):
            _remove(path)


def remove_temporaries(folder: Path) -> None:
    """Remove all temporary files of a folder that no other process writes to, whichever machine made them."""
    for path, found in _temporaries(folder):
        if _abandoned(path, found, -math.inf):
            _remove(path)


def _temporaries(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    try:
        return [(path, found) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name))]
    except OSError:  # there is no such folder yet, or it cannot be listed
        return []


def _abandoned(path: Path, found: re.Match[str], old_s: float) -> bool:
    """Whether nothing writes to a temporary file any more."""
    try:
        changed_s = path.lstat().st_mtime
    except OSError:  # its process has just removed it
        return False
    if found["place"] in (None, _place()):
        return not _writes(int(found["pid"]), changed_s)
    return time.time() - changed_s >= old_s


def _writes(pid: int, changed_s: float) -> bool:
    """Whether a process is alive that can have changed a file at this time: numbers of processes are reused."""
    import psutil  # takes a while, and there are rarely any such files

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= changed_s + _CLOCKS_S
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):  # another process was faster, or it belongs to another user
        path.unlink()


def _stem(target: Path) -> str:
    return target.stem[:_STEM_CHARACTERS]


@cache
def _place() -> str:
    """Identify where the number of a process is unique: a machine or, with its own numbers, a container."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{zlib.crc32(f'{platform.node()} {namespace}'.encode()):08x}"
