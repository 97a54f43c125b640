"""Snakemake without its imports, which take as long as the rest of a dry run: a process with them forks for each.

Jobs start from the similar process of `baler-energy study`. Each run is the same as ``python -m snakemake``, with the
requested folder, environment and search path. Our modules are not loaded yet, because every test folder has its own
copy.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

__all__ = ["WarmSnakemake"]

#: Other packages that the workflow loads.
ALSO = ("psutil", "pydantic", "yaml")


class WarmSnakemake:
    """A process that has imported Snakemake; `run` asks it for a run, one at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        # Imported here, because the process that forks loads none of our modules.
        from baler_energy.warm import warm_start

        self._jobs = ExitStack()
        self._variables = self._jobs.enter_context(warm_start())

    def run(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], limit_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in a folder; its output is one text. If a run hangs, the whole process is ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as said:
            request = {
                "words": words,
                "cwd": str(cwd),
                "environment": {**environment, **self._variables},
                "said": said.name,
            }
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], limit_s)[0]:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["snakemake", *words], limit_s, said.read())
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(["snakemake", *words], code, said.read())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._jobs.close()


def _serve() -> None:
    """Fork for each request, and answer with the exit code."""
    import importlib

    from snakemake import cli

    for name in ALSO:
        importlib.import_module(name)
    own = {str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    installed = [path for path in sys.path if path not in own]
    while line := sys.stdin.readline():
        request = json.loads(line)
        if (child := os.fork()) == 0:
            _become(request, installed)
            cli.main()  # exits
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: Mapping[str, object], installed: Sequence[str]) -> None:
    """Set the folder, the environment, the search path and the output of a run."""
    cwd, environment = str(request["cwd"]), request["environment"]
    assert isinstance(environment, dict) and isinstance(request["words"], list)
    said, nothing = os.open(str(request["said"]), os.O_WRONLY | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(descriptor, number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [cwd, *environment["PYTHONPATH"].split(os.pathsep), *installed]
    sys.argv = [str(Path(sys.modules["snakemake"].__file__ or "").with_name("__main__.py")), *request["words"]]


if __name__ == "__main__":
    _serve()
