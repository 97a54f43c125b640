"""Other tools as meters: peers, to compare with ours, each run in a process of its own by ``baler-energy peer``.

- `base`: what peers share (is the package there, readings that are never zero for missing, scopes)
- `zeus`, `carbontracker`, `perun`, `pyjoules`, `eco2ai`: one module a tool, used as its documentation says

docs/peers.md tells what each measures, what it assumes, and which of them find the truth on a simulated machine.
"""

import importlib
from typing import Any

from baler_energy.meters.base import Meter
from baler_energy.vocabulary import MeterName

__all__ = ["make_peer", "peer_package"]

_CLASSES = {
    MeterName.ZEUS: "ZeusMeter",
    MeterName.CARBONTRACKER: "CarbontrackerMeter",
    MeterName.ECO2AI: "Eco2aiMeter",
    MeterName.PERUN: "PerunMeter",
    MeterName.PYJOULES: "PyjoulesMeter",
}


def make_peer(name: MeterName) -> Meter:
    """Make the meter of a peer, unopened; its module is loaded only here, and its package upon `Meter.open`."""
    peer: Meter = _kind(name)()
    return peer


def peer_package(name: MeterName) -> str:
    """Name of the package that a peer needs."""
    package: str = _kind(name).package
    return package


def _kind(name: MeterName) -> Any:
    return getattr(importlib.import_module(f"{__name__}.{name}"), _CLASSES[name])
