"""Where upstream Baler is installed: in an environment of its own, as its NumPy is older than ours."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from baler_energy.codecs.upstream import runner
from baler_energy.errors import UnavailableError

__all__ = ["RUNNER", "VARIABLE", "Installation", "find", "upstream_environment"]

#: Environment variable that names another Python which has Baler.
VARIABLE = "BALER_UPSTREAM_PYTHON"
#: The program that runs Baler there. It is imported here, where it does nothing, so that a stage's fingerprint sees it.
RUNNER = Path(runner.__file__)

_DEFAULT = Path(".venv-upstream", "bin", "python")
_REMEDY = (
    "Install it with `make upstream` (BALER_SOURCE=... uses a local clone), or set the environment variable "
    f"{VARIABLE} to a Python that has it."
)


@dataclass(frozen=True)
class Installation:
    """A Python that has Baler, the version that it has, and of which commit that is (None: not written down)."""

    python: Path
    version: str
    commit: str | None


def find() -> Installation:
    """Find upstream Baler.

    Raises
    ------
    UnavailableError
        It is not installed; the message says how to.
    """
    python = _upstream_python()
    command = [str(python), "-P", str(RUNNER), "--describe"]
    said = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=upstream_environment())
        said = done.stderr.strip().rpartition("\n")[2]
        facts = json.loads(done.stdout)
        return Installation(python, facts["version"], facts["commit"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"Upstream Baler is not installed for {python} ({said or error}). {_REMEDY}") from error


def _upstream_python() -> Path:
    """Give the Python of upstream Baler's environment, absolute: that of the variable, or of `make upstream`.

    Raises
    ------
    UnavailableError
        There is no such file.
    """
    python = Path(os.environ.get(VARIABLE) or _DEFAULT).absolute()
    if not python.is_file():
        raise UnavailableError(f"Upstream Baler is not installed: {python} does not exist. {_REMEDY}")
    return python


def upstream_environment() -> dict[str, str]:
    """Give this process's environment variables, less those that would lead its Python to our packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
