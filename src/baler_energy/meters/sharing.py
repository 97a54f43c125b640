"""Whether a GPU's energy is that of one run: who else uses it, as far as NVML knows."""

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import psutil

__all__ = ["Sharing", "foreign_processes", "sharing", "virtualisation"]

_ANOTHER = "use another GPU (nvidia-smi lists them, CUDA_VISIBLE_DEVICES=<UUID> selects one)"


class Sharing(StrEnum):
    """Why a GPU's energy is not attributable to a run, in words, and what to do about it."""

    remedy: str

    def __new__(cls, words: str, remedy: str) -> "Sharing":
        """Make a member from its words and its remedy."""
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


#: NVML's virtualisation modes (``NVML_GPU_VIRTUALIZATION_MODE_...``), by number.
_VIRTUALISATION = ("none", "passthrough", "vgpu", "host_vgpu", "host_vsga")
#: As the kernel cuts the name of nvidia-cuda-mps-server.
_MPS_SERVER = "nvidia-cuda-mps"


def virtualisation(library: Any, handle: Any) -> str | None:
    """Say how a GPU is shared between machines: none, passthrough, vgpu, host_vgpu, host_vsga; None: unknown.

    One that is passed through belongs to this virtual machine alone.
    """
    try:
        mode = int(library.nvmlDeviceGetVirtualizationMode(handle))
    except library.NVMLError:
        return None
    return _VIRTUALISATION[mode] if mode < len(_VIRTUALISATION) else None


def sharing(library: Any, handle: Any, *, partition: bool) -> list[Sharing]:
    """Find every reason why the energy of a GPU is not that of this process and its children; none: it is.

    Parameters
    ----------
    library
        A module with pynvml's functions, initialised.
    handle
        Of the GPU.
    partition
        Whether this process has a part of it only.
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
        # The server works for its clients, which are among those that compute where the driver lists them.
        Sharing.MPS: bool(servers) and clients is None,
        Sharing.GRAPHICS: bool(drawing - computing - _own(drawing)),
    }
    return [reason for reason, holds in found.items() if holds]


def foreign_processes(process_ids: Iterable[int]) -> int:
    """Count the processes that compute on a GPU and are neither this one nor its children.

    In a container the driver shows process ids of the host. One that does not exist here may be this process under
    its other number, so one such is let pass where ours is not among them.

    Parameters
    ----------
    process_ids
        The ids that the driver shows.
    """
    shown = set(process_ids)
    own = _own(shown)
    foreign = shown - own
    if not shown & own and any(not psutil.pid_exists(process_id) for process_id in foreign):
        return len(foreign) - 1
    return len(foreign)


def _own(shown: set[int]) -> set[int]:
    """Ids of this process and its children, which are looked for only where there are some to distinguish."""
    return {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))} if shown else set()


def _process_ids(library: Any, function: str, handle: Any) -> set[int] | None:
    """Ask for processes on a GPU; None where this GPU, driver or user gets no answer."""
    lacking = (
        library.NVMLError_NotSupported,
        library.NVMLError_FunctionNotFound,
        library.NVMLError_NoPermission,
        library.NVMLLibraryMismatchError,  # a driver that is older than pynvml's question
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
