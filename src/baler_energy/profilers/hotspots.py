"""The row that every profiler gives, and the choice of the largest ones."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from baler_energy.files import atomic_path

__all__ = ["HOTSPOTS", "TOP", "Hotspot", "short_path", "top", "write_hotspots"]

#: File of the rows of one profiled operation.
HOTSPOTS = "hotspots.parquet"

#: Rows that are kept of a profile.
TOP = 40


@dataclass(frozen=True, kw_only=True)
class Hotspot:
    """A function, an operator, a line, or what a GPU did; None is unknown, never zero."""

    kind: str
    """A word of `analysis.schema.KINDS`, which says what it is and what its shares are of."""
    name: str
    file: str | None = None
    line: int | None = None
    stack: str | None = None
    """The path to it from the outermost, separated by semicolons, where the profiler knows paths."""
    calls: int | None = None
    """Calls; of a counter, its events."""
    self_share: float | None = None
    """Its own time over the time of all of its kind's whole."""
    total_share: float | None = None
    """Time with what it calls over the same."""
    self_time_s: float | None = None
    total_time_s: float | None = None
    memory_bytes: int | None = None
    """Memory that it allocated."""
    bytes: int | None = None
    """Bytes that it moved or copied."""
    flops: int | None = None
    """Two per multiply-accumulate."""
    energy_j: float | None = None
    """Energy of its measured loop, of one time; profilers proper know none."""
    energy_evidence: str | None = None
    """``measured`` or ``modelled``: what `energy_j` is."""
    energy_scope: str | None = None
    """Components in `energy_j`, such as ``cpu+dram``."""
    flags: str | None = None
    """What was wrong with its measured loop, as of a run, separated by commas."""
    reason: str | None = None
    """Why there are no values."""


def top(hotspots: Iterable[Hotspot]) -> list[Hotspot]:
    """Take the `TOP` hotspots by self time, largest first."""
    return sorted(hotspots, key=lambda hotspot: hotspot.self_time_s or 0.0, reverse=True)[:TOP]


def short_path(path: str) -> str:
    """Cut a source file's path to what follows the folder that Python imports it from."""
    roots = [root for root in sorted(map(str, sys.path), key=len, reverse=True) if root]
    for root in roots:
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return path


def write_hotspots(path: Path, parameters: Mapping[str, Any], hotspots: Iterable[Hotspot]) -> None:
    """Write rows of the table ``hotspots``, each with the point's columns."""
    import pandas as pd

    frame = pd.DataFrame([{**parameters, **asdict(hotspot)} for hotspot in hotspots])
    whole = ("epochs", "line", "calls", "memory_bytes", "bytes", "flops")
    real = ("self_share", "total_share", "self_time_s", "total_time_s", "energy_j")
    text = ("source", "file", "stack", "energy_evidence", "energy_scope", "flags", "reason")
    types = dict.fromkeys(whole, "Int64") | dict.fromkeys(real, "float64") | dict.fromkeys(text, "string")
    with atomic_path(path) as temporary:
        frame.astype(types).to_parquet(temporary, index=False)
