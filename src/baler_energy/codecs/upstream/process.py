"""Upstream Baler in a separate process, which runs one mode of its command line for each request."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from baler_energy.codecs.upstream.config import Folder
from baler_energy.codecs.upstream.install import RUNNER, find, upstream_environment
from baler_energy.errors import BalerEnergyError, UnavailableError
from baler_energy.progress import announce

__all__ = ["Upstream", "started"]

#: How long the process may take to exit once its input is closed (s).
_END_S = 10.0
_LAST_LINES = 8


class Upstream:
    """A running process; `started` makes one.

    Parameters
    ----------
    process
        The process, which was started at `start_s` of the monotonic clock.
    log
        File with Baler's output.

    Attributes
    ----------
    facts
        Versions of Baler (``version`` and ``commit``) and of its ``python``, ``torch`` and ``numpy``; and ``cuda``:
        whether it finds a GPU.
    startup_s
        Time from its start until everything was imported (s).
    """

    def __init__(self, process: "subprocess.Popen[str]", log: Path, start_s: float) -> None:
        self._process = process
        self._log = log
        self._log_before = 0
        self.facts = self._answer("while starting")
        self.startup_s = time.monotonic() - start_s

    def perform(self, project: Folder, mode: str, seed: int, *, profile: bool = False) -> dict[str, Any]:
        """Run a mode, from reading the input to writing the files.

        Parameters
        ----------
        project
            A project below the folder that the process runs in.
        mode
            ``train``, ``compress`` or ``decompress``.
        seed
            Seed of torch, from which Baler draws its starting parameters.
        profile
            Run it under cProfile.

        Returns
        -------
        dict
            ``gpu_memory_peak_b``: largest since the process started, None without a GPU; with `profile` also
            ``functions``, as `profilers.cprofile.added_up` takes them.

        Raises
        ------
        BalerEnergyError
            Baler failed, or its process ended.
        """
        self._log_before = self._log.stat().st_size
        names = [project.path.parent.name, project.name]
        return self._ask({"project": names, "mode": mode, "seed": seed, "profile": profile})

    def synchronise(self) -> None:
        """Wait until Baler's GPU has finished its queue; the first time, this makes its CUDA context."""
        self._ask({"mode": "synchronise"})

    def last_output(self) -> str:
        """Give what Baler printed since the last request, with progress bars in their final state."""
        with self._log.open("rb") as handle:
            handle.seek(self._log_before)
            lines = handle.read().decode("utf-8", "replace").rstrip("\n").split("\n")
        # A progress bar overwrites itself.
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)

    def _answer(self, doing: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise BalerEnergyError(f"Upstream Baler {_ending(self._process.wait())} {doing}. {self._last_lines()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BalerEnergyError(f"Upstream Baler failed {doing}: {answer['error']}. {self._last_lines()}")
        return answer

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        # If the process has ended, waiting for the answer reports it.
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self._answer(f"in mode {request['mode']}")

    def _last_lines(self) -> str:
        lines = [line for line in self.last_output().splitlines() if line.strip()][-_LAST_LINES:]
        return "\n  ".join(["Its last lines:", *lines]) if lines else "It printed nothing."


@contextmanager
def started(folder: Path, *, device: str, threads: int) -> Iterator[Upstream]:
    """Start Baler's process and wait until it has imported everything; it ends with the block, or with this process.

    Parameters
    ----------
    folder
        Where it runs: the folder that holds ``workspaces``. Its output goes to ``baler.log`` there; the output of the
        last request also goes to our standard error, at the end.
    device
        ``cpu`` or ``cuda``.
    threads
        Number of torch's threads.

    Raises
    ------
    UnavailableError
        Baler is not installed, or finds no GPU.
    BalerEnergyError
        It does not start.
    """
    installation = find()
    # A notebook's matplotlib backend is not installed there, and Baler uses any GPU that it sees.
    environment = upstream_environment() | {"MPLBACKEND": "agg"}
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [str(installation.python), "-P", str(RUNNER), str(threads)]
    pipe, log = subprocess.PIPE, folder / "baler.log"
    start_s = time.monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=errors, text=True
        )
    try:
        upstream = Upstream(process, log, start_s)
        if device == "cuda" and not upstream.facts["cuda"]:
            raise UnavailableError(
                "--device cuda: upstream Baler's torch finds no GPU, but ours does. Install it with the same build "
                'of torch: `rm -r .venv-upstream`, then `make upstream TORCH_INDEX=...` (README, "Which torch").'
            )
        yield upstream
        announce(upstream.last_output())
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended (exit code {code})"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
