"""Energies that are not believed, whichever meter or tool reports them."""

import math
from collections.abc import Mapping, Sequence

from baler_energy.meters.base import Channel
from baler_energy.records import Reading
from baler_energy.vocabulary import MACHINE_LIMIT_W, MeterName, Quantity

__all__ = ["believed", "disbelief"]


def disbelief(energy_j: float, duration_s: float | None) -> str | None:
    """Return why an energy cannot be what a machine used; None if it can.

    A machine always uses some energy, so 0 J means that nothing was read, or that a counter did not advance.

    Parameters
    ----------
    energy_j
        Gross energy (J).
    duration_s
        Length of its window (s); None if unknown.
    """
    if energy_j == 0:
        return "0 J: nothing was read, or the counter did not advance in the window"
    if energy_j < 0:
        return f"{energy_j:.4g} J: a counter wrapped or was reset in the window"
    if duration_s is not None and energy_j > MACHINE_LIMIT_W * duration_s:
        power_kw = energy_j / duration_s * 1e-3 if duration_s else math.inf
        return f"{energy_j:.4g} J in {duration_s:.3g} s would be {power_kw:.3g} kW, more than any machine draws"
    return None


def believed(
    readings: Sequence[Reading], duration_s: float, channels: Mapping[MeterName, Sequence[Channel]]
) -> list[Reading]:
    """Withhold the energies that are not believed: their value becomes null, with the reason.

    These are impossible energies (`disbelief`), those from counters that another meter also reads and does not believe
    (`Channel.source`), as a tool that adds up what it finds would otherwise replace our missing sum, and a tool's sum
    of all its components if one of them is withheld.

    Parameters
    ----------
    readings
        Readings of one window.
    duration_s
        Its length (s).
    channels
        Channels of the meters, by name.
    """
    checked = [_possible(reading, duration_s) for reading in readings]
    energies = {(one.meter, one.component): one for one in checked if one.quantity is Quantity.ENERGY}
    for name, known in channels.items():
        for channel in known:
            mine = energies.get((name, channel.component))
            if mine is None or mine.value is None or channel.source is None or channel.source not in channels:
                continue
            source = energies.get((channel.source, channel.component))
            if source is None or source.value is None:
                why = source.reason if source else "it has no energy in this window"
                reason = f"{name} reads the counters of {channel.source}: {why}"
                checked[checked.index(mine)] = _without_value(mine, reason)
    pairs = zip(readings, checked, strict=True)
    lost = {one.meter: one for before, one in pairs if before.value is not None and one.value is None}
    return [_without_partial_sum(one, lost.get(one.meter)) for one in checked]


def _possible(reading: Reading, duration_s: float) -> Reading:
    if reading.quantity is not Quantity.ENERGY or reading.value is None:
        return reading
    reason = disbelief(reading.value, duration_s)
    return _without_value(reading, reason, failed=reading.value != 0) if reason else reading


def _without_partial_sum(reading: Reading, lost: Reading | None) -> Reading:
    is_sum = reading.component == "machine" and reading.quantity in (Quantity.ENERGY, Quantity.CO2E)
    if lost is None or reading.value is None or not is_sum:
        return reading
    return _without_value(reading, f"a part of it, {lost.component}, is missing: {lost.reason}", failed=lost.failed)


def _without_value(reading: Reading, reason: str, *, failed: bool = False) -> Reading:
    return reading.model_copy(update={"value": None, "bound": None, "reason": reason, "failed": failed})
