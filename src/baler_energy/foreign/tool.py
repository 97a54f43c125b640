"""Description of a tool whose results can be read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from baler_energy.foreign.rows import Window
from baler_energy.logs import header

__all__ = ["Reader", "Tool", "begins_with", "has_columns"]


def has_columns(*names: str) -> Callable[[str], bool]:
    """Recognise tables that have some columns."""
    return lambda text: {*names} <= {*header(text)}


def begins_with(*names: str, delimiter: str = ",") -> Callable[[str], bool]:
    """Recognise tables by their first columns."""
    return lambda text: header(text, delimiter)[: len(names)] == [*names]


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of file.

    Parameters
    ----------
    recognises
        Whether a file's text is of this kind.
    read
        Yields the windows of a text; the path is for messages.
    """

    recognises: Callable[[str], bool]
    read: Callable[[str, Path], Iterator[Window]]


@dataclass(frozen=True)
class Tool:
    """A tool; each reader's module defines one as ``TOOL``.

    Parameters
    ----------
    name
        A value of `MeterName`.
    files
        What can be read, for messages.
    table
        Reads the tool's tables.
    log
        Reads its lines in a program's log, which may have lines of several tools.
    counts_gpu
        Whether its GPU energy comes from NVML's energy counter.
    """

    name: str
    files: str
    table: Reader | None = None
    log: Reader | None = None
    counts_gpu: bool = False
