"""Values derived from a window's readings: mean power, dynamic energy, and flags."""

from collections.abc import Sequence

from baler_energy.records import Contamination, Idle, Reading
from baler_energy.vocabulary import Evidence, Flag, Quantity

__all__ = ["DERIVED_FLAGS", "derived_flags", "derived_readings", "dynamic_energy_j"]

#: Flags that `derived_flags` may return.
DERIVED_FLAGS = frozenset({Flag.BELOW_RESOLUTION, Flag.CONTAMINATED, Flag.MODELLED_ONLY})


def derived_readings(readings: Sequence[Reading], idle: Idle | None, duration_s: float) -> tuple[Reading, ...]:
    """Compute mean power and dynamic energy for every energy reading.

    Dynamic energy = gross energy - idle power x duration. It is null with a reason if the gross energy is null or
    modelled, or if the component has no idle power. It may be negative because of noise in a nearly idle window.

    Parameters
    ----------
    readings
        Readings of the window; only energies are used.
    idle
        The idle baseline, or None.
    duration_s
        Length of the window (s).
    """
    idle_power_w = {(reading.meter, reading.component): reading for reading in idle.readings} if idle else {}
    derived = []
    for reading in readings:
        if reading.quantity is not Quantity.ENERGY:
            continue
        power_w = None if reading.value is None else reading.value / duration_s
        derived.append(_derived(reading, Quantity.POWER_MEAN, power_w, reading.reason))
        baseline = idle_power_w.get((reading.meter, reading.component))
        dynamic_j, reason = _dynamic(reading, idle, baseline, duration_s)
        derived.append(_derived(reading, Quantity.DYNAMIC_ENERGY, dynamic_j, reason))
    return tuple(derived)


def _dynamic(
    reading: Reading, idle: Idle | None, baseline: Reading | None, duration_s: float
) -> tuple[float | None, str | None]:
    if reading.value is None:
        return None, reading.reason
    if reading.evidence is not Evidence.MEASURED:
        return None, f"the gross energy is {reading.evidence}, so there is no measured idle power to subtract"
    if idle is None:
        return None, "no idle baseline was taken"
    if baseline is None or baseline.value is None:
        reason = baseline.reason if baseline else "the meter reported none for this component"
        return None, f"no idle power: {reason}"
    return dynamic_energy_j(reading.value, baseline.value, duration_s), None


def dynamic_energy_j(gross_j: float, idle_power_w: float, duration_s: float) -> float:
    """Subtract the idle baseline: gross energy (J) minus idle power (W) times duration (s)."""
    return gross_j - idle_power_w * duration_s


def derived_flags(readings: Sequence[Reading], other: Contamination, *, long_enough: bool) -> set[Flag]:
    """Return the flags that follow from a window's readings, its contamination and its length."""
    flags = set()
    if not long_enough:
        flags.add(Flag.BELOW_RESOLUTION)
    if other.exceeded:
        flags.add(Flag.CONTAMINATED)
    if not any(
        reading.quantity is Quantity.ENERGY and reading.value is not None and reading.evidence is Evidence.MEASURED
        for reading in readings
    ):
        flags.add(Flag.MODELLED_ONLY)
    return flags


def _derived(reading: Reading, quantity: Quantity, value: float | None, reason: str | None) -> Reading:
    return Reading.of(reading.meter, reading.component, quantity, value, reading.evidence, reason)
