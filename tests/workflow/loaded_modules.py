"""Which of our modules a command loads, with each command in a separate process.

The processes fork from one that has imported the slow third-party packages, but none of our modules.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["loaded_by"]

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


def loaded_by(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, set[str]]:
    """Run one of our command lines; return its exit code, and the names of our modules that it loaded."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_run, args=(sender, list(arguments), dict(environment)))
    process.start()
    sender.close()
    code, names = receiver.recv()
    process.join()
    return code, names


def _run(sender: Connection, arguments: list[str], environment: dict[str, str]) -> None:
    assert not _ours(), "the process that forks has loaded modules of ours"
    os.environ.clear()
    os.environ.update(environment)
    from baler_energy.cli import main

    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    sender.send((code, _ours()))


def _ours() -> set[str]:
    return {name for name in sys.modules if name.split(".")[0] == "baler_energy"}
