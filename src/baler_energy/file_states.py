"""The state of a user's file, from which Snakemake concludes whether results that were made from it are out of date."""

import hashlib
import json
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from baler_energy.damage import is_url
from baler_energy.files import write_json
from baler_energy.progress import announce

__all__ = ["UNSEEN", "file_state", "sha256_of", "state_of_source"]

#: State of a file that cannot be seen: it is missing, on a disk that is not mounted, or remote.
UNSEEN = "missing"


def file_state(path: str) -> str:
    """Describe a file by its size and time of change; `UNSEEN` if there is no such file."""
    try:
        facts = Path(path).stat()
    except OSError:
        return UNSEEN
    return f"{facts.st_size} B, {facts.st_mtime_ns} ns" if stat.S_ISREG(facts.st_mode) else UNSEEN


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file; raises `OSError`."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def state_of_source(path: str, description: Path) -> str:
    """Return the state of the file that a table is made from.

    If the table exists, and the file has the same contents as when the table was made or cannot be seen, the state is
    that of then, so that nothing is out of date.

    Parameters
    ----------
    path
        The file, or a URL.
    description
        The description that ``prepare`` writes next to the table. It has the file's SHA-256 and its states with these
        contents, the first of which is that in which it was read. A new one is added, so that the file is only read
        once.
    """
    now = file_state(path)
    try:
        table = json.loads(description.read_text(encoding="utf-8"))
        states, sha256 = [str(state) for state in table["source_states"]], table["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return now  # there is no table, or one of an earlier version
    if is_url(path) or not states:
        return now
    if now not in states:
        if now != UNSEEN and _size(now) != _size(states[0]):
            return now
        found = _contents(path, now)
        if found not in (None, sha256):
            return now
        if found is not None:
            with suppress(OSError):  # the results may be read-only
                write_json(description, table | {"source_states": [*states, now]})
    return states[0]


def _size(state: str) -> str:
    return state.partition(",")[0]


@cache
def _contents(path: str, state: str) -> str | None:
    """Return the SHA-256 of a file in a new state, once for all its tables; None if it cannot be read."""
    if state != UNSEEN:
        announce(f"{path}: its time has changed; it is read to find out whether its contents have.")
        with suppress(OSError):
            return sha256_of(path)
    announce(f"{path}: cannot be read now. The tables that were made from it are kept.")
    return None
