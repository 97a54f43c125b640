"""CPU cores that this process may use."""

import os

import psutil

__all__ = ["allowed_cpus", "default_threads", "physical_cores"]


def default_threads() -> int:
    """Return the default number of threads: all physical cores except one, which is left to other processes.

    OpenMP's threads wait for each other after every operator. With a thread on every core, one busy process slows
    them down by a factor of three, and the last core gains little (docs/trust.md, "Threads").
    """
    return max(1, physical_cores() - 1)


def physical_cores() -> int:
    """Physical cores, or the CPUs that this process may use if these are fewer (a cluster's allocation)."""
    allowed = allowed_cpus()
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def allowed_cpus() -> int:
    """Logical CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
