"""pyJoules: its CSV (``;``) and the lines of its print handler in a log.

``timestamp`` is the window's start in seconds since 1970. RAPL domains are in microjoules, GPUs in millijoules
(pyJoules, ``handler/`` and ``device/``). pyJoules has no models: all its values come from counters.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.files import check_distinct
from baler_energy.foreign.rows import Value, Window, duration, energy, number
from baler_energy.foreign.tables import header, records
from baler_energy.foreign.tool import Reader, Tool
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["TOOL"]

_LINE = "begin timestamp :"
_DOMAIN = re.compile(r"(nvidia_gpu|package|core|uncore|dram)_(\d+)")
_GPU = "nvidia_gpu"


def _looks_like(text: str) -> bool:
    """Whether `text` is a pyJoules table."""
    return header(text, ";")[:3] == ["timestamp", "tag", "duration"]


def _log_looks_like(text: str) -> bool:
    """Whether `text` is a log with pyJoules lines."""
    return any(line.startswith(_LINE) for line in text.splitlines())


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
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.startswith(_LINE):
            continue
        pairs = [part.split(" : ", 1) for part in line.removeprefix("begin ").split("; ")]
        if any(len(pair) != 2 for pair in pairs):
            raise InputError(f"{path}, row {row}: a pyJoules line is cut off. Remove it, or export the file again.")
        check_distinct(f"{path}, row {row}", (name.strip() for name, _ in pairs), "domain")
        yield _window({name.strip(): value for name, value in pairs}, path, row)


def _window(cells: Mapping[str, str], path: Path, row: int) -> Window:
    named = {name: cells.get(name) or "" for name in ("timestamp", "duration")}
    start, length = (number(text, path, row, name) for name, text in named.items())
    domains = [(match, cells[match[0]]) for match in map(_DOMAIN.fullmatch, cells) if match]
    if not domains or length < 0:
        what = "no domain such as package_0 or nvidia_gpu_0" if not domains else "a negative duration"
        raise InputError(f"{path}, row {row}: has {what}. Remove the row, or run pyJoules again.")
    values = [duration(length, "pyJoules' duration")]
    values += [_reading(match, number(text, path, row, match[0])) for match, text in domains]
    return Window(MeterName("pyjoules"), tuple(values), start_s=start, duration_s=length, utc=True)


def _reading(domain: re.Match[str], count: float) -> Value:
    kind, index = domain.groups()
    if kind == _GPU:
        return energy(f"gpu-{index}", count * 1e-3, Evidence.MEASURED, "pyJoules reads NVML's energy counter (mJ)")
    return energy(f"{kind}-{index}", count * 1e-6, Evidence.MEASURED, "pyJoules reads the RAPL counter (uJ)")


TOOL = Tool(
    "pyjoules",
    "tables (;) and logs of pyJoules",
    table=Reader(_looks_like, _read),
    log=Reader(_log_looks_like, _read_log),
    counts_gpu=True,
)
