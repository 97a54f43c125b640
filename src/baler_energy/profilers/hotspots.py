"""The row that every profiler returns, and the selection of the largest rows."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from baler_energy.files import write_parquet

__all__ = ["TOP", "Hotspot", "short_path", "top", "write_hotspots"]

#: Number of rows kept per profile.
TOP = 40
#: Types of columns whose values may all be missing, which pandas cannot infer then.
_TYPES: dict[Any, str] = {int | None: "Int64", float | None: "float64", str | None: "string"}
#: The same for parameters that not every profiled operation has.
_PARAMETERS = {"epochs": "Int64", "source": "string"}


@dataclass(frozen=True, kw_only=True)
class Hotspot:
    """A function, an operator, a line, or a GPU activity; None means unknown, never zero."""

    kind: str
    """A key of `analysis.schema.KINDS`, which defines the kind and the whole of its shares."""
    name: str
    file: str | None = None
    line: int | None = None
    stack: str | None = None
    """Call path from the outermost function, separated by semicolons, if the profiler records paths."""
    calls: int | None = None
    """Number of calls; for a counter, the number of events."""
    self_share: float | None = None
    """Own time as a share of the kind's whole."""
    total_share: float | None = None
    """Time including callees, as a share of the same whole."""
    self_time_s: float | None = None
    total_time_s: float | None = None
    memory_bytes: int | None = None
    """Memory that it allocated."""
    bytes: int | None = None
    """Bytes that it moved or copied."""
    flops: int | None = None
    """Two per multiply-accumulate."""
    energy_j: float | None = None
    """Energy (J) per iteration of its measured loop; the profilers themselves do not measure energy."""
    energy_evidence: str | None = None
    """Evidence of `energy_j`: ``measured`` or ``modelled``."""
    energy_scope: str | None = None
    """Components in `energy_j`, such as ``cpu+dram``."""
    flags: str | None = None
    """What was wrong with its measured loop (the same flags as for runs), separated by commas."""
    reason: str | None = None
    """Why values are missing."""


def top(hotspots: Iterable[Hotspot]) -> list[Hotspot]:
    """Return the `TOP` hotspots by self time, largest first."""
    return sorted(hotspots, key=lambda hotspot: hotspot.self_time_s or 0.0, reverse=True)[:TOP]


def short_path(path: str) -> str:
    """Return a source file's path relative to the folder from which Python imports it."""
    roots = [root for root in sorted(map(str, sys.path), key=len, reverse=True) if root]
    for root in roots:
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return path


def write_hotspots(path: Path, parameters: Mapping[str, Any], hotspots: Iterable[Hotspot]) -> None:
    """Write rows of the table ``hotspots``, each with the columns `parameters`."""
    import pandas as pd

    frame = pd.DataFrame([{**parameters, **asdict(hotspot)} for hotspot in hotspots])
    types = _PARAMETERS | {field.name: _TYPES[field.type] for field in fields(Hotspot) if field.type in _TYPES}
    write_parquet(path, frame.astype(types))
