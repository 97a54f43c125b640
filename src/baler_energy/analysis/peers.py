"""Rows of the table ``peers`` from the result of a peer's run: another tool's readings and ours."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from baler_energy.analysis.tidy import POINT_KEYS, point_values
from baler_energy.analysis.totals import primary_readings
from baler_energy.errors import InputError
from baler_energy.mistakes import mistakes
from baler_energy.records import Measurement, Reading
from baler_energy.vocabulary import PRIMARY_METERS, Evidence, Quantity

__all__ = ["peer_rows"]

#: Kind of a single device's component, by which its primary meters are found.
_KINDS = {"package": "cpu", "psys": "cpu", "core": "cpu", "uncore": "cpu", "dram": "dram", "gpu": "gpu"}
_INDEX = re.compile(r"-\d+(-die-\d+)?$")


def peer_rows(peer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``peers`` from the contents of a ``peer.json``: one for each energy and CO2e that the tool reported.

    `ours_j` is our primary meters' energy of the same components over the same window; null if we do not have all of
    them, or if some are measured and some modelled. A run without a record is one row with the reason.

    Raises
    ------
    InputError
        The contents were not written by ``baler-energy peer``.
    """
    try:
        common = {"operation": peer["operation"], "tool": peer["tool"], "kind": "peer"}
        if peer["measurement"] is None:
            point = {key: peer["parameters"].get(key) for key in ("run_id", *POINT_KEYS)}
            return [point | common | _nothing(peer["reason"])]
        record = Measurement.model_validate(peer["measurement"])
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        why = "; ".join(mistakes(error, "measurement")) if isinstance(error, ValidationError) else repr(error)
        raise InputError(f"This is not a result written by `baler-energy peer`: {why}") from error
    theirs = [
        reading
        for reading in record.readings
        if reading.meter == peer["tool"] and reading.quantity in (Quantity.ENERGY, Quantity.CO2E)
    ]
    ours = [reading for reading in record.readings if reading.meter != peer["tool"]]
    duration = {"duration_s": record.window.duration_s}
    return [point_values(record) | common | _row(reading, theirs, ours) | duration for reading in theirs]


def _row(reading: Reading, theirs: Sequence[Reading], ours: Sequence[Reading]) -> dict[str, Any]:
    ours_j, scope, evidence = _counterpart(reading, theirs, ours)
    comparable = reading.quantity is Quantity.ENERGY and reading.value is not None and ours_j
    return {
        "component": reading.component,
        "quantity": str(reading.quantity),
        "evidence": str(reading.evidence),
        "value": reading.value,
        "unit": reading.unit,
        "ours_j": ours_j,
        "ours_scope": scope,
        "ours_evidence": None if evidence is None else str(evidence),
        "ratio": reading.value / ours_j if comparable and reading.value is not None and ours_j else None,
        "assumptions": reading.detail,
        "reason": reading.reason,
    }


def _nothing(reason: str | None) -> dict[str, Any]:
    """Return the row of a run without a record."""
    null = dict.fromkeys(
        ("evidence", "value", "ours_j", "ours_scope", "ours_evidence", "ratio", "duration_s", "assumptions")
    )
    energy = {"component": "machine", "quantity": str(Quantity.ENERGY), "unit": Quantity.ENERGY.unit}
    return energy | null | {"reason": reason}


def _counterpart(
    reading: Reading, theirs: Sequence[Reading], ours: Sequence[Reading]
) -> tuple[float | None, str | None, Evidence | None]:
    """Find our energy (J) of the same components as `reading`, the names of these components, and its evidence."""
    device = _device(reading.component, ours)
    if device is not None:
        return device.value, device.component, device.evidence
    primary = primary_readings(ours, Quantity.ENERGY, uses_gpu=True)
    # A tool's model of the memory is compared with our counter if there is one.
    kinds = ["dram" if kind == "ram" and "dram" in primary else kind for kind in _scope(reading, theirs)]
    parts = [primary[kind] for kind in kinds if kind in primary]
    evidences = {part.evidence for part in parts}
    if not parts or len(parts) < len(kinds) or len(evidences) > 1:
        return None, None, None
    return sum(part.value or 0.0 for part in parts), "+".join(kinds), evidences.pop()


def _scope(reading: Reading, theirs: Sequence[Reading]) -> Sequence[str]:
    """Kinds of components (cpu, dram, gpu, ram) that a tool's value includes."""
    if reading.scope is not None:
        return reading.scope
    if reading.component != "machine":
        return (reading.component,)
    return tuple(part.component for part in theirs if part.component in PRIMARY_METERS and part.value is not None)


def _device(component: str, ours: Sequence[Reading]) -> Reading | None:
    """Find our reading of the same single device from the first primary meter of its kind that has one."""
    kind = _KINDS.get(_INDEX.sub("", component))
    if kind is None or component in PRIMARY_METERS:
        return None
    found = [r for r in ours if r.component == component and r.quantity is Quantity.ENERGY and r.value is not None]
    return next((r for meter in PRIMARY_METERS[kind] for r in found if r.meter == meter), None)
