"""Which readings enter a run's energy. Measured and modelled energy are never added up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from baler_energy.records import Reading
from baler_energy.vocabulary import NOTES, PRIMARY_METERS, Evidence, Flag, Quantity

__all__ = ["Total", "primary_readings", "relevant_flags", "total", "wrong_of"]


@dataclass(frozen=True)
class Total:
    """A sum over components: its value (J), and the components in it."""

    energy_j: float
    components: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The components, such as ``cpu+dram``."""
        return "+".join(self.components)

    @property
    def has_processor(self) -> bool:
        """Whether it includes the CPU or GPUs; memory alone is not the energy of a run."""
        return not {"cpu", "gpu"}.isdisjoint(self.components)


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


def relevant_flags(
    flags: Iterable[Flag], readings: Sequence[Reading], *, uses_gpu: bool
) -> tuple[str | None, str | None]:
    """Return what is wrong with a run, and what is special about it (`NOTES`), joined by commas; None: nothing.

    Other users of GPUs do not matter to a run without a GPU. A failed counter only matters if the run's energy rests on
    it: psys, a wattmeter or a second meter of the CPU is in no total.

    Parameters
    ----------
    flags, readings
        Flags and readings of the run's window.
    uses_gpu
        Whether the run uses a GPU.
    """
    irrelevant = set() if uses_gpu else {Flag.SHARED_GPU}
    if not _lacks_a_counter(readings, uses_gpu=uses_gpu):
        irrelevant.add(Flag.COUNTER_FAULT)
    relevant = [flag for flag in flags if flag not in irrelevant]
    return wrong_of(relevant), ",".join(flag for flag in relevant if flag in NOTES) or None


def wrong_of(flags: Iterable[str]) -> str | None:
    """Join the flags that say that something is wrong by commas; None: nothing is."""
    return ",".join(flag for flag in flags if flag and flag not in NOTES) or None


def _lacks_a_counter(readings: Sequence[Reading], *, uses_gpu: bool) -> bool:
    """Return whether a counter failed whose energy would have entered the totals; True if no reading says which did."""
    failed = [reading for reading in readings if reading.quantity is Quantity.ENERGY and reading.failed]
    chosen = primary_readings(readings, Quantity.ENERGY, uses_gpu=uses_gpu)
    for component in ("cpu", "dram", *(["gpu"] if uses_gpu else [])):
        meters = PRIMARY_METERS[component]
        if component in chosen:
            meters = meters[: meters.index(chosen[component].meter)]
        if any(reading.component in (component, "machine") and reading.meter in meters for reading in failed):
            return True
    return not failed
