"""Which readings enter a run's energy. Measured and modelled energy are never added up."""

from collections.abc import Iterable
from dataclasses import dataclass

from baler_energy.records import Reading
from baler_energy.vocabulary import PRIMARY_METERS, Evidence, Flag, Quantity

__all__ = ["Total", "primary_readings", "relevant_flags", "total"]


@dataclass(frozen=True)
class Total:
    """A sum over components: joules, and the components that are in it."""

    energy_j: float
    components: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The components, such as ``cpu+dram``."""
        return "+".join(self.components)


def primary_readings(readings: Iterable[Reading], quantity: Quantity, *, uses_gpu: bool) -> dict[str, Reading]:
    """Choose the reading of each kind of component (cpu, dram, gpu, ram) that enters totals.

    For each kind it is that of the first meter in `PRIMARY_METERS` with a value. The sums over packages and devices
    (``cpu``, ``dram``, ``gpu``) are taken, so that nothing is counted twice; ``psys`` holds the package and is never
    added. A modelled ``ram`` gives way to a measured ``dram``. GPUs enter only where the run uses one: on other runs
    they idle for somebody else.
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
    """Sum the primary readings of one evidence; None where there is none, which is not 0 J."""
    chosen = {
        component: reading.value
        for component, reading in primary_readings(readings, quantity, uses_gpu=uses_gpu).items()
        if reading.evidence == evidence and reading.value is not None
    }
    return Total(sum(chosen.values()), tuple(chosen)) if chosen else None


def relevant_flags(flags: Iterable[Flag], *, uses_gpu: bool) -> str:
    """Join the flags that concern a run by commas: where it uses no GPU, it does not matter who else does."""
    return ",".join(flag for flag in flags if uses_gpu or flag is not Flag.SHARED_GPU)
