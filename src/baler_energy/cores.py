"""Cores that this process may compute on."""

import os

import psutil

__all__ = ["allowed_cpus", "default_threads", "physical_cores"]


def default_threads() -> int:
    """Threads of a computation that names none: the physical cores but one, which is left to everything else.

    OpenMP's threads wait for each other after every operator, so that one busy process on a core that they all need
    costs a factor of three, and the last core gains little (docs/trust.md, "Threads").
    """
    return max(1, physical_cores() - 1)


def physical_cores() -> int:
    """Physical cores, or fewer where this process may not run on as many CPUs (a cluster's allotment)."""
    allowed = allowed_cpus()
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def allowed_cpus() -> int:
    """Logical CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
