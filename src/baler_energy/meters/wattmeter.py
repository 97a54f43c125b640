"""External wattmeters: merges a wattmeter's log with the measured windows by time."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError
from baler_energy.logs import Cells, column, header, read_text, records, seconds
from baler_energy.meters.integration import gap_bound_j, window_energy_j
from baler_energy.meters.plausible import disbelief
from baler_energy.records import Idle, Reading
from baler_energy.vocabulary import MACHINE_LIMIT_W, Evidence, MeterName, Quantity

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Log", "read_log", "wattmeter_readings"]

#: Names of columns, as `logs.column` reads them; none is of another unit, such as ``power_kw``.
_TIME = re.compile(r"(?:time|timestamp|datetime|date)(?:_utc|_s|_ms|_us|_ns)?")
_POWER = re.compile(r"power|(?:power_)?(?:w|watts?)")
_LARGEST_W = 1e9


@dataclass(frozen=True)
class Log:
    """A wattmeter's log: increasing times (s since 1970, UTC) and powers (W)."""

    name: str
    times_s: "npt.NDArray[np.float64]"
    powers_w: "npt.NDArray[np.float64]"


def read_log(path: Path, *, clock_offset_s: float = 0.0) -> Log:
    """Read a log: CSV with a header line that includes a column for time and one for power in W.

    Parameters
    ----------
    path
        The log. Times are ISO 8601 with a time zone (``2026-11-24T13:00:00.5Z``), or since 1970, in seconds,
        milliseconds, microseconds or nanoseconds.
    clock_offset_s
        Added to its times (s).

    Raises
    ------
    InputError
        The file is missing or not in this format; the message gives the row and what is allowed.
    """
    import numpy as np

    times, powers = list[float](), list[float]()
    with refusing_damage(path, "log of a wattmeter", "Export it again, or leave it out."):
        text = read_text(path)
        time = column(path, header(text), _TIME, "'time'")
        power = column(path, header(text), _POWER, "'power_w'")
        for cells in records(text, path):
            time_s, power_w = _reading_of(cells, time, power)
            if times and time_s <= times[-1]:
                raise InputError(f"{path}, row {cells.row}: its time is not later than the previous one.")
            times.append(time_s)
            powers.append(power_w)
    if len(times) < 2:
        raise InputError(f"{path}: contains fewer than two readings.")
    return Log(path.name, np.array(times) + clock_offset_s, np.array(powers))


def _reading_of(cells: Cells, time: str, power: str) -> tuple[float, float]:
    """Time (s since 1970) and power (W) of a row."""
    power_w = cells.number(power)
    try:
        time_s = seconds(cells.values[time])
    except ValueError:
        time_s = math.nan
    if power_w is None or not 0 <= power_w < _LARGEST_W or not 0 < time_s < math.inf:
        raise InputError(
            f"{cells.path}, row {cells.row}: expected a time with its time zone (2026-11-24T13:00:00Z) or since 1970 "
            f"(in s, ms, us or ns), and a power from 0 to {_LARGEST_W:g} W, not {cells.line!r}."
        )
    return time_s, power_w


def wattmeter_readings(log: Log, start: datetime | None, duration_s: float, idle: Idle | None) -> list[Reading]:
    """Merge the log with a measured window: energy, mean and maximum power, dynamic energy of ``node``.

    Parameters
    ----------
    log
        The log.
    start, duration_s
        Start (None: the window was interrupted, so that it has several) and length (s) of the window.
    idle
        The record's idle baseline; the log over its window gives the node's idle power.
    """
    detail = f"wattmeter's log {log.name}, merged by time"
    try:
        if start is None:
            raise ValueError("it is not merged with a run that was interrupted")
        energy_j, bound_j = _energy_j(log, start, duration_s)
    except ValueError as error:
        reason = f"the wattmeter's log {log.name}: {error}"
        return [_reading(quantity, None, reason) for quantity in (Quantity.ENERGY, Quantity.DYNAMIC_ENERGY)]
    begin_s = start.timestamp()
    inside = log.powers_w[(log.times_s >= begin_s) & (log.times_s <= begin_s + duration_s)]
    dynamic_j, reason = None, "no idle baseline was taken"
    if idle is not None:
        try:
            idle_w = _energy_j(log, idle.start, idle.duration_s)[0] / idle.duration_s
            dynamic_j, reason = energy_j - idle_w * duration_s, ""
        except ValueError as error:
            reason = f"no idle power: the wattmeter's log {log.name}: {error}"
    return [
        Reading.of(MeterName.WATTMETER, "node", Quantity.ENERGY, energy_j, bound=bound_j, detail=detail),
        _reading(Quantity.POWER_MEAN, energy_j / duration_s, None),
        *([_reading(Quantity.POWER_MAX, float(inside.max()), None)] if len(inside) else []),
        _reading(Quantity.DYNAMIC_ENERGY, dynamic_j, reason or None),
    ]


def _reading(quantity: Quantity, value: float | None, reason: str | None) -> Reading:
    return Reading.of(MeterName.WATTMETER, "node", quantity, value, Evidence.MEASURED, reason)


def _energy_j(log: Log, start: datetime, duration_s: float) -> tuple[float, float]:
    """Integrate the log over a window; return the energy and its bound (J).

    Raises
    ------
    ValueError
        The log does not cover the window, has too long a gap or an impossible power inside it, or gives an energy that
        is not believed.
    """
    import numpy as np

    begin_s = start.astimezone(UTC).timestamp()
    end_s = begin_s + duration_s
    first = max(0, int(np.searchsorted(log.times_s, begin_s, side="right")) - 1)
    last = int(np.searchsorted(log.times_s, end_s, side="left")) + 1
    times_s, powers_w = log.times_s[first:last], log.powers_w[first:last]
    if len(times_s) < 2 or times_s[0] > begin_s or times_s[-1] < end_s:
        covered = " to ".join(f"{datetime.fromtimestamp(s, UTC):%Y-%m-%d %H:%M:%S}" for s in log.times_s[[0, -1]])
        raise ValueError(f"it does not cover the window from {start:%Y-%m-%d %H:%M:%S} UTC, only {covered}")
    wrong = np.flatnonzero((powers_w <= 0) | (powers_w > MACHINE_LIMIT_W))
    if wrong.size:
        when, power_w = datetime.fromtimestamp(times_s[wrong[0]], UTC), powers_w[wrong[0]]
        raise ValueError(f"it has {power_w:g} W at {when:%Y-%m-%d %H:%M:%S} UTC, which no machine draws")
    energy_j = window_energy_j(times_s, powers_w, begin_s, end_s)
    if reason := disbelief(energy_j, duration_s):
        raise ValueError(reason)
    return energy_j, gap_bound_j(times_s, powers_w, begin_s, end_s)
