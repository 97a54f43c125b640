"""The GPUs that this process may use, through NVML."""

import os
from collections.abc import Callable, Collection, Iterable
from typing import Any

import psutil

from baler_energy.meters.base import Channel
from baler_energy.vocabulary import Evidence

__all__ = ["Gpu", "describe", "foreign_processes", "load_library", "open_gpus", "visible_devices"]


def load_library() -> Any:
    """Import pynvml.

    Raises
    ------
    ImportError
        The package nvidia-ml-py is not installed.
    """
    import pynvml

    return pynvml


def visible_devices(variable: str | None, uuids: list[str]) -> list[int]:
    """Say which of the machine's GPUs CUDA shows to this process.

    Parameters
    ----------
    variable
        The value of ``CUDA_VISIBLE_DEVICES``: indices or beginnings of UUIDs, separated by commas; None: unset.
        As CUDA does, the first entry that matches nothing ends the list. Indices are taken in NVML's order (that of
        the PCI bus); on a machine with unlike GPUs set ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, so that CUDA's is the same.
    uuids
        UUIDs of the GPUs (``GPU-...``), in NVML's order.

    Returns
    -------
    list of int
        Indices, none twice, in the order given.
    """
    if variable is None:
        return list(range(len(uuids)))
    chosen: list[int] = []
    for entry in (part.strip() for part in variable.split(",")):
        if entry.isdigit():
            matches = [int(entry)] if int(entry) < len(uuids) else []
        else:
            matches = [index for index, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
        if len(matches) != 1 or matches[0] in chosen:
            break
        chosen += matches
    return chosen


def foreign_processes(process_ids: Iterable[int]) -> int:
    """Count the processes on a GPU that are neither this one nor its children.

    In a container the driver shows process ids of the host. One that does not exist here may be this process under
    its other number, so one such is let pass where ours is not among them.

    Parameters
    ----------
    process_ids
        The ids that the driver shows.
    """
    shown = set(process_ids)
    own = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))} if shown else set()
    foreign = shown - own
    if not shown & own and any(not psutil.pid_exists(process_id) for process_id in foreign):
        return len(foreign) - 1
    return len(foreign)


#: NVML: "On Ampere (except GA100) or newer GPUs, the API returns power averaged over 1 sec interval".
_AMPERE, _GA100, _AVERAGING_S = 7, ("A100", "A30", "GA100"), 1.0
#: Longest time between updates of a power sensor in arXiv 2312.02741, over 70 GPUs.
UPDATE_S = 0.1
_POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT


