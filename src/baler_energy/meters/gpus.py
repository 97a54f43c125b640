"""The GPUs that this process may use, through NVML."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from baler_energy.meters.base import Channel
from baler_energy.meters.sharing import Sharing, sharing, virtualisation
from baler_energy.meters.visible import find_visible, load_library
from baler_energy.vocabulary import Evidence

__all__ = ["Gpu", "describe_gpus", "driver_version", "open_gpus", "visible_indices"]


#: NVML: "On Ampere (except GA100) or newer GPUs, the API returns power averaged over 1 sec interval".
_AMPERE, _GA100, _AVERAGING_S = 7, ("A100", "A30", "GA100"), 1.0
#: Longest time between updates of a power sensor in arXiv 2312.02741, over 70 GPUs.
UPDATE_S = 0.1
_POWER_INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT
#: For a moment a GPU may draw this many times its power limit. Without a credible limit, the second value (W) is used:
#: the largest GPUs have limits of 1.4 kW (NVIDIA HGX B300).
_MARGIN, _LIMIT_W = 2.0, 3000.0


class Gpu:
    """One GPU.

    Parameters
    ----------
    library
        A module with pynvml's functions, initialised.
    index
        Index of the GPU in NVML's order.
    partition
        Whether this process only has a partition of it (MIG); power and energy are still those of the whole GPU.
    """

    def __init__(self, library: Any, index: int, *, partition: bool = False) -> None:
        self.index = index
        self.component = f"gpu-{index}"
        self.partition = partition
        self._nvml = library
        # Quantities that this GPU, driver or user lacks are left out; any other error is a fault.
        self._lacking = (
            library.NVMLError_NotSupported,
            library.NVMLError_FunctionNotFound,
            library.NVMLError_NoPermission,
        )
        self.handle = library.nvmlDeviceGetHandleByIndex(index)
        #: Power (W) that it cannot exceed.
        self.limit_w = self._find_limit_w()
        self.has_counter = self._supports(self.count_j)
        self._instant = self._supports(self._instant_w)
        #: Averaging time of the power sensor (s).
        self.averaging_s = 0.0 if self._instant or not self._averages() else _AVERAGING_S

    def count_j(self) -> float:
        """Read the energy counter (J since the driver was loaded)."""
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) * 1e-3

    def power_w(self) -> float:
        """Read the power sensor (W): its instantaneous value if available, else its mean over `averaging_s`."""
        if self._instant:
            return self._instant_w()
        return float(self._nvml.nvmlDeviceGetPowerUsage(self.handle)) * 1e-3

    def doubt(self, power_w: float | None) -> str | None:
        """Return why a power (W) is not that of a GPU in use, which always draws some; None if it can be."""
        if power_w is None:
            return "its power sensor returned no value"
        if 0 < power_w <= self.limit_w:
            return None
        return f"its power sensor returned {power_w:.6g} W, which is not between 0 and {self.limit_w:.0f} W"

    def _find_limit_w(self) -> float:
        nvml, handle = self._nvml, self.handle
        reads: tuple[Callable[[], float], ...] = (
            lambda: float(nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)[1]),
            lambda: float(nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        )
        limits_w = []
        for read in reads:
            with suppress(Exception):  # not every GPU, driver or version of the library has the query
                limits_w.append(_MARGIN * read() * 1e-3)
        return max((limit_w for limit_w in limits_w if 0 < limit_w <= _LIMIT_W), default=_LIMIT_W)

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
        """Read the quantities of `SAMPLE_UNITS`, in their units; those that the GPU lacks are left out.

        Parameters
        ----------
        only
            Quantities to read; empty: all.
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

    def sharing(self) -> list[Sharing]:
        """Find the reasons why its energy is not only this process's."""
        return sharing(self._nvml, self.handle, partition=self.partition)

    def channel(self) -> Channel:
        """Describe how its energy is measured."""
        part = " of the whole GPU" if self.partition else ""
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
    """Initialise NVML and return the GPUs visible to this process; the caller must call `nvmlShutdown`.

    Raises
    ------
    pynvml.NVMLError
        The driver is missing or fails.
    """
    library.nvmlInit()
    try:
        return [Gpu(library, index, partition=partition) for index, partition in find_visible(library).items()]
    except BaseException:
        library.nvmlShutdown()
        raise


def visible_indices(library: Any = None) -> list[int] | None:
    """Return the NVML indices of the GPUs visible to this process; None if NVML does not work.

    Parameters
    ----------
    library
        A module with pynvml's functions; None: pynvml.
    """
    try:
        library = library or load_library()
        library.nvmlInit()
    except Exception:  # no package, driver or GPU
        return None
    try:
        return list(find_visible(library))
    except library.NVMLError:
        return None
    finally:
        library.nvmlShutdown()


#: NVML's compute modes (``NVML_COMPUTEMODE_...``), indexed by value.
_COMPUTE_MODES = ("default", "exclusive_thread", "prohibited", "exclusive_process")


def describe(library: Any, gpu: Gpu) -> dict[str, Any]:
    """Return index, name, UUID, memory (B) and driver of a GPU, and how it is shared; null if unknown, except the name.

    ``not_attributable`` lists the reasons why its energy is not only this process's; a run on it is flagged.
    """

    def ask(read: Callable[[], Any]) -> Any:
        try:
            value = read()
            return _text(value) if isinstance(value, str | bytes) else value
        except Exception:  # the library's, or from what it returns: no text, a mode that is not known
            return None

    return {
        "index": gpu.index,
        "name": ask(lambda: library.nvmlDeviceGetName(gpu.handle)) or "unknown",
        "uuid": ask(lambda: library.nvmlDeviceGetUUID(gpu.handle)),
        "memory_bytes": ask(lambda: library.nvmlDeviceGetMemoryInfo(gpu.handle).total),
        "driver": ask(library.nvmlSystemGetDriverVersion),
        "compute_mode": ask(lambda: _COMPUTE_MODES[library.nvmlDeviceGetComputeMode(gpu.handle)]),
        "accounting": ask(lambda: bool(library.nvmlDeviceGetAccountingMode(gpu.handle))),
        "virtualisation": ask(lambda: virtualisation(library, gpu.handle)),
        "not_attributable": ask(lambda: [reason.value for reason in gpu.sharing()]),
    }


def driver_version(library: Any) -> str:
    """Return the version of the driver; empty if it does not report one. NVML has to be initialised."""
    try:
        return _text(library.nvmlSystemGetDriverVersion())
    except Exception:  # the library's, or from what it returns
        return ""


def describe_gpus(library: Any = None) -> list[dict[str, Any]]:
    """Describe the GPUs that this process may use, each as `describe` does ([]: none)."""
    try:
        library = library or load_library()
        gpus = open_gpus(library)
    except Exception:  # no package, driver or GPU: nothing to describe
        return []
    try:
        return [describe(library, gpu) for gpu in gpus]
    finally:
        with suppress(library.NVMLError):
            library.nvmlShutdown()


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
