"""pyJoules, used as documented: a meter over all devices, started and stopped around the code.

Source: ``pyJoules.energy_meter.EnergyMeter`` of version 0.5.1 and its README (RAPL in uJ, NVIDIA GPUs in mJ).
"""

from typing import Any

from baler_energy.meters.peers.base import PeerMeter, with_sums
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["METER", "PyjoulesMeter"]

_GPU = "nvidia_gpu_"
_JOULES_PER_UJ = 1e-6
_JOULES_PER_MJ = 1e-3


class PyjoulesMeter(PeerMeter):
    """Energy of packages, cores, uncore, DRAM and GPUs from pyJoules, which does not handle counter wraps."""

    name = MeterName("pyjoules")
    package = "pyJoules"

    def __init__(self) -> None:
        self._meter: Any = None
        self._energies: dict[str, float] = {}

    def open(self) -> None:
        """Make a meter over all devices that pyJoules finds."""
        from pyJoules.device import DeviceFactory
        from pyJoules.energy_meter import EnergyMeter

        devices = DeviceFactory.create_devices()
        if not devices:
            raise RuntimeError("pyJoules finds neither RAPL nor a GPU here")
        self._meter = EnergyMeter(devices)

    def begin(self) -> None:
        """Start the meter."""
        self._energies = {}
        self._meter.start(tag="window")

    def end(self) -> None:
        """Stop the meter."""
        self._meter.stop()

    def readings(self) -> list[Reading]:
        """Return the energies of pyJoules's domains and their sums."""
        values_j = {_component(name): value_j for name, value_j in _joules(self._meter.get_trace()[0].energy).items()}
        detail = "pyJoules, difference of RAPL's and NVML's energy counters at the edges"
        return with_sums(self.name, values_j, Evidence.MEASURED, detail)


def _joules(energies: dict[str, float]) -> dict[str, float]:
    """Convert pyJoules's values to J: GPUs are in mJ, the others in uJ."""
    return {
        name: value * (_JOULES_PER_MJ if name.startswith(_GPU) else _JOULES_PER_UJ) for name, value in energies.items()
    }


def _component(name: str) -> str:
    """Convert a domain's name (``package_0``, ``nvidia_gpu_0``) to ours (``package-0``, ``gpu-0``)."""
    return name.replace(_GPU, "gpu_").replace("_", "-")


METER = PyjoulesMeter
