"""The electricity of a study: its carbon intensity (a country's mean, a value or a time series) and the site's PUE."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from baler_energy.analysis.carbon import (
    carbon_intensity_g_per_kwh,
    co2e_kg,
    country_intensities_g_per_kwh,
    electricity_cost,
)
from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError
from baler_energy.logs import Cells, column, header, moment, read_text, records
from baler_energy.records import Measurement
from baler_energy.vocabulary import Flag

__all__ = ["Electricity", "HourlyIntensity", "electricity_rows", "read_intensity_csv", "times_of"]

_NO_INTENSITY = (
    "the study sets no carbon intensity: set country, carbon_intensity_g_per_kwh or carbon_intensity_csv to get CO2e"
)
#: A value of a time series holds until the next one, but at most this long: a longer step is a gap.
_LONGEST_STEP = timedelta(hours=3)
_DAY_H = 24
#: Names of columns, as `logs.column` reads them: hour, and g/kWh in any spelling, such as ``gco2eq_kwh``.
_HOUR = re.compile(r"(?:hour|time|timestamp|datetime|date)(?:_utc)?")
_INTENSITY = re.compile(r"(?:.*_)?g(?:_?co[2₂]e?q?)?(?:(?:_per)?_kwh)?")
_LARGEST_G_PER_KWH = 1e6
#: Most rows of a time series: a value each minute for more than a year.
_MOST_ROWS = 600_000
_HOUR_OF_DAY = re.compile(r"\d{1,2}", re.ASCII)


@dataclass(frozen=True)
class HourlyIntensity:
    """Carbon intensity over time: dated hours, or a profile of the day (UTC).

    Parameters
    ----------
    starts
        Start of each step (UTC), ascending; each value holds until the next start, the last one as long as the step
        before it. None: the values are a profile of the day.
    values_g_per_kwh
        Value of each step; for a profile, of each hour of the day (None: not in the file).
    name
        Name of the file.
    """

    starts: tuple[datetime, ...] | None
    values_g_per_kwh: tuple[float | None, ...]
    name: str

    def mean_g_per_kwh(self, start: datetime, duration_s: float) -> float | None:
        """Mean over a window, weighted by time; None if the window is not fully covered.

        Parameters
        ----------
        start
            Start of the window (with a time zone).
        duration_s
            Its length (s).
        """
        now, end = start.astimezone(UTC), start.astimezone(UTC) + timedelta(seconds=duration_s)
        if now >= end:
            return self._at(now)[0]
        length, total = end - now, 0.0
        while now < end:
            value, until = self._at(now)
            if value is None:
                return None
            step_end = min(end, until)
            total += value * ((step_end - now) / length)
            now = step_end
        return total

    def _at(self, moment: datetime) -> tuple[float | None, datetime]:
        """Value at a moment, and the end of its step."""
        if self.starts is None:
            hour = moment.replace(minute=0, second=0, microsecond=0)
            return self.values_g_per_kwh[moment.hour], hour + timedelta(hours=1)
        place = bisect_right(self.starts, moment) - 1
        if place < 0:
            return None, self.starts[0]
        end = self._step_end(place)
        return (self.values_g_per_kwh[place], end) if moment < end else (None, datetime.max.replace(tzinfo=UTC))

    def _step_end(self, place: int) -> datetime:
        starts = self.starts or ()
        if place + 1 < len(starts):
            return min(starts[place + 1], starts[place] + _LONGEST_STEP)
        step = starts[place] - starts[place - 1] if place else timedelta(hours=1)
        return starts[place] + min(step, _LONGEST_STEP)


@dataclass(frozen=True)
class Electricity:
    """Converts energy to CO2e and money. Location-based: the mean of the grid, regardless of the site's contract."""

    pue: float
    country: str | None = None
    value_g_per_kwh: float | None = None
    hours: HourlyIntensity | None = None
    price_per_kwh: float | None = None
    currency: str | None = None

    @classmethod
    def of(
        cls,
        *,
        country: str | None,
        value: float | None,
        csv: Path | None,
        pue: float,
        price_per_kwh: float | None = None,
        currency: str | None = None,
    ) -> "Electricity":
        """Make it from a study's keys.

        Raises
        ------
        InputError
            Several keys give an intensity, the country is unknown, the file is not a time series, or a price has no
            currency.
        """
        if sum(given is not None for given in (country, value, csv)) > 1:
            raise InputError("set only one of country, carbon_intensity_g_per_kwh and carbon_intensity_csv")
        if (price_per_kwh is None) != (currency is None):
            raise InputError("price_per_kwh and currency go together; set both or neither")
        if country is not None:
            value = carbon_intensity_g_per_kwh(country)
        hours = None if csv is None else read_intensity_csv(csv)
        return cls(pue, country, value, hours, price_per_kwh, currency)

    def intensity_g_per_kwh(self, start: datetime | None, duration_s: float) -> float | None:
        """Mean carbon intensity (g CO2e per kWh) over a window (`times_of`); None if unknown."""
        if self.hours is not None:
            return None if start is None else self.hours.mean_g_per_kwh(start, duration_s)
        return self.value_g_per_kwh

    def reason(self, start: datetime | None, duration_s: float) -> str | None:
        """Return why the CO2e of a window is unknown; None if it is known."""
        if self.intensity_g_per_kwh(start, duration_s) is not None:
            return None
        if self.hours is None:
            return _NO_INTENSITY
        if start is None:
            return f"{self.hours.name} is not merged with a run that was interrupted"
        return f"{self.hours.name} does not cover the window from {start:%Y-%m-%d %H:%M} UTC"

    def co2e_kg(self, energy_j: float | None, start: datetime | None, duration_s: float) -> float | None:
        """CO2e (kg) of energy (J) used in a window; None if the energy or the intensity is unknown.

        The PUE is applied here, once.
        """
        intensity = self.intensity_g_per_kwh(start, duration_s)
        return None if energy_j is None or intensity is None else co2e_kg(energy_j, intensity, self.pue)

    def cost(self, energy_j: float | None) -> float | None:
        """Price (in the currency) of energy (J) that the machine used, with the PUE; None if one is unknown."""
        if energy_j is None or self.price_per_kwh is None:
            return None
        return electricity_cost(energy_j, self.price_per_kwh, self.pue)


