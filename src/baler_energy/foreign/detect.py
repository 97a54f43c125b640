"""Which readers a file needs, by its content."""

from collections.abc import Callable, Iterator
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.foreign import carbontracker, codecarbon, eco2ai, pyjoules, zeus
from baler_energy.foreign.rows import Window

__all__ = ["read_file"]

Looks = Callable[[str], bool]
Read = Callable[[str, Path], Iterator[Window]]

#: A table is of one tool.
_TABLES: tuple[tuple[Looks, Read], ...] = (
    (codecarbon.looks_like, codecarbon.read),
    (eco2ai.looks_like, eco2ai.read),
    (pyjoules.looks_like, pyjoules.read),
    (zeus.looks_like, zeus.read),
)
#: A program's log may hold the lines of several.
_LOGS: tuple[tuple[Looks, Read], ...] = (
    (zeus.log_looks_like, zeus.read_log),
    (pyjoules.log_looks_like, pyjoules.read_log),
    (carbontracker.log_looks_like, carbontracker.read_log),
)
_KNOWN = (
    "emissions.csv of codecarbon, the tables of eco2ai, pyJoules (;) and ZeusMonitor, and logs of Zeus, pyJoules and "
    "carbontracker"
)


def read_file(path: Path) -> list[Window]:
    """Read the windows of one foreign file, whatever its name.

    Raises
    ------
    InputError
        It cannot be read, is empty, is of no known tool, or has a damaged row.
    """
    text = _text(path)
    tables = [read for looks, read in _TABLES if looks(text)]
    readers = tables[:1] or [read for looks, read in _LOGS if looks(text)]
    if not readers:
        raise InputError(f"{path}: is not a result of a tool that is known here: {_KNOWN}. Leave the file out.")
    return [window for read in readers for window in read(text, path)]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    if not raw.strip():
        raise InputError(f"{path}: is empty. Leave the file out, or export it again.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path}: is not text. What can be read: {_KNOWN}.")
    return text.replace("\r\n", "\n")
