"""Commands in separate processes, and which of our modules they load.

The processes fork from one that has imported the slow third-party packages, but none of our modules.
"""

import gc
import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

__all__ = ["loaded_by", "started"]

_PACKAGES = [
    "torch",
    "torch._dynamo",
    "pandas",
    "pyarrow.parquet",
    "codecarbon",
    "matplotlib.pyplot",
    "mplhep",
    "pydantic",
]
_SERVER: Any = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_PACKAGES)


def loaded_by(
    arguments: Sequence[str], environment: Mapping[str, str], program: str = "baler_energy.cli"
) -> tuple[int, set[str]]:
    """Run a command line of our `program`; return its exit code, and the names of our modules that it loaded."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_run, args=(sender, program, list(arguments), dict(environment)))
    process.start()
    sender.close()
    code, names = receiver.recv()
    process.join()
    return code, names


def started(arguments: Sequence[str], said: Path) -> BaseProcess:
    """Start one of our command lines; its standard error goes to the file `said`."""
    process: BaseProcess = _SERVER.Process(target=_main, args=(list(arguments), dict(os.environ), said))
    process.start()
    return process


def _main(arguments: list[str], environment: dict[str, str], said: Path) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 2)
    _prepare(environment)
    from baler_energy.cli import main

    sys.exit(main(arguments))


def _run(sender: Connection, program: str, arguments: list[str], environment: dict[str, str]) -> None:
    assert not _ours(), "the process that forks has loaded modules of ours"
    _prepare(environment)
    try:
        code = importlib.import_module(program).main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    sender.send((code, _ours()))


def _prepare(environment: dict[str, str]) -> None:
    # Every measured window collects garbage; it need not look through the packages.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)


def _ours() -> set[str]:
    return {name for name in sys.modules if name.split(".")[0] == "baler_energy"}
