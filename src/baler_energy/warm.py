"""A process that has imported what the jobs of a study need, and forks each job, so that it starts at once.

Importing torch, pandas and codecarbon takes longer than what most jobs measure. `baler-energy study` therefore starts
this process (`python -m baler_energy.warm`) and puts the path of its socket in the environment. If the variable is set,
`baler-energy` sends its command line there and waits for the exit code. Each job is still a separate process: a copy of
one that has computed nothing, with the files, folder and environment of the command. Jobs that are started by hand or
on a cluster do their own imports.
"""

import gc
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baler_energy.fingerprint import fingerprint
from baler_energy.forked import SOCKET_VARIABLE
from baler_energy.temporaries import temporary_folder
from baler_energy.variants import ENGINES, METERS, load, variant_modules

__all__ = ["handed_over", "warm_start"]

#: Modules of jobs that are slow to import.
_IMPORTED = (
    "torch",
    "torch._dynamo",
    "pandas",
    "pyarrow.parquet",
    "baler_energy.stages.train",
    "baler_energy.stages.apply",
    "baler_energy.stages.forward",
    "baler_energy.stages.parts",
    *(module for one in ENGINES.values() for name, modules in one.items() if name != "figures" for module in modules),
)
_LENGTH = struct.Struct("!Q")


@contextmanager
def warm_start() -> Iterator[dict[str, str]]:
    """Start the process and yield the variable to add to the jobs' environment; the process ends with the block."""
    with temporary_folder() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = str(folder / "socket")
        listening.bind(path)
        # Jobs that connect before the imports are done wait.
        listening.listen(64)
        command = [sys.executable, "-m", "baler_energy.warm", str(listening.fileno()), str(os.getpid())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()])
        # Otherwise jobs would wait for a process that has failed; now they do their own imports.
        listening.close()
        try:
            yield {SOCKET_VARIABLE: path}
        finally:
            process.terminate()
            process.wait()


def handed_over(argv: Sequence[str]) -> int | None:
    """Run a command line in a fork of the warm process, if the environment has its socket.

    Returns
    -------
    int or None
        The exit code; None: there is no such process, so this one has to run the command.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            return None
        job = json.dumps({"argv": list(argv), "cwd": str(Path.cwd()), "environment": dict(os.environ)}).encode()
        try:
            socket.send_fds(connection, [_LENGTH.pack(len(job))], [0, 1, 2])
            connection.sendall(job)
            answer = _answer(connection)
        except ConnectionError:
            answer = b""
    if not answer:
        print("The job's process was killed.", file=sys.stderr)
    return answer[0] if answer else 1


def _answer(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except KeyboardInterrupt:
        # The job was interrupted as well; its exit code counts.
        return connection.recv(1)


def serve(listening: socket.socket, parent: int) -> None:
    """Import, then fork a job for each connection, until the process `parent` that started this one has ended."""
    from baler_energy.profilers.base import set_environment

    set_environment()
    packages = (name for kind in METERS.values() for name in load(kind.module).METER.imports)
    for name in (*_IMPORTED, *packages):
        importlib.import_module(name)
        if name.startswith("baler_energy."):
            fingerprint(name)
    for name in variant_modules():
        fingerprint(name)
    _detect_hardware()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps ended jobs
    listening.settimeout(1.0)
    while os.getppid() == parent:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            continue
        # Python 3.12 warns of NumPy's BLAS threads, which BLAS restarts after a fork.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning), connection:
            if os.fork() == 0:
                _run(listening, connection)


def _detect_hardware() -> None:
    """Let meters detect hardware once; not with a GPU, as a process that has initialised NVML must not be forked."""
    from baler_energy.devices import count_gpus

    if count_gpus():
        return
    for kind in METERS.values():
        load(kind.module).METER.detect()


def _run(listening: socket.socket, connection: socket.socket) -> None:
    """Receive a job's command line, files, folder and environment, run it in this process, send its exit code."""
    code = 1
    try:
        listening.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.settimeout(None)
        job = _take(connection)
        threading.Thread(target=_end_with, args=[connection], daemon=True).start()
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["environment"] | {SOCKET_VARIABLE: ""})
        from baler_energy.cli import main

        code = main(job["argv"])
    except SystemExit as exit_:  # from argparse
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(bytes([code & 0xFF]))
        finally:  # even if the command has ended and takes no answer: this process must not go on forking jobs
            os._exit(code)


def _take(connection: socket.socket) -> Any:
    """Receive a job, and use its files as standard input, output and error."""
    head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # The streams of this process know whether its own files can seek; these are other files.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    left, parts = _LENGTH.unpack(head)[0], []
    while left:
        parts.append(connection.recv(left))
        left -= len(parts[-1])
    return json.loads(b"".join(parts))


def _end_with(connection: socket.socket) -> None:
    """End the job when the command that handed it over has ended."""
    if not connection.recv(1):
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
