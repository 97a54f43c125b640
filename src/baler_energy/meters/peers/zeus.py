"""Zeus, used as documented: one monitor, with begin_window and end_window; its pollers start before the window.

Source: ``zeus.monitor.ZeusMonitor`` of version 0.16 and https://ml.energy/zeus/measure.
"""

import logging
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from baler_energy.meters.gpus import visible_indices
from baler_energy.meters.peers.base import PeerMeter, by_component, with_sums
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["METER", "ZeusMeter"]

_WINDOW = "baler-energy"
#: Zeus's pollers, which watch for wraps, are processes that first import Zeus. They are ready once their CPU use drops.
_SETTLE_LIMIT_S = 30.0
_SETTLE_STEP_S = 1.0
_SETTLED_CPU_S = 0.05


class ZeusMeter(PeerMeter):
    """Energy of packages, DRAM and GPUs from Zeus.

    Zeus numbers RAPL's top domains, including psys, as CPUs. Here each keeps its RAPL name, so that ``cpu`` is the sum
    of the packages only.
    """

    name = MeterName("zeus")
    package = "zeus"

    def __init__(self) -> None:
        self._monitor: Any = None
        self._domains: dict[int, str] = {}
        self._gpus: list[int] = []
        self._measured: Any = None

    def open(self) -> None:
        """Make the monitor and read once, so that Zeus starts the processes that watch for wraps."""
        from zeus.monitor import ZeusMonitor

        logging.getLogger("zeus").setLevel(logging.CRITICAL)
        self._gpus = visible_indices() or []
        with warnings.catch_warnings(action="ignore"):
            with _by_number(self._gpus):
                self._monitor = ZeusMonitor()
            if not self._monitor.gpu_indices and not self._monitor.cpu_indices:
                raise RuntimeError("Zeus finds no GPU and no readable RAPL counter here")
            self._domains = _domain_names(self._monitor)
            self.begin()
            self._settle()
            self.end()

    def begin(self) -> None:
        """Begin Zeus's window."""
        self._measured = None
        with warnings.catch_warnings(action="ignore"):
            # The session synchronises the GPUs at both edges; Zeus's synchronisation raises if torch has no CUDA.
            self._monitor.begin_window(_WINDOW, sync_execution=False, restart=True)

    def end(self) -> None:
        """End Zeus's window."""
        with warnings.catch_warnings(action="ignore"):  # about an energy of zero, which becomes a null reading
            self._measured = self._monitor.end_window(_WINDOW, sync_execution=False)

    def readings(self) -> list[Reading]:
        """Return Zeus's energies per package, DRAM and GPU, and their sums."""
        measured = self._measured
        values_j = by_component(
            [
                *((self._domains[index], value_j) for index, value_j in (measured.cpu_energy or {}).items()),
                *((f"dram-{index}", value_j) for index, value_j in (measured.dram_energy or {}).items()),
                *(
                    (f"gpu-{self._gpus[index] if self._gpus else index}", value_j)
                    for index, value_j in measured.gpu_energy.items()
                ),
            ]
        )
        detail = "Zeus, from RAPL's and NVML's energy counters (NVML's power, sampled, on GPUs without a counter)"
        return with_sums(self.name, values_j, Evidence.MEASURED, detail)

    def close(self) -> None:
        """Stop the processes that watch for wraps."""
        monitor, self._monitor = self._monitor, None
        for cpu in monitor.cpus.cpus if monitor is not None else ():
            for file in (getattr(cpu, "rapl_file", None), getattr(cpu, "dram", None)):
                if file is not None and file._wraparound_tracker is not None:
                    file._wraparound_tracker._stop()
                    file._wraparound_tracker = None

    def _settle(self) -> None:
        """Wait until the pollers have finished their imports and are polling."""
        deadline_s = time.monotonic() + _SETTLE_LIMIT_S
        before_s, now_s = -1.0, _children_cpu_s()
        while now_s - before_s > _SETTLED_CPU_S and time.monotonic() < deadline_s:
            time.sleep(_SETTLE_STEP_S)
            before_s, now_s = now_s, _children_cpu_s()


@contextmanager
def _by_number(indices: list[int]) -> Iterator[None]:
    """Set ``CUDA_VISIBLE_DEVICES`` to NVML indices, because Zeus does not understand UUIDs."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not indices:
        yield
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, indices))
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def _domain_names(monitor: Any) -> dict[int, str]:
    """Return the component of each of Zeus's CPUs: its RAPL name if Zeus knows it, else ``package-N``."""
    names = {}
    for index, cpu in enumerate(monitor.cpus.cpus):
        name = getattr(getattr(cpu, "rapl_file", None), "name", f"package-{index}")
        platform = name.startswith("psys")  # with several sockets also psys-1
        names[index] = "psys" if platform else name if name.startswith("package-") else f"package-{index}"
    return names


def _children_cpu_s() -> float:
    total_s = 0.0
    for process in multiprocessing.active_children():
        try:
            times = psutil.Process(process.pid).cpu_times()
        except psutil.Error:
            continue
        total_s += times.user + times.system
    return total_s


METER = ZeusMeter
