"""Which readings enter a run's energy. Measured and modelled energy are never added up."""

from collections.abc import Iterable
from dataclasses import dataclass

from baler_energy.records import Reading
from baler_energy.vocabulary import PRIMARY_METERS, Evidence, Flag, Quantity

__all__ = ["Total", "primary_readings", "relevant_flags", "total"]


@dataclass(frozen=True)
class Total:
    """A sum over components: its value (J), and the components in it."""

    energy_j: float
    components: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The components, such as ``cpu+dram``."""
        return "+".join(self.components)


def primary_readings(readings: Iterable[Reading], quantity: Quantity, *, uses_gpu: bool) -> dict[str, Reading]:
    """Choose the reading of each kind of component (cpu, dram, gpu, ram) that enters totals.

    For each kind, the first meter in `PRIMARY_METERS` with a value is used. Only the sums over packages and devices
    (``cpu``, ``dram``, ``gpu``) count, so that nothing is counted twice; ``psys`` includes the package and is never
    added. A ``dram`` reading replaces the modelled ``ram``. GPUs only count if the run uses one: in other runs they are
    idle, or used by others.
    """
    candidates = {(r.component, r.meter): r for r in readings if r.quantity == quantity and r.value is not None}
    found: dict[str, Reading] = {}
    for component, meters in PRIMARY_METERS.items():
        first = next((meter for meter in meters if (component, meter) in candidates), None)
        if first is not None:
            found[component] = candidates[component, first]
    if "dram" in found:
        found.pop("ram", None)
    if not uses_gpu:
        found.pop("gpu", None)
    return found


def total(readings: Iterable[Reading], quantity: Quantity, evidence: Evidence, *, uses_gpu: bool) -> Total | None:
    """Sum the primary readings of one evidence; None (not 0 J) if there is none."""
    chosen = {
        component: reading.value
        for component, reading in primary_readings(readings, quantity, uses_gpu=uses_gpu).items()
        if reading.evidence == evidence and reading.value is not None
    }
    return Total(sum(chosen.values()), tuple(chosen)) if chosen else None


def relevant_flags(flags: Iterable[Flag], *, uses_gpu: bool) -> str:
    """Join the relevant flags of a run by commas: without a GPU, other users of GPUs do not matter."""
    return ",".join(flag for flag in flags if uses_gpu or flag is not Flag.SHARED_GPU)
