"""Zeus: lines of a log, and the CSV of ``ZeusMonitor(log_file=...)``.

A log has ZeusMonitor's own lines ("Measurement window 'epoch' started.", dated on the host's clock without a time
zone) and, as in the example in Zeus' documentation, a line that the program prints: "Epoch 3 consumed 4.6 s and
207.5 J.". The energy is that of the GPUs (Zeus, ``monitor/energy.py``). The logger is named ``ZeusMonitor``, since 0.8
after its module.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from baler_energy.errors import InputError
from baler_energy.foreign.rows import Value, Window, duration, energy
from baler_energy.foreign.tool import Reader, Tool, begins_with
from baler_energy.logs import Cells, local_seconds, number, records
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["TOOL"]

# No pattern may search for one thing behind another: on a long line that takes the square of its length, or more.
_LOGGER = r"\[(?:ZeusMonitor|zeus\.monitor\.energy)\]"
_WINDOW = re.compile(rf"\[([^\]]+)\] {_LOGGER}\S* Measurement window '(.*)' (started|ended)\b")
_EPOCH = re.compile(r"Epoch (\d{1,9}) consumed\b(?: (\S+) s and (\S+) J\.)?", re.ASCII)
_LOG = re.compile(rf"{_LOGGER}|^Epoch \d{{1,9}} consumed \S+ s and ", re.ASCII | re.MULTILINE)
_COLUMN = re.compile(r"gpu(\d{1,4})_energy", re.ASCII)
_HOW = "Zeus reads NVML's energy counter, or integrates sampled power on a GPU without one"


class _Edges(NamedTuple):
    """A window that ended: its file and name, and the dates of its lines (s)."""

    run: str
    start_s: float
    end_s: float


def _log_looks_like(text: str) -> bool:
    """Whether `text` is a log with Zeus lines."""
    return _LOG.search(text) is not None


def _read(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per row of the table.

    Raises
    ------
    InputError
        A row is damaged.
    """
    for cells in records(text, path):
        start, length = cells.times("start_time", "elapsed_time", local=False)
        values = (duration(length, "Zeus' elapsed time"), *_gpus(cells))
        run = f"{path}: {cells.text('window_name')}"
        yield Window(MeterName("zeus"), values, start_s=start, duration_s=length, utc=True, run=run)


def _gpus(cells: Cells) -> Iterator[Value]:
    for name in cells.values:
        if match := _COLUMN.fullmatch(name):
            yield energy(f"gpu-{match[1]}", cells.number(name), Evidence.MEASURED, _HOW)


def _read_log(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per pair of started and ended lines, with its energy if the following lines report it.

    Raises
    ------
    InputError
        A line is cut off or damaged, or there is no window.
    """
    found, started, ended = False, dict[str, float](), list[_Edges]()
    for row, line in enumerate(text.split("\n"), start=1):
        if match := _WINDOW.match(line):
            date = local_seconds(match[1], path, row)
            if match[3] == "started":
                started[match[2]] = date
            elif match[2] in started:
                found = True
                yield from map(_silent, ended)
                ended = [_Edges(f"{path}: {match[2]}", started.pop(match[2]), date)]
        elif match := _EPOCH.match(line):
            found = True
            yield _from_line(match, path, row, ended.pop() if ended else None)
    yield from map(_silent, ended)
    if not found:
        raise InputError(f"{path}: Zeus started in this log, but no window ended. Leave the file out, or run it again.")


def _from_line(line: re.Match[str], path: Path, row: int, edges: _Edges | None) -> Window:
    if line[2] is None:
        raise InputError(f"{path}, row {row}: a Zeus line is cut off. Remove it, or export the file again.")
    length, joules = number(line[2], path, row, "the time"), number(line[3], path, row, "the energy")
    if length < 0:
        raise InputError(f"{path}, row {row}: has a negative time. Remove the row, or run Zeus again.")
    values = (duration(length, "Zeus' time"), energy("gpu", joules, Evidence.MEASURED, _HOW))
    # From the end: a program that prints running totals prints a time longer than the window.
    start, run = (edges.end_s - length, edges.run) if edges else (None, f"{path}: epoch")
    return Window(MeterName("zeus"), values, start_s=start, duration_s=length, epoch=int(line[1]), run=run)


def _silent(edges: _Edges) -> Window:
    length = max(0.0, edges.end_s - edges.start_s)
    missing = "the log has the window's edges, but no line with its energy"
    values = (
        duration(length, "dates of the log's lines"),
        energy("gpu", None, Evidence.MEASURED, _HOW, missing=missing),
    )
    return Window(MeterName("zeus"), values, start_s=edges.start_s, duration_s=length, run=edges.run)


TOOL = Tool(
    "zeus",
    "tables of ZeusMonitor and logs of Zeus",
    table=Reader(begins_with("start_time", "window_name", "elapsed_time"), _read),
    log=Reader(_log_looks_like, _read_log),
    counts_gpu=True,
)
