"""Increments and running totals: which of the two the rows of a run are, and the increments of running totals.

A tool writes the energy since its last row (an increment) or since its run began (a running total, as codecarbon's
``flush()``). Added up, totals count the same energy again in each row. Their times show which they are: the windows of
increments follow each other; those of totals begin together, so that each contains the one before.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from baler_energy.foreign.copies import without_copies
from baler_energy.foreign.patterns import STAMPS_S
from baler_energy.foreign.rows import Value, Window
from baler_energy.vocabulary import Quantity

__all__ = ["INCREMENTS", "TOTALS", "UNDATED", "increments"]

#: What the rows of a run are: words of the table ``findings``.
INCREMENTS, TOTALS, UNDATED = "increments", "running_totals", "undated"
#: Time zones differ by multiples of this (s).
_ZONE_S = 900.0
#: Smallest relative rise of a total that is no rounding.
_ROUNDING = 1e-9


def increments(windows: Sequence[tuple[str, Window]]) -> list[tuple[str, Window]]:
    """Make all energies such that they add up, and note in `Window.sums` what the rows of each run are.

    Each running total is replaced by its rise since the row before. A copy of another row has no energy, and neither
    has a device that shows the energy of another one.

    Parameters
    ----------
    windows
        Name of the file and window: those of all files, as a run may be in several.

    Returns
    -------
    list of tuple
        In the same order, with None for each value that has a reason.
    """
    found = [window for _, window in windows]
    runs: dict[tuple[object, ...], list[int]] = {}
    rows: dict[tuple[object, ...], str] = {}
    for place, (file, window) in enumerate(windows):
        row = (window.tool, *window.edges_s, window.values)
        if row in rows:
            found[place] = _copy(window, rows[row])
        else:
            # A run is one process, on one host.
            run = (window.tool, window.run, window.cpu_model, window.ram_bytes)
            runs.setdefault((place,) if window.run is None else run, []).append(place)
        if not math.isnan(window.edges_s[1]):
            rows.setdefault(row, file)
    for places in runs.values():
        places.sort(key=lambda place: (found[place].edges_s[1], _length_s(found[place])))
        if all(found[place].adds_up and _joules(found[place]) for place in places):
            places.sort(key=lambda place: _joules(found[place]))  # a host's clock may be set back
        rows_of_run = [found[place] for place in places]
        made = list(_of_run(rows_of_run)) if len(places) > 1 else rows_of_run
        for place, window in zip(places, without_copies(made), strict=True):
            found[place] = window
    return [
        (file, replace(window, values=tuple(map(_settled, _without_partial_sum(window.values)))))
        for (file, _), window in zip(windows, found, strict=True)
    ]


def _copy(window: Window, file: str) -> Window:
    reason = f"a copy of a row in {file}, at the same time and with the same values"
    values = (
        value if value.quantity is Quantity.DURATION else replace(value, reason=reason) for value in window.values
    )
    return replace(window, values=tuple(values))


def _without_partial_sum(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Withhold the tool's sum if a part of it is not believed, such as the 0 J of a counter that did not advance."""
    lost = (one for one in values if one.quantity is Quantity.ENERGY and one.value is not None and one.reason)
    part = next((one for one in lost if one.component != "machine" and not one.absent), None)
    if part is None:
        return values
    reason = f"a part of it, {part.component}, is missing: {part.reason}"
    return tuple(
        replace(value, reason=value.reason or reason)
        if (value.component, value.quantity) == ("machine", Quantity.ENERGY)
        else value
        for value in values
    )


def _settled(value: Value) -> Value:
    return replace(value, value=None) if value.reason else value


def _of_run(rows: list[Window]) -> Iterator[Window]:
    """Yield the increments of one run's rows, which are in the order of time."""
    if any(math.isnan(row.edges_s[1]) for row in rows):
        yield from (replace(row, sums=UNDATED) for row in rows)
        return
    contains = [_contains(*pair) for pair in pairwise(rows)]
    certain, made = any(contains), rows[:1]
    for (before, after), inside in zip(pairwise(rows), contains, strict=True):
        if inside or (inside is None and (after.adds_up or certain)):
            made.append(_rise(before, after, _length_s(after) - _length_s(before)))
        elif after.adds_up:  # the tracker was started again: the duration starts anew, but the energy goes on
            made.append(_rise(before, after, _length_s(after)))
        else:
            made.append(after)
    sums = INCREMENTS if made == rows else TOTALS
    yield from (replace(row, sums=sums) for row in made)


def _contains(before: Window, after: Window) -> bool | None:
    """Whether a window is the one before it, continued; None if both are too short for their time stamps."""
    (start_s, end_s), (next_s, _) = before.edges_s, after.edges_s
    if after.adds_up:  # between the rows, the host's local time may have begun or ended summer time
        shift_s = round((next_s - start_s) / _ZONE_S) * _ZONE_S
        next_s -= shift_s if abs(next_s - start_s - shift_s) <= STAMPS_S else 0.0
    if _length_s(after) < _length_s(before) or next_s < start_s - STAMPS_S:
        return False
    if end_s - max(start_s, next_s) > max(STAMPS_S, _length_s(before) / 2):
        return True
    return None if _length_s(before) <= STAMPS_S and next_s - start_s <= STAMPS_S else False


def _joules(window: Window) -> float:
    """Energy of a window: the tool's own sum, or else that of the components."""
    energies = [_settled(value) for value in window.values if value.quantity is Quantity.ENERGY]
    parts = {value.component: value.value or 0.0 for value in energies}
    return parts.get("machine") or sum(parts.values())


def _length_s(window: Window) -> float:
    return window.duration_s or 0.0


def _rise(before: Window, after: Window, length_s: float) -> Window:
    """Make the window from one running total to the next, `length_s` long."""
    totals = {(value.component, value.quantity): value for value in before.values}
    values = (
        replace(value, value=length_s)
        if value.quantity is Quantity.DURATION
        else _difference(totals.get((value.component, value.quantity)), value)
        for value in after.values
    )
    return replace(after, values=tuple(values), start_s=after.edges_s[1] - length_s, duration_s=length_s)


def _difference(before: Value | None, after: Value) -> Value:
    if after.value is None or after.value < 0:
        return after
    if before is None or before.value is None:
        return replace(after, reason="the running total in the row before is missing")
    rise = after.value - before.value
    if abs(rise) <= _ROUNDING * after.value:
        rise = 0.0
    reason = None
    if rise < 0:
        reason = f"the running total falls from {before.value:.4g} to {after.value:.4g}: its counter was reset"
    elif rise == 0 and after.quantity is Quantity.ENERGY:
        reason = after.reason or "the running total does not rise in this row"
    return replace(after, value=rise, reason=reason, detail=f"{after.detail}; rise of a running total")
