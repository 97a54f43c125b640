"""Code shared by the peers' meters."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import ClassVar

from baler_energy.meters.base import Channel, Meter
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = [
    "PeerMeter",
    "by_component",
    "peer_reading",
    "peer_version",
    "with_sums",
]

_INSTALL = "pip install 'baler-energy[peers]'"
#: The sums that we compute from a tool's values, and patterns of their components.
_SUMS = {"cpu": re.compile(r"package-"), "dram": re.compile(r"dram-"), "gpu": re.compile(r"gpu-")}


class PeerMeter(Meter):
    """Another tool's readings of the window.

    What a tool can read is only known once it runs. Before `open`, a peer therefore has one channel, ``machine``, with
    unknown evidence. A tool that is not installed is absent.
    """

    package: ClassVar[str]
    """Name of the tool's package, for import and installation."""

    def channels(self) -> Sequence[Channel]:
        """Report whether the tool is installed."""
        if find_spec(self.package) is None:
            return (Channel("machine", None, f"the package {self.package} is not installed", _INSTALL),)
        return (Channel("machine", Evidence.UNKNOWN, f"{self.package} {peer_version(self.package)}"),)


def peer_version(package: str) -> str:
    """Return the version of an installed package; "?" if unknown."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def peer_reading(
    meter: MeterName,
    component: str,
    value: float | None,
    evidence: Evidence,
    detail: str,
    *,
    quantity: Quantity = Quantity.ENERGY,
    scope: tuple[str, ...] | None = None,
) -> Reading:
    """Make a reading of a tool's value; an invalid value becomes null, with the reason.

    Tools return 0 if they could not read, NaN without samples, and a negative energy after a wrap that they missed.
    None of these is a valid energy.

    Parameters
    ----------
    meter, component, evidence, detail, quantity, scope
        As for `Reading.of`.
    value
        The tool's value, in the unit of `quantity`.
    """
    unit = quantity.unit
    if value is None:
        reason = f"{meter} returned no value, or several that are named alike"
    elif not math.isfinite(value):
        reason = f"{meter} returned {value}"
    elif value == 0:
        reason = f"{meter} returned 0 {unit}, which it also returns if it cannot read"
    elif value < 0:
        reason = f"{meter} returned {value:.1f} {unit}: a counter wrapped or was reset unnoticed"
    else:
        return Reading.of(meter, component, quantity, float(value), evidence, detail=detail, scope=scope)
    return Reading.of(meter, component, quantity, None, evidence, reason, detail=detail, scope=scope)


def by_component(values_j: Iterable[tuple[str, float]]) -> dict[str, float | None]:
    """Map components to a tool's energies (J); a component with several values has none, so that none is left out."""
    found: dict[str, float | None] = {}
    for component, value_j in values_j:
        found[component] = None if component in found else value_j
    return found


def with_sums(meter: MeterName, values_j: Mapping[str, float | None], evidence: Evidence, detail: str) -> list[Reading]:
    """Make readings of a tool's values per device, and of their sums ``cpu``, ``dram`` and ``gpu``.

    A sum with a null part is null. Components that contain others (``psys``) or are contained in others (``core``,
    ``uncore``) are not added.

    Parameters
    ----------
    meter, evidence, detail
        As for `Reading.of`.
    values_j
        Energy (J) by component.
    """
    readings = [peer_reading(meter, name, value, evidence, detail) for name, value in values_j.items()]
    for total, kind in _SUMS.items():
        parts = [reading for reading in readings if kind.match(reading.component)]
        names = " + ".join(part.component for part in parts)
        reason = next((part.reason for part in parts if part.value is None), None)
        if reason:
            readings.append(Reading.of(meter, total, Quantity.ENERGY, None, evidence, reason, detail=detail))
        elif parts:
            value_j = sum(part.value or 0.0 for part in parts)
            readings.append(peer_reading(meter, total, value_j, evidence, f"sum of {names}; {detail}"))
    return readings
