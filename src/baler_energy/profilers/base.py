"""What a profiler is, and what it sees of the operation that it profiles."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from baler_energy.data.table import Table
from baler_energy.profilers.hotspots import Hotspot

__all__ = ["Profiler", "Watched"]


class Watched(Protocol):
    """An operation on the first batches of a table."""

    @property
    def max_batches(self) -> int:
        """Batches to profile at most."""
        ...

    @property
    def time_limit_s(self) -> int:
        """What the profiler has."""
        ...

    def of_batches(self, batches: int) -> Callable[[], object]:
        """Give the operation on the first batches, everything before it done."""
        ...

    def part(self, batches: int) -> Table:
        """Give the rows of the first batches."""
        ...

    def dumps(self) -> str:
        """Write the job as text, which the program ``python -m baler_energy.stages.profiled`` takes."""
        ...

    @property
    def repetitions(self) -> Path:
        """File in which that program leaves how often it ran the operation."""
        ...


@dataclass(frozen=True)
class Profiler:
    """A profiler, which each of these modules has as its ``PROFILER``.

    Parameters
    ----------
    profile
        Profiles a job and writes the profiler's own files to a folder. It raises `UnavailableError` where the machine
        lacks the profiler.
    elsewhere
        Whether the operation runs in another process, which warms up for itself: a GPU may serve one process only.
    """

    profile: Callable[[Watched, Path], list[Hotspot]]
    elsewhere: bool = False
