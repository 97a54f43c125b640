"""Interrupted windows: joins what was measured before an interruption with what was measured after it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from baler_energy.meters.base import Channel, Meter
from baler_energy.meters.derived import DERIVED_FLAGS, derived_flags, derived_readings
from baler_energy.records import Contamination, Idle, Reading, RecordPart, Window
from baler_energy.vocabulary import Evidence, Flag, Quantity

if TYPE_CHECKING:
    from baler_energy.meters.session import Outcome

__all__ = ["Segment", "energies_so_far", "joined"]

T = TypeVar("T")

#: Quantities that add up over segments. Mean power is recomputed; all other quantities of a joined window are null.
_ADDITIVE = (Quantity.ENERGY, Quantity.DYNAMIC_ENERGY)
_NOT_KEPT = "the run was interrupted, and only energies are kept from before"


class Segment(RecordPart):
    """What was measured up to the moment at which a run saved its state."""

    start: datetime
    duration_s: Annotated[float, Field(gt=0)]
    energies: tuple[Reading, ...]
    """One per component whose energy can be read during a window."""
    idle: Idle | None
    contamination: Contamination
    hostname: str
    flags: tuple[Flag, ...] = ()
    """What its meters raised, except faults of counters: their energies are missing."""


def energies_so_far(meter: Meter, channels: Sequence[Channel]) -> list[Reading]:
    """Read a meter's energies since the window began, with the evidence of its channels."""
    evidence = {channel.component: channel.evidence for channel in channels}
    return [
        Reading.of(meter.name, component, Quantity.ENERGY, value, known)
        for component, value in meter.energies_j().items()
        if (known := evidence.get(component))
    ]


def joined(segments: Sequence[Segment], last: "Outcome[T]", min_window_s: float) -> "Outcome[T]":
    """Join segments with the window that followed them.

    Durations and energies add up; each segment uses its own idle baseline. A segment ends when the state is saved:
    work that was lost after that, and the start of the next process, are not counted. Flags of every part count, except
    those that a meter only finds at the end of a window, such as the CPU's throttling.

    Parameters
    ----------
    segments
        At least one, in chronological order.
    last
        The window that completed the run; its result, samples, iterations and idle baseline are kept.
    min_window_s
        Minimum length of a window (s).

    Returns
    -------
    Outcome
        Flagged ``resumed``. An energy is null unless every segment has it with the same evidence; it then counts as
        one whose counter failed, since totals without it are too low. Mean power is recomputed; every other quantity is
        null.
    """
    duration_s = sum(segment.duration_s for segment in segments) + last.window.duration_s
    before = [_readings(segment) for segment in segments]
    readings = [_joined_reading(reading, before) for reading in last.readings]
    energy_j = {_key(reading): reading for reading in readings if reading.quantity is Quantity.ENERGY}
    readings = [
        _mean_power(reading, energy_j[_key(reading)], duration_s)
        if reading.quantity is Quantity.POWER_MEAN and _key(reading) in energy_j
        else reading
        for reading in readings
    ]
    other = _joined_contamination(segments, last)
    flags = derived_flags(readings, other, long_enough=duration_s >= min_window_s)
    flags |= {flag for segment in segments for flag in segment.flags}
    flags |= {Flag.RESUMED, *(flag for flag in last.flags if flag not in DERIVED_FLAGS)}
    if any(reading.failed for reading in readings):
        flags.add(Flag.COUNTER_FAULT)
    return replace(
        last,
        iteration_times=None,
        window=Window(start=segments[0].start, duration_s=duration_s),
        readings=tuple(readings),
        contamination=other,
        flags=tuple(sorted(flags)),
    )


def _key(reading: Reading) -> tuple[str, str]:
    return reading.meter, reading.component


def _readings(segment: Segment) -> dict[tuple[str, str, Quantity, Evidence], Reading]:
    derived = derived_readings(segment.energies, segment.idle, segment.duration_s)
    return {(*_key(reading), reading.quantity, reading.evidence): reading for reading in (*segment.energies, *derived)}


def _joined_reading(last: Reading, before: Sequence[dict[tuple[str, str, Quantity, Evidence], Reading]]) -> Reading:
    if last.value is None or last.quantity is Quantity.POWER_MEAN:
        return last
    if last.quantity not in _ADDITIVE:
        return last.model_copy(update={"value": None, "bound": None, "reason": _NOT_KEPT})
    total, bound = last.value, last.bound
    for segment in before:
        former = segment.get((*_key(last), last.quantity, last.evidence))
        if former is None or former.value is None:
            reason = (former and former.reason) or "its meter could not be read within a window"
            reason = f"the run was interrupted; before that: {reason}"
            failed = last.quantity is Quantity.ENERGY
            return last.model_copy(update={"value": None, "bound": None, "reason": reason, "failed": failed})
        total += former.value
    # Each segment adds two edges.
    return last.model_copy(update={"value": total, "bound": None if bound is None else bound * (len(before) + 1)})


def _mean_power(reading: Reading, energy: Reading, duration_s: float) -> Reading:
    value = None if energy.value is None else energy.value / duration_s
    return reading.model_copy(update={"value": value, "bound": None, "reason": energy.reason})


def _joined_contamination(segments: Sequence[Segment], last: "Outcome[Any]") -> Contamination:
    parts = [(segment.contamination, segment.duration_s) for segment in segments]
    parts.append((last.contamination, last.window.duration_s))
    whole_s = sum(duration_s for _, duration_s in parts)
    return Contamination(
        fraction=_sum([part.fraction and part.fraction * duration_s / whole_s for part, duration_s in parts]),
        other_cpu_s=_sum([part.other_cpu_s for part, _ in parts]),
        logical_cpus=last.contamination.logical_cpus,
        limit=last.contamination.limit,
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """Sum the values; None if one of them is None."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