class Gpu:
    """One GPU.

    Parameters
    ----------
    library
        A module with pynvml's functions, initialised.
    index
        Number of the GPU in NVML's order.
    partition
        Whether this process has a part of it only (MIG): power and energy are then those of the whole GPU.
    """

    def __init__(self, library: Any, index: int, *, partition: bool = False) -> None:
        self.index = index
        self.component = f"gpu-{index}"
        self.partition = partition
        self._nvml = library
        # What this GPU, driver or user lacks: left out, where any other error is a fault.
        self._lacking = (
            library.NVMLError_NotSupported,
            library.NVMLError_FunctionNotFound,
            library.NVMLError_NoPermission,
        )
        self.handle = library.nvmlDeviceGetHandleByIndex(index)
        self.has_counter = self._supports(self.count_j)
        self._instant = self._supports(self._instant_w)
        #: Time over which the power sensor averages (s).
        self.averaging_s = 0.0 if self._instant or not self._averages() else _AVERAGING_S

    def count_j(self) -> float:
        """Read the energy counter (J since the driver was loaded)."""
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) * 1e-3

    def power_w(self) -> float:
        """Read the power sensor (W), its present value where it offers one, else its mean over `averaging_s`."""
        if self._instant:
            return self._instant_w()
        return float(self._nvml.nvmlDeviceGetPowerUsage(self.handle)) * 1e-3

    def _instant_w(self) -> float:
        (field,) = self._nvml.nvmlDeviceGetFieldValues(self.handle, [_POWER_INSTANT])
        if field.nvmlReturn != 0:
            raise self._nvml.NVMLError_NotSupported(field.nvmlReturn)
        return float(field.value.uiVal) * 1e-3

    def _averages(self) -> bool:
        try:
            architecture = self._nvml.nvmlDeviceGetArchitecture(self.handle)
            name = _text(self._nvml.nvmlDeviceGetName(self.handle))
        except self._nvml.NVMLError:
            return False
        return bool(architecture >= _AMPERE) and not any(chip in name for chip in _GA100)

    def state(self, only: Collection[str] = ()) -> dict[str, float]:
        """Read what there is of the quantities of `SAMPLE_UNITS`, in their units; what it does not offer is left out.

        Parameters
        ----------
        only
            Those to read; empty: all.
        """
        nvml, handle = self._nvml, self.handle
        reads: dict[str, Callable[[], float]] = {
            "power": self.power_w,
            "utilisation": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
            "temperature": lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "memory": lambda: float(nvml.nvmlDeviceGetMemoryInfo(handle).used),
            "clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1e6,
            "memory_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM) * 1e6,
            "throttle_reasons": lambda: float(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
        }
        values: dict[str, float] = {}
        for key in only or reads:
            try:
                values[key] = reads[key]()
            except self._lacking:
                continue
        return values

    def process_ids(self) -> list[int]:
        """List the processes that compute on the GPU (none where the driver does not tell)."""
        try:
            return [process.pid for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)]
        except self._lacking:
            return []

    def channel(self) -> Channel:
        """Say how its energy is had."""
        part = " of the whole GPU, of which this process has a part" if self.partition else ""
        if self.has_counter:
            return Channel(self.component, Evidence.MEASURED, f"NVML energy counter{part}")
        if self._supports(self.power_w):
            averaged = f" (averaged over {self.averaging_s:g} s)" if self.averaging_s else ""
            return Channel(self.component, Evidence.MEASURED, f"NVML power sensor over time{averaged}{part}")
        return Channel(self.component, None, f"{self.component} has neither an energy counter nor a power sensor")

    def _supports(self, read: Callable[[], float]) -> bool:
        try:
            read()
        except self._nvml.NVMLError:
            return False
        return True


def open_gpus(library: Any) -> list[Gpu]:
    """Initialise NVML and give the GPUs that are visible to this process; `nvmlShutdown` is the caller's.

    Raises
    ------
    pynvml.NVMLError
        There is no driver, or it fails.
    """
    library.nvmlInit()
    try:
        handles = [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]
        uuids = [_text(library.nvmlDeviceGetUUID(handle)) for handle in handles]
        variable = os.environ.get("CUDA_VISIBLE_DEVICES")
        if variable and variable.startswith("MIG-"):
            owners = {_owner(library, entry.strip(), uuids) for entry in variable.split(",")}
            return [Gpu(library, index, partition=True) for index in sorted(owners)]
        return [Gpu(library, index) for index in visible_devices(variable, uuids)]
    except BaseException:
        library.nvmlShutdown()
        raise


def describe(library: Any, gpu: Gpu) -> dict[str, Any]:
    """Give index, name, UUID, memory (B) and driver of a GPU, null where it does not tell."""

    def ask(read: Callable[[], Any]) -> Any:
        try:
            value = read()
        except library.NVMLError:
            return None
        return _text(value) if isinstance(value, str | bytes) else value

    return {
        "index": gpu.index,
        "name": ask(lambda: library.nvmlDeviceGetName(gpu.handle)),
        "uuid": ask(lambda: library.nvmlDeviceGetUUID(gpu.handle)),
        "memory_bytes": ask(lambda: library.nvmlDeviceGetMemoryInfo(gpu.handle).total),
        "driver": ask(library.nvmlSystemGetDriverVersion),
    }


def _owner(library: Any, uuid: str, uuids: list[str]) -> int:
    """Give the index of the GPU that a MIG partition is part of."""
    partition = library.nvmlDeviceGetHandleByUUID(uuid)
    parent = library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(partition)
    return uuids.index(_text(library.nvmlDeviceGetUUID(parent)))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
