"""Other programs that profile: finding them, and repeating an operation until they have seen enough of it."""

import importlib.util
import shutil
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from baler_energy.errors import UnavailableError

__all__ = ["WATCHED_S", "program", "repeat", "require_module"]

#: A profiler that samples sees an operation repeated for so long (s): 400 samples at 200 per second.
WATCHED_S = 2.0


def repeat(operation: Callable[[], object], at_least_s: float = WATCHED_S) -> int:
    """Repeat `operation` until `at_least_s` have gone by; return how often it ran."""
    start_s, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - start_s < at_least_s:
        operation()
        count += 1
    return count


def program(name: str, remedy: str) -> str:
    """Find a program beside this Python, or on the path.

    Raises
    ------
    UnavailableError
        It is not there; `remedy` says how to get it.
    """
    beside = shutil.which(name, path=sysconfig.get_path("scripts"))
    found = beside or shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed. {remedy}")
    return str(Path(found))


def require_module(name: str, remedy: str) -> None:
    """Refuse where a Python package is not installed.

    Raises
    ------
    UnavailableError
        It is not there; `remedy` says how to get it.
    """
    if importlib.util.find_spec(name) is None:
        raise UnavailableError(f"{name} is not installed. {remedy}")
