"""The state of a user's file, from which Snakemake concludes whether results that were made from it are out of date."""

import hashlib
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from baler_energy.damage import is_url
from baler_energy.errors import InputError
from baler_energy.files import read_json, write_json
from baler_energy.progress import announce

__all__ = ["UNSEEN", "file_state", "sha256_of", "state_of_source"]

#: State of a file that cannot be seen: it is missing, on a disk that is not mounted, or remote.
UNSEEN = "missing"


def file_state(path: str) -> str:
    """Describe a file: its path, with its size and time of change, or with `UNSEEN` if there is no such file."""
    try:
        facts = Path(path).stat()
    except OSError:
        return f"{path}: {UNSEEN}"
    seen = stat.S_ISREG(facts.st_mode)
    return f"{path}: {facts.st_size} B, {facts.st_mtime_ns} ns" if seen else f"{path}: {UNSEEN}"


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file; raises `OSError`."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def state_of_source(path: str, description: Path) -> str:
    """Return the state of the file that a table is made from, as `file_state` describes it.

    If the table exists, and the file still has the contents from which it was made, or cannot be seen, the state is
    that of then, so that nothing is out of date. The file may have been moved to another folder.

    Parameters
    ----------
    path
        The file, or a URL.
    description
        The description that ``prepare`` writes next to the table. It has the file's SHA-256 and its states with these
        contents, the first of which is that in which it was read. A new one is added here, so that the file is only
        read once.
    """
    now = file_state(path)
    try:
        table = read_json(description)
        states, sha256 = [str(state) for state in table["source_states"]], table["sha256"]
    except (InputError, KeyError, TypeError):
        return now  # there is no table, or one of an earlier version
    if is_url(path) or not states:
        return now
    if now in states:
        return states[0]
    alike = _size(now) == _size(states[0]) and Path(path).name == Path(_path(states[0])).name
    found = _contents(now) if alike else None
    if found is not None and found == sha256:
        with suppress(OSError):  # the results may be read-only
            write_json(description, table | {"source_states": [*states, now]})
        return states[0]
    unseen = _size(now) == UNSEEN or (alike and found is None)
    if unseen and path in map(_path, states):
        _announce_once(f"{path}: cannot be read now. The tables that were made from it are kept.")
        return states[0]
    return now


def _path(state: str) -> str:
    return state.rpartition(": ")[0]


def _size(state: str) -> str:
    return state.rpartition(": ")[2].partition(",")[0]


@cache
def _contents(state: str) -> str | None:
    """Return the SHA-256 of a file in this state, read once for all its tables; None if it cannot be read."""
    announce(f"{_path(state)}: its time or folder has changed; it is read to find out whether its contents have.")
    try:
        return sha256_of(_path(state))
    except OSError:
        return None


@cache
def _announce_once(message: str) -> None:
    announce(message)