def times_of(record: Measurement) -> tuple[datetime | None, float]:
    """Return the start of a record's window, None if it was interrupted and so has several, and its length (s)."""
    return None if Flag.RESUMED in record.flags else record.window.start, record.window.duration_s


def electricity_rows(electricity: Electricity) -> list[dict[str, Any]]:
    """Rows of the table ``electricity``: every country's yearly mean, and the values that the study gives instead."""
    rows = [
        _row("country", code, value, used=code == electricity.country)
        for code, value in country_intensities_g_per_kwh().items()
    ]
    if electricity.country is None and electricity.value_g_per_kwh is not None:
        rows.append(_row("value", "the study's value", electricity.value_g_per_kwh, used=True))
    hours = electricity.hours
    if hours is not None:
        for place, value in enumerate(hours.values_g_per_kwh):
            start = hours.starts[place] if hours.starts else None
            hour = start.hour if start else place
            rows.append(_row("hour", hours.name, value, used=True) | {"hour": start, "hour_of_day": hour})
    return rows


def _row(kind: str, name: str, value: float | None, *, used: bool) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "hour": None,
        "hour_of_day": None,
        "carbon_intensity_g_per_kwh": value,
        "used": used,
    }


def read_intensity_csv(path: Path) -> HourlyIntensity:
    """Read a time series of carbon intensity: a header line that names the columns hour and g_per_kwh, and rows.

    Parameters
    ----------
    path
        CSV. The hours are ISO 8601 dates with a time zone (``2026-11-24T13:00Z``) in ascending order, or numbers from 0
        to 23 for a profile of the day in UTC.

    Raises
    ------
    InputError
        The file is missing or not valid; the message names the row and what is allowed.
    """
    with refusing_damage(path, "series of carbon intensity", "Export it again, or leave it out."):
        text = read_text(path)
        if not text.strip():
            raise _no_hours(path)
        hour = column(path, header(text), _HOUR, "'hour'")
        value = column(path, header(text), _INTENSITY, "'g_per_kwh'")
        rows = list(islice(records(text, path), _MOST_ROWS + 1))
        if len(rows) > _MOST_ROWS:
            raise InputError(f"{path}: has more than {_MOST_ROWS:,} rows. Cut out the part that is needed.")
        if not rows:
            raise _no_hours(path)
        values = tuple(_intensity(cells, value) for cells in rows)
        if all(_HOUR_OF_DAY.fullmatch(cells.values[hour].strip()) for cells in rows):
            return _profile(rows, hour, values)
        starts = tuple(_moment(cells, hour) for cells in rows)
        for (before, start), cells in zip(pairwise(starts), rows[1:], strict=True):
            if start <= before:
                what = f"hour {cells.values[hour]!r} is not later than the previous one"
                raise InputError(f"{path}, row {cells.row}: {what}.")
        return HourlyIntensity(starts, values, path.name)


def _no_hours(path: Path) -> InputError:
    return InputError(f"{path}: contains no hours; expected a line 'hour,g_per_kwh' and a row for each hour.")


def _profile(rows: Sequence[Cells], name: str, values: Sequence[float]) -> HourlyIntensity:
    profile: list[float | None] = [None] * _DAY_H
    for cells, value in zip(rows, values, strict=True):
        hour = int(cells.values[name])
        if hour >= _DAY_H or profile[hour] is not None:
            raise InputError(f"{cells.path}, row {cells.row}: hour {hour} is repeated or not between 0 and 23.")
        profile[hour] = value
    return HourlyIntensity(None, tuple(profile), rows[0].path.name)


def _intensity(cells: Cells, name: str) -> float:
    value = cells.number(name)
    if value is None or not 0 <= value < _LARGEST_G_PER_KWH:
        raise InputError(
            f"{cells.path}, row {cells.row}: expected an hour and a number of g/kWh, 0 to {_LARGEST_G_PER_KWH:g}, not "
            f"{cells.line!r}."
        )
    return value


def _moment(cells: Cells, name: str) -> datetime:
    text = cells.values[name].strip()
    try:
        start = moment(text)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise InputError(
            f"{cells.path}, row {cells.row}: hour {text[:40]!r} must be a date with a time zone, such as "
            "2026-11-24T13:00Z, or a number from 0 to 23 in all rows."
        )
    return start.astimezone(UTC)
