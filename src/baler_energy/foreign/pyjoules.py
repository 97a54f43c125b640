"""pyJoules: its CSV (``;``) and the lines of its print handler in a log.

``timestamp`` is the window's start in seconds since 1970, and ``duration`` is in seconds; the first versions wrote both
in nanoseconds. RAPL domains are in microjoules, GPUs in millijoules (pyJoules, ``handler/`` and ``device/``). pyJoules
has no models: all its values come from counters.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.files import check_distinct
from baler_energy.foreign.rows import Value, Window, duration, energy
from baler_energy.foreign.tool import Reader, Tool, begins_with
from baler_energy.logs import number, records, unit_s
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["TOOL"]

_LINE = "begin timestamp :"
_DOMAIN = re.compile(r"(nvidia_gpu|package|core|uncore|dram)_(\d{1,4})", re.ASCII)
_GPU = "nvidia_gpu"


def _log_looks_like(text: str) -> bool:
    """Whether `text` is a log with pyJoules lines."""
    return any(line.startswith(_LINE) for line in text.split("\n"))


def _read(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per row of the table.

    Raises
    ------
    InputError
        A row is damaged.
    """
    for cells in records(text, path, ";"):
        yield _window(cells.values, path, cells.row)


def _read_log(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per line of the print handler; other lines are ignored.

    Raises
    ------
    InputError
        A pyJoules line is cut off or damaged, or has a domain twice.
    """
    widest: dict[str | None, list[str]] = {}
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.startswith(_LINE):
            continue
        pairs = [part.split(" : ", 1) for part in line.removeprefix("begin ").split("; ")]
        names = [pair[0].strip() for pair in pairs]
        cells = dict(zip(names, (pair[-1] for pair in pairs), strict=True))
        check_distinct(f"{path}, row {row}", names, "domain")
        # A line that is cut between two domains looks whole: an earlier line of its tag shows that some are missing.
        before = widest.setdefault(cells.get("tag"), names)
        if any(len(pair) != 2 for pair in pairs) or names == before[: len(names)] != before:
            raise InputError(f"{path}, row {row}: a pyJoules line is cut off. Remove it, or export the file again.")
        yield _window(cells, path, row)


def _window(cells: Mapping[str, str], path: Path, row: int) -> Window:
    named = {name: cells.get(name) or "" for name in ("timestamp", "duration")}
    start, length = (number(text, path, row, name) for name, text in named.items())
    unit = unit_s(start)
    domains = [(match, cells[match[0]]) for match in map(_DOMAIN.fullmatch, cells) if match]
    if not domains or length < 0:
        what = "no domain such as package_0 or nvidia_gpu_0" if not domains else "a negative duration"
        raise InputError(f"{path}, row {row}: has {what}. Remove the row, or run pyJoules again.")
    length_s = length * unit
    values = [duration(length_s, "pyJoules' duration" + f", in units of {unit:g} s" * (unit != 1))]
    values += [_reading(match, number(text, path, row, match[0])) for match, text in domains]
    run = f"{path}: {cells.get('tag')}"
    return Window(MeterName("pyjoules"), tuple(values), start_s=start * unit, duration_s=length_s, utc=True, run=run)


def _reading(domain: re.Match[str], count: float) -> Value:
    kind, index = domain.groups()
    if kind == _GPU:
        return energy(f"gpu-{index}", count * 1e-3, Evidence.MEASURED, "pyJoules reads NVML's energy counter (mJ)")
    return energy(f"{kind}-{index}", count * 1e-6, Evidence.MEASURED, "pyJoules reads the RAPL counter (uJ)")


TOOL = Tool(
    "pyjoules",
    "tables (;) and logs of pyJoules",
    table=Reader(begins_with("timestamp", "tag", "duration", delimiter=";"), _read),
    log=Reader(_log_looks_like, _read_log),
    counts_gpu=True,
)
