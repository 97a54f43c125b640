"""Which of the machine's GPUs are this process's, by UUID: CUDA, NVML and SLURM each number them in their own way."""

import ctypes
import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID

__all__ = ["Visible", "cuda_uuid", "find_visible", "hold_first_gpu", "load_library", "number_by_bus", "visible_devices"]

_VARIABLE = "CUDA_VISIBLE_DEVICES"

#: GPUs by their number in NVML's order, and whether this process has only a part of each (MIG).
Visible = dict[int, bool]


def load_library() -> Any:
    """Import pynvml.

    Raises
    ------
    ImportError
        The package nvidia-ml-py is not installed.
    """
    import pynvml

    return pynvml


def number_by_bus() -> None:
    """Let CUDA number GPUs by the PCI bus in a SLURM job, whose ``CUDA_VISIBLE_DEVICES`` means that order.

    By itself CUDA puts the fastest first, so that a number may mean another job's GPU. It heeds this before its
    start only.
    """
    if "SLURM_JOB_ID" in os.environ:
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def hold_first_gpu(library: Any = None) -> str | None:
    """Show the GPU that CUDA puts first, on which a run computes, and no other to whatever asks from now on.

    This is the one place in which a run's GPU is chosen: meters, provenance, idle baselines and the programs that this
    process starts go by ``CUDA_VISIBLE_DEVICES``, which names it by UUID afterwards. CUDA itself has read the variable
    before, and is not disturbed. Without effect a second time, and where CUDA or NVML does not work.

    Parameters
    ----------
    library
        A module with pynvml's functions; None: pynvml.

    Returns
    -------
    str or None
        What the variable says now: ``GPU-...``, or ``MIG-...`` of a partition; None where nothing was done.
    """
    uuid = cuda_uuid()
    if uuid is None:
        return None
    try:
        library = library or load_library()
        library.nvmlInit()
    except Exception:  # no package or driver: no meter reads a GPU
        return None
    try:
        name = f"GPU-{uuid}"
        if name not in _uuids(library).values():
            name = f"MIG-{uuid}"
            _owner(library, name)
    except library.NVMLError:  # it knows neither a GPU nor a partition of this UUID
        return None
    finally:
        library.nvmlShutdown()
    os.environ[_VARIABLE] = name
    return name


def cuda_uuid() -> UUID | None:
    """Ask CUDA's driver for the UUID of its first device, without making a context there; None: there is no CUDA."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
        get_uuid = cuda.cuDeviceGetUuid_v2  # of a partition, where that is what the process has
    except (OSError, AttributeError):
        return None
    device, octets = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    failed = cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or get_uuid(ctypes.byref(octets), device)
    return None if failed else UUID(bytes=bytes(octets))


def find_visible(library: Any) -> Visible:
    """Find the GPUs that CUDA shows to this process.

    Parameters
    ----------
    library
        A module with pynvml's functions, initialised.

    Raises
    ------
    pynvml.NVMLError
        NVML fails.
    """
    uuids, variable = _uuids(library), os.environ.get(_VARIABLE)
    if variable and variable.startswith("MIG-"):
        owners = {_owner(library, entry.strip()) for entry in variable.split(",")}
        return {index: True for index, uuid in uuids.items() if uuid in owners}
    numbers = list(uuids)
    chosen = [numbers[place] for place in visible_devices(variable, list(uuids.values()))]
    return {index: _is_partitioned(library, index) for index in chosen}


def visible_devices(variable: str | None, uuids: list[str]) -> list[int]:
    """Say which of the GPUs that a process may use CUDA shows to it.

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
        Places in `uuids`, none twice, in the order given.
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


def _uuids(library: Any) -> Mapping[int, str]:
    """UUIDs of the GPUs that this process may ask, by NVML's number.

    In a job with its own devices (cgroup) NVML shows those alone, numbered from 0, or all and refuses the others.
    """
    uuids = {}
    for index in range(library.nvmlDeviceGetCount()):
        try:
            uuids[index] = _uuid(library, library.nvmlDeviceGetHandleByIndex(index))
        except library.NVMLError_NoPermission:
            continue
    return uuids


def _uuid(library: Any, handle: Any) -> str:
    uuid = library.nvmlDeviceGetUUID(handle)
    return uuid.decode() if isinstance(uuid, bytes) else str(uuid)


def _owner(library: Any, partition: str) -> str:
    """Give the UUID of the GPU that a partition (``MIG-<uuid>``, or ``MIG-GPU-<uuid>/<gi>/<ci>``) is part of."""
    if partition.startswith("MIG-GPU-"):  # drivers before R470
        return partition.removeprefix("MIG-").partition("/")[0]
    handle = library.nvmlDeviceGetHandleByUUID(partition)
    return _uuid(library, library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle))


def _is_partitioned(library: Any, index: int) -> bool:
    """Say whether a GPU is in MIG mode: CUDA then gives a process one of its partitions, whatever its variable says."""
    try:
        current, _ = library.nvmlDeviceGetMigMode(library.nvmlDeviceGetHandleByIndex(index))
    except library.NVMLError:  # a GPU that knows no partitions
        return False
    return bool(current)
