"""Stage ``peer``: a training that another tool also measures, in a separate process with a time limit."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from baler_energy.config.measuring import Peers
from baler_energy.config.options import add_options
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import check_outputs, discard, output_folder, read_json, write_json
from baler_energy.meters.lock import LOCK_VARIABLE, MachineLock
from baler_energy.meters.options import add_session_arguments, meter_class
from baler_energy.meters.peers.base import peer_version
from baler_energy.progress import announce
from baler_energy.signals import guarding
from baler_energy.stages import train
from baler_energy.stages.file_names import PEER_RESULT, RECORD
from baler_energy.stages.options import DEFAULTS, add_point_arguments, point_options
from baler_energy.temporaries import temporary_folder
from baler_energy.vocabulary import PEERS, MeterName, Operation

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "run_limited"]

HELP = "train while another tool measures as well, to compare the two"
EPILOG = """example:
  baler-energy peer --tool zeus --data table.npz --epochs 5 --out peers/zeus

The training runs in its own process, with our meters and the tool's around the same window, and is killed with its
children at the time limit. A tool that is missing, fails or does not finish is also a result: the exit code is 0, and
the reason is recorded.

writes peer.json
"""

#: Longest wait for the process to end after a signal.
_GRACE_S = 5.0
_LAST_LINES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--tool", type=MeterName, choices=PEERS, required=True, metavar="TOOL", help=", ".join(PEERS))
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")
    add_options(parser, Peers, only=["time_limit_s"])
    train.add_training_arguments(parser)
    add_point_arguments(parser, defaults=DEFAULTS)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options.

    Raises
    ------
    InputError
        An option or the table is wrong, for any tool.
    """
    point = point_options(args, DEFAULTS)
    check_outputs(args.out, PEER_RESULT)
    discard(args.out / PEER_RESULT)
    # The machine is locked here, so that the time limit does not include the wait for other measurements.
    with temporary_folder() as folder, MachineLock() as lock:
        variables = {LOCK_VARIABLE: str(folder / "lock")}
        reason = run_limited(_command(args, folder), args.time_limit_s, variables, lock.fileno())
        record = folder / RECORD
        measurement = read_json(record) if reason is None else None
    if measurement is None:
        announce(f"{args.tool}: {reason}")
        table = Table.read(args.data)
        rows, columns = table.data.shape
        parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    else:
        parameters = measurement["parameters"]
    result: dict[str, Any] = {
        "tool": str(args.tool),
        "tool_version": peer_version(meter_class(args.tool).package),
        "operation": str(Operation.TRAIN),
        "parameters": parameters,
        "measurement": measurement,
        "reason": reason,
    }
    write_json(args.out / PEER_RESULT, result)


def run_limited(
    command: Sequence[str], limit_s: float, variables: Mapping[str, str] = MappingProxyType({}), *kept: int
) -> str | None:
    """Run a command in its own process group, which ends before this returns, and also if this process is killed.

    Parameters
    ----------
    command
        Program and arguments. Its output is copied to standard error after it ends.
    limit_s
        Time after which the whole group is killed.
    variables
        Environment variables that it gets besides our own.
    kept
        Descriptors that stay open until it has ended (`guarding`).

    Returns
    -------
    str or None
        Why there is no result (the last lines of output, or the time limit); None on success.

    Raises
    ------
    InputError
        Its exit code is that of a wrong input.
    """
    with (
        tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as output,
        guarding(*kept) as guard_from,
    ):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **variables},
        )
        try:
            guard_from(process.pid)
            returncode: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            returncode = None
        finally:
            _end_group(process)
            guard_from(None)
        output.seek(0)
        lines = [line.rstrip() for line in output if line.strip()]
    for line in lines:
        announce(line)
    return _reason(returncode, lines, limit_s)


def _reason(returncode: int | None, lines: Sequence[str], limit_s: float) -> str | None:
    """Return why a command gave no result, from its exit code (None: time limit) and output; None on success."""
    if returncode is None:
        return f"did not finish within {limit_s:g} s"
    if returncode == 0:
        return None
    if returncode == InputError.exit_code:
        raise InputError(lines[-1].partition(": ")[2] if lines else "The training rejected its input.")
    how = f"exit code {returncode}" if returncode > 0 else f"signal {-returncode}"
    return f"ended with {how}: {' '.join(lines[-_LAST_LINES:]) or 'without a message'}"


def _command(args: argparse.Namespace, out: Path) -> list[str]:
    """Make the command line of the training, with our meters and the tool's, writing to `out`."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    ours = [name for name in args.meters if name not in PEERS]
    options = vars(args) | {"out": out, "meters": [*ours, args.tool]}
    words: list[str] = []
    for action in parser._actions:
        value = options.get(action.dest)
        if not action.option_strings or value is None or value is False:
            continue
        option = action.option_strings[-1]
        if value is True:
            words.append(option)
        elif isinstance(value, list):
            words += [option, *map(str, value)]
        else:
            words.append(f"{option}={value}")
    return [sys.executable, "-m", "baler_energy.cli", "train", *words]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and its whole group; helpers of the tools may outlive the process."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
