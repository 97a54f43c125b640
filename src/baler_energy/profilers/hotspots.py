"""The row that every profiler gives, and the choice of the largest ones."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TOP", "Hotspot", "short_path", "top"]

#: Rows that are kept of a profile.
TOP = 40


@dataclass(frozen=True)
class Hotspot:
    """A function, an operator, or what a GPU did; null is unknown, never zero."""

    kind: str
    """``function``, ``operator`` or, on the GPU, ``kernel``, ``copy`` or ``idle`` (the waiting between them)."""
    name: str
    file: str | None
    line: int | None
    calls: int
    self_share: float
    """Self time over all self time of the profile; on the GPU, over the time of kernels, copies and waiting."""
    total_share: float
    """Time with callees over the same."""
    self_time_s: float
    total_time_s: float
    memory_bytes: int | None
    """Allocated by it, less what it freed."""
    flops: int | None
    """Two per multiply-accumulate."""


def top(hotspots: Iterable[Hotspot]) -> list[Hotspot]:
    """Take the `TOP` hotspots by self time, largest first."""
    return sorted(hotspots, key=lambda hotspot: hotspot.self_time_s, reverse=True)[:TOP]


def short_path(path: str) -> str:
    """Cut a source file's path to what follows the folder that Python imports it from."""
    roots = [root for root in sorted(map(str, sys.path), key=len, reverse=True) if root]
    for root in roots:
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return path
