"""Cores that this process may compute on."""

import os

import psutil

__all__ = ["allowed_cpus", "physical_cores"]


def physical_cores() -> int:
    """Physical cores, or fewer where this process may not run on as many CPUs (a cluster's allotment)."""
    allowed = allowed_cpus()
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def allowed_cpus() -> int:
    """Logical CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
