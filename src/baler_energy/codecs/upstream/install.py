"""Finds upstream Baler, which is installed in a separate environment, as it needs an older NumPy."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from baler_energy.codecs.upstream import runner
from baler_energy.errors import UnavailableError

__all__ = ["RUNNER", "VARIABLE", "Installation", "find", "upstream_environment"]

#: Environment variable that names another Python with Baler.
VARIABLE = "BALER_UPSTREAM_PYTHON"
#: The program that runs Baler there. Importing it here does nothing but include it in a stage's fingerprint.
RUNNER = Path(runner.__file__)

_DEFAULT = Path(".venv-upstream", "bin", "python")
_REMEDY = (
    "Install it with `make upstream` (BALER_SOURCE=... uses a local clone), or set the environment variable "
    f"{VARIABLE} to a Python that has it."
)


@dataclass(frozen=True)
class Installation:
    """A Python with Baler.

    Parameters
    ----------
    python
        The Python.
    versions
        ``version`` and ``commit`` of Baler (None: not recorded), and versions of its ``python``, ``torch`` and
        ``numpy``.
    """

    python: Path
    versions: Mapping[str, str | None]


def find() -> Installation:
    """Find upstream Baler; it is started only once in a process.

    Raises
    ------
    UnavailableError
        It is not installed; the message explains how to install it.
    """
    return _described(_upstream_python())


@cache
def _described(python: Path) -> Installation:
    command = [str(python), "-P", str(RUNNER), "--describe"]
    said = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=upstream_environment())
        said = done.stderr.strip().rpartition("\n")[2]
        return Installation(python, dict(json.loads(done.stdout)))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"Upstream Baler is not installed for {python} ({said or error}). {_REMEDY}") from error


def _upstream_python() -> Path:
    """Give the absolute path of upstream Baler's Python: from `VARIABLE`, or as installed by `make upstream`.

    Raises
    ------
    UnavailableError
        The file does not exist.
    """
    python = Path(os.environ.get(VARIABLE) or _DEFAULT).absolute()
    if not python.is_file():
        raise UnavailableError(f"Upstream Baler is not installed: {python} does not exist. {_REMEDY}")
    return python


def upstream_environment() -> dict[str, str]:
    """Give our environment variables, without those that would make Baler's Python import our packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
