"""Whether a GPU's energy belongs to one run: finds other users of the GPU, as far as NVML reports them."""

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import psutil

__all__ = ["Sharing", "foreign_processes", "sharing", "virtualisation"]

_ANOTHER = "use another GPU (nvidia-smi lists them, CUDA_VISIBLE_DEVICES=<UUID> selects one)"


class Sharing(StrEnum):
    """Reasons why a GPU's energy cannot be attributed to a run, each with a remedy."""

    remedy: str

    def __new__(cls, words: str, remedy: str) -> "Sharing":
        """Make a member from its text and its remedy."""
        word = str.__new__(cls, words)
        word._value_ = words
        word.remedy = remedy
        return word

    MIG = (
        "the run has only a part of it (MIG)",
        "request a whole GPU; an administrator can end the partitioning with: sudo nvidia-smi -i <index> -mig 0",
    )
    VGPU = (
        "it is a virtual GPU, a part of one that other machines may use",
        "use a physical machine, or one with a whole GPU passed through",
    )
    HOST = ("it serves virtual machines", _ANOTHER)
    COMPUTE = ("other processes compute on it", f"end them, or {_ANOTHER}")
    MPS = (
        "an MPS server computes on it for processes that the driver does not show",
        f"end the server (echo quit | nvidia-cuda-mps-control), or {_ANOTHER}",
    )
    GRAPHICS = ("other processes draw on it", f"end the desktop on it, or {_ANOTHER}")


#: NVML's virtualisation modes (``NVML_GPU_VIRTUALIZATION_MODE_...``), indexed by value.
_VIRTUALISATION = ("none", "passthrough", "vgpu", "host_vgpu", "host_vsga")
#: Process name of nvidia-cuda-mps-server, which the kernel truncates.
_MPS_SERVER = "nvidia-cuda-mps"


def virtualisation(library: Any, handle: Any) -> str | None:
    """Return how a GPU is virtualised: none, passthrough, vgpu, host_vgpu, host_vsga; None: unknown.

    A passed-through GPU belongs to this virtual machine alone.
    """
    try:
        mode = int(library.nvmlDeviceGetVirtualizationMode(handle))
    except library.NVMLError:
        return None
    return _VIRTUALISATION[mode] if mode < len(_VIRTUALISATION) else None


def sharing(library: Any, handle: Any, *, partition: bool) -> list[Sharing]:
    """Find every reason why a GPU's energy is not only that of this process and its children ([]: it is).

    Parameters
    ----------
    library
        A module with pynvml's functions, initialised.
    handle
        NVML's handle of the GPU.
    partition
        Whether this process only has a partition of it.
    """
    mode = virtualisation(library, handle)
    compute = _process_ids(library, "nvmlDeviceGetComputeRunningProcesses", handle) or set()
    clients = _process_ids(library, "nvmlDeviceGetMPSComputeRunningProcesses", handle)
    drawing = _process_ids(library, "nvmlDeviceGetGraphicsRunningProcesses", handle) or set()
    servers = {process_id for process_id in compute if _is_server(process_id)}
    computing = compute - servers | (clients or set())
    found = {
        Sharing.MIG: partition,
        Sharing.VGPU: mode == "vgpu",
        Sharing.HOST: mode in ("host_vgpu", "host_vsga"),
        Sharing.COMPUTE: foreign_processes(computing) > 0,
        # The server works for its clients. If the driver lists them, they are already counted in `computing`.
        Sharing.MPS: bool(servers) and clients is None,
        Sharing.GRAPHICS: bool(drawing - computing - _own(drawing)),
    }
    return [reason for reason, holds in found.items() if holds]


def foreign_processes(process_ids: Iterable[int]) -> int:
    """Count the processes on a GPU, without this one and its children.

    In a container, the driver reports process ids of the host. An id that does not exist here may be this process's id
    on the host. So if our own id is missing from the list, one such id is not counted.

    Parameters
    ----------
    process_ids
        The ids that the driver reports.
    """
    shown = set(process_ids)
    own = _own(shown)
    foreign = shown - own
    if not shown & own and any(not psutil.pid_exists(process_id) for process_id in foreign):
        return len(foreign) - 1
    return len(foreign)


def _own(shown: set[int]) -> set[int]:
    """Return the ids of this process and its children; an empty set, without a slow search, if `shown` is empty."""
    return {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))} if shown else set()


def _process_ids(library: Any, function: str, handle: Any) -> set[int] | None:
    """Return the ids of processes on a GPU; None if this GPU, driver or user cannot query them."""
    lacking = (
        library.NVMLError_NotSupported,
        library.NVMLError_FunctionNotFound,
        library.NVMLError_NoPermission,
        library.NVMLLibraryMismatchError,  # the driver is too old for pynvml's version of the function
    )
    try:
        return {int(process.pid) for process in getattr(library, function)(handle)}
    except lacking:
        return None


def _is_server(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).name().startswith(_MPS_SERVER)
    except psutil.Error:
        return False
