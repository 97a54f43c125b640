"""Interfaces of a profiler and of the operation that it profiles."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from baler_energy.data.table import Table
from baler_energy.profilers.hotspots import Hotspot
from baler_energy.variants import PROFILERS

__all__ = ["Profiler", "Watched", "set_environment"]


class Watched(Protocol):
    """An operation on the first batches of a table."""

    @property
    def max_batches(self) -> int:
        """Maximum number of batches to profile."""
        ...

    @property
    def time_limit_s(self) -> int:
        """Time limit of the profiler (s)."""
        ...

    def of_batches(self, batches: int) -> Callable[[], object]:
        """Return the operation on the first batches, with all preparation done."""
        ...

    def part(self, batches: int) -> Table:
        """Return the rows of the first batches."""
        ...

    def dumps(self) -> str:
        """Serialise the job to text, the argument of a program that runs the operation in another process."""
        ...

    @property
    def repetitions(self) -> Path:
        """File to which that program writes how often it ran the operation."""
        ...


@dataclass(frozen=True)
class Profiler:
    """A profiler; each profiler's module has one, called ``PROFILER``.

    Parameters
    ----------
    profile
        Profiles a job and writes the profiler's own files to a folder. It raises `UnavailableError` if the profiler
        does not work on this machine.
    elsewhere
        Whether the operation runs in another process, which does its own warm-up: a GPU may only serve one process.
    """

    profile: Callable[[Watched, Path], list[Hotspot]]
    elsewhere: bool = False


def set_environment() -> None:
    """Set the variables that profilers' packages read when they are imported, unless the user has set them."""
    for kind in PROFILERS.values():
        for name, value in kind.environment.items():
            os.environ.setdefault(name, value)
