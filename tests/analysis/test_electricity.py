"""The electricity of a study: a country, a value, a time series, or unknown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.electricity import Electricity, HourlyIntensity, electricity_rows, read_intensity_csv
from baler_energy.errors import InputError

START = datetime(2026, 3, 1, tzinfo=UTC)
offsets_s = st.floats(0, 20 * 3600)


def series(values: list[float]) -> HourlyIntensity:
    return HourlyIntensity(tuple(START + timedelta(hours=n) for n in range(len(values))), tuple(values), "x.csv")


def write(folder: Path, text: str) -> Path:
    path = folder / "hours.csv"
    path.write_text(text)
    return path


@given(st.floats(0, 1000), offsets_s, st.floats(0, 4 * 3600))
def test_a_constant_series_is_its_value(value, offset_s, duration_s):
    for hours in (series([value] * 24), HourlyIntensity(None, (value,) * 24, "profile")):
        mean = hours.mean_g_per_kwh(START + timedelta(seconds=offset_s), duration_s)
        assert mean == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0, 1000), min_size=24, max_size=24), offsets_s, st.floats(1, 3600), st.floats(1, 3600))
def test_the_mean_is_additive_over_a_windows_parts_and_within_the_values(values, offset_s, first_s, second_s):
    hours, start = series(values), START + timedelta(seconds=offset_s)
    whole = hours.mean_g_per_kwh(start, first_s + second_s)
    first = hours.mean_g_per_kwh(start, first_s)
    second = hours.mean_g_per_kwh(start + timedelta(seconds=first_s), second_s)
    assert whole * (first_s + second_s) == pytest.approx(first * first_s + second * second_s, rel=1e-5, abs=1e-2)
    assert min(values) - 1e-6 <= whole <= max(values) + 1e-6


def test_a_window_across_the_hour_is_weighted_by_time():
    hours = series([100.0, 400.0])
    assert hours.mean_g_per_kwh(START + timedelta(minutes=45), 3600) == pytest.approx(0.25 * 100 + 0.75 * 400)
    assert hours.mean_g_per_kwh(START + timedelta(minutes=30), 0.0) == 100.0


@pytest.mark.parametrize(("begin_h", "duration_h"), [(-1, 0.5), (-0.1, 0.2), (1.9, 0.2), (5, 0.1)])
def test_a_window_that_the_series_does_not_cover_has_no_value(begin_h, duration_h):
    start = START + timedelta(hours=begin_h)
    hours = series([100.0, 400.0])
    assert hours.mean_g_per_kwh(start, duration_h * 3600) is None
    electricity = Electricity(1.0, hours=hours)
    assert electricity.co2e_kg(3.6e6, start, duration_h * 3600) is None
    assert "x.csv does not cover the window" in electricity.reason(start, duration_h * 3600)


def test_a_gap_in_the_series_is_not_bridged():
    hours = HourlyIntensity((START, START + timedelta(hours=10)), (100.0, 200.0), "x.csv")
    assert hours.mean_g_per_kwh(START + timedelta(hours=2), 600) == 100.0
    assert hours.mean_g_per_kwh(START + timedelta(hours=5), 600) is None


def test_an_interrupted_run_has_no_hours():
    electricity = Electricity(1.0, hours=series([100.0] * 24))
    assert electricity.co2e_kg(3.6e6, START, 60.0) == pytest.approx(0.1)
    assert electricity.co2e_kg(3.6e6, None, 60.0) is None
    assert "x.csv is not merged with a run that was interrupted" in electricity.reason(None, 60.0)
    assert Electricity(1.0, value_g_per_kwh=100.0).co2e_kg(3.6e6, None, 60.0) == pytest.approx(0.1)


def test_pue_and_intensity_give_the_co2e():
    electricity = Electricity.of(country=None, value=100.0, csv=None, pue=1.5)
    assert electricity.co2e_kg(3.6e6, START, 1.0) == pytest.approx(0.15)
    assert electricity.co2e_kg(None, START, 1.0) is None
    assert Electricity.of(country="CHE", value=None, csv=None, pue=1.0).value_g_per_kwh == pytest.approx(34.8, abs=0.1)


def test_without_an_intensity_there_is_energy_only_and_the_reason():
    electricity = Electricity.of(country=None, value=None, csv=None, pue=1.0)
    assert electricity.co2e_kg(3.6e6, START, 1.0) is None
    assert "sets no carbon intensity" in electricity.reason(START, 1.0)
    assert not any(row["used"] for row in electricity_rows(electricity))


def test_two_intensities_are_refused():
    with pytest.raises(InputError, match="set only one of"):
        Electricity.of(country="CHE", value=3.0, csv=None, pue=1.0)


def test_a_series_with_dates_and_a_profile_are_read(tmp_path):
    dated = read_intensity_csv(write(tmp_path, "hour,g_per_kwh\n2026-03-01T00:00Z,50\n2026-03-01T02:00+01:00,70.5\n"))
    assert dated.starts == (START, START + timedelta(hours=1))
    assert dated.values_g_per_kwh == (50.0, 70.5)
    profile = read_intensity_csv(write(tmp_path, "hour,g\n5,50\n4,40\n"))
    assert profile.mean_g_per_kwh(START + timedelta(hours=4.5), 3600) == pytest.approx(45)
    assert profile.mean_g_per_kwh(START, 60) is None
    rows = electricity_rows(Electricity(1.0, hours=profile))
    assert [(r["hour_of_day"], r["carbon_intensity_g_per_kwh"]) for r in rows if r["used"]][4:6] == [(4, 40.0), (5, 50)]


def test_a_series_that_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("baler_energy.analysis.electricity._MOST_ROWS", 1)
    with pytest.raises(InputError, match="has more than 1 rows"):
        read_intensity_csv(write(tmp_path, "hour,g\n5,50\n4,40\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no hours"),
        ("hour,g\n", "contains no hours"),
        ("hour,g\n1,-5\n", "row 2: expected an hour and a number"),
        ("hour,g\n1\n", "row 2"),
        ("hour,g\n1,nan\n", "row 2"),
        ("hour,g\n24,5\n", "row 2: hour 24 is repeated or not between 0 and 23"),
        ("hour,g\n3,5\n3,6\n", "row 3: hour 3 is repeated"),
        ("hour,g\n2026-03-01T00:00,5\n", "row 2: hour '2026-03-01T00:00' must be a date with a time zone"),
        ("hour,g\nnoon,5\n", "row 2"),
        ("hour,g\n2026-03-01T01:00Z,5\n2026-03-01T00:00Z,5\n", "row 3: hour .* is not later than the previous one"),
        ("hour,g_per_kwh\n2026-03-01T00:00Z,41,5\n", "row 2: has 3 cells where the header has 2"),
        ("hour,g_per_kwh,\n2026-03-01T00:00Z,41,5\n", "row 2: has a cell in a column without a name"),
        ('hour,g_per_kwh\n2026-03-01T00:00Z,"41,5"\n', "row 2: g_per_kwh is '41,5', not a number"),
        ("hour,g_per_kwh\n0,41,5\n", "row 2: has 3 cells"),
        ("2026-03-01T00:00Z,41\n2026-03-01T01:00Z,42\n", "first line must name the columns"),
        ("0,100\n1,101\n", "first line must name the columns"),
        ("hour,kg_per_kwh\n0,1\n", "one of them 'g_per_kwh', not 'hour,kg_per_kwh'"),
        ("hour,g_per_mwh\n0,1\n", "one of them 'g_per_kwh'"),
        ("hour,intensity\n0,1\n", "one of them 'g_per_kwh'"),
        ("hour;g_per_kwh\n0;1,5\n", "first line must name the columns"),
        ("hour,g_per_kwh,gCO2/kWh\n0,1,2\n", "column 'g_per_kwh' occurs more than once"),
        ("hour,g\n1764000000000,5\n", "row 2: hour '1764000000000' must be a date"),
        ("hour,g\n\u00b2,5\n", "row 2: hour '\u00b2' must be a date"),
        ("hour,g\n9999-12-31T23:30Z,5\n", "row 2: hour"),
    ],
)
def test_an_invalid_time_series_is_reported_with_its_row(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_intensity_csv(write(tmp_path, text))


@pytest.mark.parametrize("name", ["g/kWh", "gCO2/kWh", "gCO2eq per kWh", "Carbon intensity (gCO\u2082e/kWh)"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spellings_of_the_unit_and_byte_order_marks(tmp_path, name, encoding):
    path = tmp_path / "hours.csv"
    path.write_text(f"Datetime (UTC),Zone,{name}\r\n2026-03-01T00:00Z,CH,50\r\n", encoding=encoding)
    assert read_intensity_csv(path).values_g_per_kwh == (50.0,)


@pytest.mark.parametrize("hours", [[f"2026-03-01T{n:02}:00Z" for n in range(24)], range(24)])
def test_a_mutated_series_is_read_or_refused_in_one_message(tmp_path, mutations, hours):
    rows = [f"{hour},{40 + n}.5" for n, hour in enumerate(hours)]
    path, read = write(tmp_path, "\n".join(["hour,g_per_kwh", *rows])), 0
    for content in mutations(path.read_bytes()):
        path.write_bytes(content)
        try:
            made = read_intensity_csv(path)
        except InputError as error:
            assert str(error).startswith(str(path)) and "is truncated" not in str(error) and len(str(error)) < 1000
        else:
            read += 1
            assert all(value is None or 0 <= value < float("inf") for value in made.values_g_per_kwh)
            made.mean_g_per_kwh(START, 90_000.0)
    assert read


def test_real_series_that_went_wrong(shared):
    with pytest.raises(InputError, match="row 2: has 3 cells"):
        read_intensity_csv(shared("faults/intensity_decimal_comma.csv"))
    for name in ("intensity_noheader", "intensity_profile_noheader"):
        with pytest.raises(InputError, match="first line must name the columns"):
            read_intensity_csv(shared(f"faults/{name}.csv"))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_intensity_csv(tmp_path / "none.csv")
