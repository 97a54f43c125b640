"""CPU cores that this process may use."""

import os
from pathlib import Path, PurePosixPath

import psutil

from baler_energy.system_files import system_text

__all__ = ["allowed_cpus", "cpu_quota", "default_threads", "physical_cores"]

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


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
    """Logical CPUs that this process may use: by its affinity, or by its container's CPU quota if that is less.

    A quota of 2.5 CPUs allows two: the kernel would stop a third thread, for which the others then wait.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cpus if quota is None else max(1, min(cpus, int(quota)))


def cpu_quota(own: Path = _OWN_CGROUPS, root: Path = _CGROUPS) -> float | None:
    """Return the CPU time that this process's control groups allow (CPUs); None: there is no limit.

    A quota of any group above the process's own also holds. In a container, the path of its own group may be that on
    the host, while the container only sees its group, at the root.

    Parameters
    ----------
    own
        The kernel's list of the process's groups.
    root
        Folder where the groups are mounted.

    Notes
    -----
    Version 2: ``cpu.max`` is quota and period (us), or ``max``. Version 1: ``cpu.cfs_quota_us`` (-1: no limit) over
    ``cpu.cfs_period_us`` (kernel: admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst).
    """
    quotas = []
    for line in system_text(own).splitlines():
        _, _, group = line.partition(":")
        controllers, _, path = group.partition(":")
        mounts = [root / controllers, root / "cpu"] if "cpu" in controllers.split(",") else []
        mounts += [] if controllers else [root]
        inside = PurePosixPath(path.lstrip("/"))
        for mount in mounts:
            quotas += [_quota(mount / group) for group in (inside, *inside.parents) if ".." not in group.parts]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(group: Path) -> float | None:
    """Return the quota of one group (CPUs); None without a limit."""
    words = system_text(group / "cpu.max").split()
    words = words or [system_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    try:
        quota_us, period_us = map(int, words)
    except ValueError:  # "max", or the files do not exist
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
