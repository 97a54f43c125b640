"""Devices that only show the energy of another one, such as dies that mirror the counter of their socket.

Tools that add up all devices count such an energy several times (codecarbon, issue 1274), and so would we.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from baler_energy.foreign.rows import Value, Window
from baler_energy.vocabulary import Quantity

__all__ = ["without_copies"]

#: Smallest energy (J) that is compared, and that is enough if there is only one row. Counters have ticks of 61 uJ
#: (RAPL) or 1 mJ (NVML), so that smaller energies of different devices may well be equal.
_LEAST_J, _ENOUGH_J = 0.1, 10.0


def without_copies(rows: Sequence[Window]) -> list[Window]:
    """Withhold the energies of copies.

    Of two devices of a kind (``package-0`` and ``package-1``) the later one is a copy if its energy is exactly that of
    the other in more than half of the rows: not in all, since a counter may advance between the readings of the two.

    Parameters
    ----------
    rows
        The windows of one run.
    """
    known, equal = Counter[str](), defaultdict[tuple[str, str], list[float]](list)
    for row in rows:
        firsts: dict[tuple[str, float], str] = {}
        for value in filter(_is_compared, row.values):
            assert value.value is not None
            known[value.component] += 1
            kind = value.component.rpartition("-")[0]
            first = firsts.setdefault((kind, value.value), value.component)
            if first != value.component:
                equal[first, value.component].append(value.value)
    copies = {
        component: f"it shows the energy of {first} in {len(joules)} of {known[component]} rows: they are one counter"
        for (first, component), joules in equal.items()
        if 2 * len(joules) > known[component] and (len(joules) > 1 or joules[0] >= _ENOUGH_J)
    }
    return [
        replace(row, values=tuple(_withheld(value, copies.get(value.component)) for value in row.values))
        for row in rows
    ]


def _is_compared(value: Value) -> bool:
    """Whether this is an energy, believed and not small, of one of several devices."""
    numbered = value.component.rpartition("-")[2].isdecimal()
    return numbered and value.quantity is Quantity.ENERGY and not value.reason and (value.value or 0.0) >= _LEAST_J


def _withheld(value: Value, reason: str | None) -> Value:
    is_copy = reason is not None and value.quantity is Quantity.ENERGY
    return replace(value, reason=value.reason or reason) if is_copy else value
