"""CPU time that other processes used during a window."""

import resource
import time
from dataclasses import dataclass

import psutil

from baler_energy.records import Contamination
from baler_energy.vocabulary import CONTAMINATION_LIMIT

__all__ = ["CpuTimes", "contamination", "tree_cpu_s"]


@dataclass(frozen=True)
class CpuTimes:
    """CPU seconds so far, of the whole machine and of this process with its children."""

    time_s: float
    machine_s: float
    ours_s: float

    @classmethod
    def now(cls) -> "CpuTimes":
        """Read the counters."""
        return cls(time_s=time.monotonic(), machine_s=_machine_cpu_s(), ours_s=tree_cpu_s())

    @classmethod
    def of_machine(cls) -> "CpuTimes":
        """Read only the machine's counters, which is cheap."""
        return cls(time_s=time.monotonic(), machine_s=_machine_cpu_s(), ours_s=0.0)


def contamination(
    begin: CpuTimes, end: CpuTimes, logical_cpus: int, limit: float = CONTAMINATION_LIMIT
) -> Contamination:
    """Compute the share of the machine's CPU time that other processes used.

    Contamination = (CPU seconds of all processes - ours) / (logical CPUs x duration). It is clipped at zero: the
    machine's counters tick in hundredths of a second, ours do not.

    Parameters
    ----------
    begin, end
        The counters at the edges of the window.
    logical_cpus
        Number of logical CPUs of the machine.
    limit
        Share above which the window is contaminated.
    """
    other_s = max(0.0, (end.machine_s - begin.machine_s) - (end.ours_s - begin.ours_s))
    capacity_s = logical_cpus * (end.time_s - begin.time_s)
    fraction = other_s / capacity_s if capacity_s > 0 else None
    return Contamination(fraction=fraction, other_cpu_s=other_s, logical_cpus=logical_cpus, limit=limit)


def _machine_cpu_s() -> float:
    # Busy time only: neither time stolen by the hypervisor nor waiting for a disk. User time includes guest time.
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))


def tree_cpu_s() -> float:
    """Sum the CPU seconds of this process and all its descendants, both running and ended (once waited for)."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:  # it has just ended: counted once its parent has waited for it
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s
