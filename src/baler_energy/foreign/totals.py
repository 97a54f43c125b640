"""Increments and running totals: which of the two the rows of a run are, and the increments of running totals.

A tool writes the energy since its last row (an increment) or since its run began (a running total, as codecarbon's
``flush()``). Added up, totals count the same energy again in each row. Their times show which they are: the windows of
increments follow each other; those of totals begin together, so that each contains the one before.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from baler_energy.foreign.copies import without_copies
from baler_energy.foreign.patterns import STAMPS_S
from baler_energy.foreign.rows import Value, Window
from baler_energy.vocabulary import Quantity

__all__ = ["INCREMENTS", "TOTALS", "UNDATED", "increments"]

#: What the rows of a run are: words of the table ``findings``.
INCREMENTS, TOTALS, UNDATED = "increments", "running_totals", "undated"
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
        ordered = _in_order(places, found)
        made = _of_run([found[place] for place in ordered])
        for place, window in zip(ordered, without_copies(made), strict=True):
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


def _in_order(places: Sequence[int], windows: Sequence[Window]) -> list[int]:
    """Return the places of one run's rows in the order of time."""
    by_time = sorted(places, key=lambda place: (windows[place].edges_s[1], _length_s(windows[place])))
    by_length = sorted(by_time, key=lambda place: _length_s(windows[place]))
    # The order of lengths stays the same if the host's clock is put back.
    return by_length if _adds_up([windows[place] for place in by_length]) else by_time


def _of_run(rows: list[Window]) -> list[Window]:
    """Return the increments of one run's rows, which are in the order of time."""
    if len(rows) == 1:
        return rows
    if any(math.isnan(row.edges_s[1]) for row in rows):
        return [replace(row, sums=UNDATED) for row in rows]
    contains = [_contains(*pair) for pair in pairwise(rows)]
    certain, made = any(contains), rows[:1]
    for (before, after), inside in zip(pairwise(rows), contains, strict=True):
        if inside or (inside is None and (after.adds_up or certain)):
            made.append(_rise(before, after, _length_s(after) - _length_s(before)))
        elif after.adds_up:
            made.append(_rise(before, after, _likely_length_s(before, after, made[-1])))
        else:
            made.append(after)
    sums = INCREMENTS if made == rows else TOTALS
    return [replace(row, sums=sums) for row in made]


def _contains(before: Window, after: Window) -> bool | None:
    """Whether a window is the one before it, continued; None if both are too short for their time stamps."""
    (start_s, end_s), (next_s, _) = before.edges_s, after.edges_s
    if _length_s(after) < _length_s(before) or next_s < start_s - STAMPS_S:
        return False
    if end_s - max(start_s, next_s) > max(STAMPS_S, _length_s(before) / 2):
        return True
    return None if _length_s(before) <= STAMPS_S and next_s - start_s <= STAMPS_S else False


def _adds_up(rows: Sequence[Window]) -> bool:
    """Whether these are totals of one tracker that was started once: neither durations nor energies fall."""
    joules = [_joules(row) for row in rows if row.adds_up]
    return len(joules) == len(rows) and min(joules) > 0 and joules == sorted(joules)


def _likely_length_s(before: Window, after: Window, last: Window) -> float:
    """Return how long it took from one total to the next if their times do not show it.

    Either the tracker was started again, so that the duration starts anew, or the host's clock was changed, as at the
    end of summer time, so that it goes on. It is the one with which the power is closer to that of the last increment.
    """
    whole_s, more_s = _length_s(after), _length_s(after) - _length_s(before)
    rise_j, last_j = _joules(after) - _joules(before), _joules(last)
    if min(more_s, rise_j, last_j, _length_s(last)) <= 0:
        return whole_s
    expected_s = rise_j / last_j * _length_s(last)
    return min(whole_s, more_s, key=lambda length_s: abs(math.log(length_s / expected_s)))


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
