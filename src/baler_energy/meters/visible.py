"""Finds this process's GPUs by UUID, because CUDA, NVML and SLURM may number GPUs differently."""

import ctypes
import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID

__all__ = ["Visible", "cuda_uuid", "find_visible", "hold_first_gpu", "load_library", "number_by_bus", "visible_devices"]

_VARIABLE = "CUDA_VISIBLE_DEVICES"

#: NVML indices of GPUs, and whether this process only has a partition of each (MIG).
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
    """In a SLURM job, make CUDA number GPUs by PCI bus, the order that SLURM's ``CUDA_VISIBLE_DEVICES`` uses.

    CUDA's default is fastest first, so an index could mean another job's GPU. This has to be called before CUDA
    starts.
    """
    if "SLURM_JOB_ID" in os.environ:
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def hold_first_gpu(library: Any = None) -> str | None:
    """Restrict ``CUDA_VISIBLE_DEVICES`` to CUDA's first GPU, on which a run computes, by UUID.

    A run's GPU is chosen only here: meters, provenance, idle baselines and child processes all follow the variable.
    CUDA itself is not affected, as it has already read the variable. A second call changes nothing, and neither does a
    call without a working CUDA and NVML.

    Parameters
    ----------
    library
        A module with pynvml's functions; None: pynvml.

    Returns
    -------
    str or None
        New value of the variable: ``GPU-...``, or ``MIG-...`` for a partition; None if it was not set.
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
    except library.NVMLError:  # neither a GPU nor a partition has this UUID
        return None
    finally:
        library.nvmlShutdown()
    os.environ[_VARIABLE] = name
    return name


def cuda_uuid() -> UUID | None:
    """Ask CUDA's driver for the UUID of its first device, without creating a context; None: CUDA is missing."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
        get_uuid = cuda.cuDeviceGetUuid_v2  # v2 returns a partition's UUID if the process only has a partition
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
    """Return which GPUs CUDA shows to a process.

    Parameters
    ----------
    variable
        The value of ``CUDA_VISIBLE_DEVICES``: comma-separated indices or prefixes of UUIDs; None: unset. As in CUDA,
        the first entry without a match ends the list. Indices use NVML's order (by PCI bus). On a machine with
        different GPUs, set ``CUDA_DEVICE_ORDER=PCI_BUS_ID`` so that CUDA uses the same order.
    uuids
        UUIDs of the GPUs (``GPU-...``), in NVML's order.

    Returns
    -------
    list of int
        Positions in `uuids`, without duplicates, in the variable's order.
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
    """Return the UUIDs of the GPUs that this process may query, by NVML index.

    In a job with its own devices (cgroup), NVML either lists only those, numbered from 0, or lists all GPUs and
    refuses access to the others.
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
    """Return the UUID of the GPU to which a partition (``MIG-<uuid>`` or ``MIG-GPU-<uuid>/<gi>/<ci>``) belongs."""
    if partition.startswith("MIG-GPU-"):  # drivers before R470
        return partition.removeprefix("MIG-").partition("/")[0]
    handle = library.nvmlDeviceGetHandleByUUID(partition)
    return _uuid(library, library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle))


def _is_partitioned(library: Any, index: int) -> bool:
    """Return whether a GPU is in MIG mode; CUDA then always gives a process one partition of it."""
    try:
        current, _ = library.nvmlDeviceGetMigMode(library.nvmlDeviceGetHandleByIndex(index))
    except library.NVMLError:  # the GPU does not support partitions
        return False
    return bool(current)
