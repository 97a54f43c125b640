"""External profilers: finds and runs them, and repeats an operation until they have enough samples."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from baler_energy.errors import UnavailableError
from baler_energy.signals import guarding

__all__ = ["WATCHED_S", "Finished", "ended", "program", "repeat", "require_module", "run_group", "stop"]

#: How long (s) an operation is repeated for a sampling profiler: 400 samples at 200 per second.
WATCHED_S = 2.0


def repeat(operation: Callable[[], object], at_least_s: float = WATCHED_S) -> int:
    """Repeat `operation` until `at_least_s` have passed; return how often it ran."""
    start_s, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - start_s < at_least_s:
        operation()
        count += 1
    return count


@dataclass(frozen=True)
class Finished:
    """How a program ended: its exit code, and the end of its output."""

    returncode: int
    said: str


def run_group(command: Sequence[str], *, folder: Path | None = None, timeout_s: float | None = None) -> Finished:
    """Run a program; if the wait or this process ends for any reason, end the program and all its children.

    Parameters
    ----------
    command
        Command and arguments.
    folder
        Working directory.
    timeout_s
        Time limit (s), after which the program is killed and the exit code is -9.
    """
    with (
        guarding() as guard_from,
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as running,
    ):
        guard_from(running.pid)
        try:
            said, code = running.communicate(timeout=timeout_s)[0], running.returncode
        except subprocess.TimeoutExpired:
            said, code = f"it did not end within {timeout_s:g} s", -signal.SIGKILL
        finally:
            guard_from(None)
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    return Finished(code, " ".join(said.split())[-300:])


def ended(watcher: "subprocess.Popen[str]") -> str:
    """Wait for a program that was asked to exit, and kill it if it does not; return its output."""
    try:
        said, more = watcher.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        watcher.kill()
        said, more = watcher.communicate()
    return f"{said or ''}{more or ''}"


def stop(watcher: "subprocess.Popen[str]") -> None:
    """End a program that watches this process: ask first, as one that is killed may leave this process stopped."""
    try:
        watcher.terminate()
        watcher.wait(timeout=2)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also if the time limit interrupts the wait
        watcher.kill()


def program(name: str, remedy: str) -> str:
    """Find a program in this Python's folder of scripts or on the path.

    Raises
    ------
    UnavailableError
        It is not installed; `remedy` explains how to install it.
    """
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed. {remedy}")
    return str(Path(found))


def require_module(name: str, remedy: str) -> None:
    """Check that a Python package is installed.

    Raises
    ------
    UnavailableError
        It is not installed; `remedy` explains how to install it.
    """
    if importlib.util.find_spec(name) is None:
        raise UnavailableError(f"{name} is not installed. {remedy}")
