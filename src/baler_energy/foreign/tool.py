"""What is known of a tool whose results are read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from baler_energy.foreign.rows import Window

__all__ = ["Reader", "Tool"]


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
    """A tool, which each reader's module has as its ``TOOL``.

    Parameters
    ----------
    name
        A word of `MeterName`.
    files
        What can be read, for messages.
    table
        Reads the tool's tables.
    log
        Reads its lines in a program's log, which may hold those of several tools.
    counts_gpu
        Whether its energy of a GPU is from NVML's energy counter.
    """

    name: str
    files: str
    table: Reader | None = None
    log: Reader | None = None
    counts_gpu: bool = False
