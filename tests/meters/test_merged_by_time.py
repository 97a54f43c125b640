"""Data merged with a window by time: powermetrics' samples and a wattmeter's log."""

import plistlib
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.errors import InputError
from baler_energy.meters.powermetrics import PowermetricsMeter, overlap_energy_j, parse_slices
from baler_energy.meters.wattmeter import read_log, wattmeter_readings
from baler_energy.records import Idle
from baler_energy.vocabulary import Quantity

START = datetime(2026, 11, 24, 13, tzinfo=UTC)


def plist(length_s: float, **powers_mw: float) -> bytes:
    return plistlib.dumps({"elapsed_ns": int(length_s * 1e9), "processor": powers_mw, "hw_model": "Mac14,2"})


@given(st.lists(st.integers(1, 400), max_size=12))
def test_powermetrics_lists_are_separated_however_they_arrive(cuts):
    whole = b"\0\n".join(plist(0.5, cpu_power=1000.0 * n, gpu_power=50.0, ane_power=0.0) for n in (1, 2, 3))
    chunks, place = [], 0
    for cut in cuts:
        chunks.append(whole[place : place + cut])
        place += cut
    found = list(parse_slices([*chunks, whole[place:]]))
    assert [powers["cpu"] for _, powers in found] == [1.0, 2.0, 3.0]
    assert [length_s for length_s, _ in found] == pytest.approx([0.5] * 3)
    assert found[0][1] == {"cpu": 1.0, "gpu": 0.05, "rail-ane": 0.0}


@pytest.mark.parametrize("text", [b"no list", b"<plist><dict></dict></plist>", plistlib.dumps({"elapsed_ns": 5})])
def test_an_invalid_sample_of_powermetrics_is_reported(text):
    with pytest.raises(ValueError, match="an invalid sample"):
        list(parse_slices([text]))


slices = st.lists(st.tuples(st.floats(0.05, 2), st.floats(0, 100)), min_size=2, max_size=20)


@given(slices, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_overlap_of_slices_is_additive_and_bounded(made, first, second, third):
    ends_s = np.cumsum([length_s for length_s, _ in made])
    merged = [(end_s, length_s, {"cpu": power_w}) for end_s, (length_s, power_w) in zip(ends_s, made, strict=True)]
    begin_s, middle_s, end_s = sorted(fraction * ends_s[-1] for fraction in (first, second, third))
    whole_j = overlap_energy_j(merged, "cpu", begin_s, end_s)
    parts_j = overlap_energy_j(merged, "cpu", begin_s, middle_s) + overlap_energy_j(merged, "cpu", middle_s, end_s)
    assert whole_j == pytest.approx(parts_j, rel=1e-6, abs=1e-6)
    powers_w = [power_w for _, power_w in made]
    length_s = end_s - begin_s
    assert min(powers_w) * length_s - 1e-6 <= whole_j <= max(powers_w) * length_s + 1e-6


def test_a_window_that_the_slices_do_not_cover_has_no_energy():
    merged = [(1.0, 1.0, {"cpu": 5.0}), (3.0, 1.0, {"cpu": 5.0})]
    with pytest.raises(ValueError, match=r"cover 2\.00 s of a window of 3\.00 s"):
        overlap_energy_j(merged, "cpu", 0.0, 3.0)
    for power_w in (-1.0, 4_294_967.3, float("nan")):
        with pytest.raises(ValueError, match="a sample has"):
            overlap_energy_j([*merged, (2.0, 1.0, {"cpu": power_w})], "cpu", 0.0, 3.0)
    with pytest.raises(ValueError, match="lacks the power of gpu"):
        overlap_energy_j(merged, "gpu", 0.0, 1.0)


def test_powermetrics_only_exists_on_apple_silicon(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    (channel,) = PowermetricsMeter().channels()
    assert channel.evidence is None
    assert "macOS" in channel.detail


#: Writes a property list every 0.2 s, with the actual elapsed time.
REPLAY = """
import plistlib, sys, time
before = time.monotonic()
while True:
    time.sleep(0.2)
    now = time.monotonic()
    powers_mw = {"cpu_power": 2000.0, "gpu_power": 500.0, "ane_power": 0.0}
    slice = {"elapsed_ns": int((now - before) * 1e9), "processor": powers_mw, "hw_model": "Mac14,2"}
    sys.stdout.buffer.write(plistlib.dumps(slice) + b"\\0")
    sys.stdout.buffer.flush()
    before = now
"""


def test_powermetrics_replaced_by_a_program_with_similar_output(monkeypatch):
    monkeypatch.setattr("baler_energy.meters.powermetrics._COMMAND", (sys.executable, "-c", REPLAY))
    meter = PowermetricsMeter()
    meter.open()
    meter.begin()
    begin_s = meter._begin_s
    while meter._slices[-1][0] < begin_s + 1.0:
        time.sleep(0.01)
    meter.end()
    readings = {reading.component: reading for reading in meter.readings()}
    samples = meter.samples()
    meter.close()
    length_s = meter._end_s - begin_s
    assert readings["cpu"].value == pytest.approx(2.0 * length_s, rel=0.01)
    assert readings["gpu"].value == pytest.approx(0.5 * length_s, rel=0.01)
    assert {str(reading.evidence) for reading in readings.values()} == {"modelled"}
    assert {sample.component for sample in samples} == {"cpu", "gpu", "rail-ane"}


def log(folder: Path, rows: list[tuple[str | float, float | str]], head: str = "time,power_w") -> Path:
    path = folder / "watts.csv"
    path.write_text("\n".join([head, *(f"{time},{power}" for time, power in rows)]) + "\n")
    return path


def seconds(count: int, watts, first: int = 0) -> list[tuple[str, float]]:
    return [((START + timedelta(seconds=n)).isoformat(), watts(n)) for n in range(first, first + count)]


def energy_of(path: Path, begin_s: float, length_s: float, idle: Idle | None = None, **options):
    read = read_log(path, **options)
    readings = wattmeter_readings(read, START + timedelta(seconds=begin_s), length_s, idle)
    return {reading.quantity: reading for reading in readings}


def test_a_log_is_merged_with_the_window_by_time(tmp_path):
    path = log(tmp_path, seconds(60, lambda n: 20.0 if n < 20 else 100.0))
    idle = Idle(start=START + timedelta(seconds=2), duration_s=10, shared=False, readings=())
    found = energy_of(path, 30.5, 10.0, idle)
    assert found[Quantity.ENERGY].value == pytest.approx(1000.0)
    assert found[Quantity.POWER_MEAN].value == pytest.approx(100.0)
    assert found[Quantity.POWER_MAX].value == 100.0
    assert found[Quantity.DYNAMIC_ENERGY].value == pytest.approx(800.0)
    assert found[Quantity.ENERGY].bound == pytest.approx(0.0)
    assert found[Quantity.ENERGY].component == "node"


def test_unix_times_other_names_and_an_offset_of_the_clock(tmp_path):
    start_s = START.timestamp()
    path = log(tmp_path, [(start_s + n, 10.0 * n) for n in range(20)], head="Timestamp,W")
    assert energy_of(path, 5.0, 2.0)[Quantity.ENERGY].value == pytest.approx(120.0)
    assert energy_of(path, 5.0, 2.0, clock_offset_s=-3.0)[Quantity.ENERGY].value == pytest.approx(180.0)


def test_an_interrupted_run_is_not_merged(tmp_path):
    read = read_log(log(tmp_path, seconds(60, lambda n: 20.0)))
    readings = wattmeter_readings(read, None, 10.0, None)
    assert {reading.value for reading in readings} == {None}
    assert all("not merged with a run that was interrupted" in reading.reason for reading in readings)


@pytest.mark.parametrize(("begin_s", "length_s"), [(-1, 5), (58, 5), (100, 5)])
def test_a_window_beyond_the_log_has_no_energy_and_the_reason(tmp_path, begin_s, length_s):
    found = energy_of(log(tmp_path, seconds(60, lambda n: 20.0)), begin_s, length_s)
    assert found[Quantity.ENERGY].value is None
    assert "does not cover the window" in found[Quantity.ENERGY].reason


def test_a_clock_that_has_never_been_set_is_corrected_and_one_that_is_far_off_gives_the_reason(tmp_path):
    path = log(tmp_path, [(1.0 + n, 20.0) for n in range(60)])
    offset_s = START.timestamp() - 1.0
    assert energy_of(path, 5, 5, clock_offset_s=offset_s)[Quantity.ENERGY].value == pytest.approx(100.0)
    for far_s in (-4e9, 4e9):
        assert "does not cover the window" in energy_of(path, 5, 5, clock_offset_s=far_s)[Quantity.ENERGY].reason


def test_a_gap_in_the_log_is_not_bridged(tmp_path):
    rows = seconds(10, lambda n: 20.0) + seconds(10, lambda n: 20.0, first=30)
    found = energy_of(log(tmp_path, rows), 5, 30)
    assert "gap of 21 s" in found[Quantity.ENERGY].reason
    assert energy_of(log(tmp_path, rows), 31, 5)[Quantity.ENERGY].value == pytest.approx(100.0)


@pytest.mark.parametrize("power_w", [0.0, 42_949_672.95, 20_001.0])
def test_a_wattmeter_that_lies_for_a_while_has_no_energy(tmp_path, power_w):
    """A mean over the window would be plausible."""
    path = log(tmp_path, seconds(6000, lambda n: power_w if n == 30 else 20.0))
    found = energy_of(path, 10, 5900)
    for quantity in (Quantity.ENERGY, Quantity.DYNAMIC_ENERGY):
        assert found[quantity].value is None
        assert f"it has {power_w:g} W at 2026-11-24 13:00:30 UTC" in found[quantity].reason
    assert energy_of(path, 40, 10)[Quantity.ENERGY].value == pytest.approx(200.0)
    idle = Idle(start=START + timedelta(seconds=25), duration_s=10, shared=False, readings=())
    assert "no idle power" in energy_of(path, 40, 10, idle)[Quantity.DYNAMIC_ENERGY].reason


def test_without_a_baseline_in_the_log_there_is_no_dynamic_energy(tmp_path):
    path = log(tmp_path, seconds(60, lambda n: 20.0))
    assert "no idle baseline" in energy_of(path, 5, 5)[Quantity.DYNAMIC_ENERGY].reason
    early = Idle(start=START - timedelta(seconds=60), duration_s=10, shared=False, readings=())
    assert "does not cover" in energy_of(path, 5, 5, early)[Quantity.DYNAMIC_ENERGY].reason


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        ([], "time,power_w", "fewer than two readings"),
        ([(1.0, 5.0), (2.0, 5.0)], "when,much", "must name the columns"),
        ([("2026-11-24T13:00:00", 5.0)], "time,power_w", "row 2: expected a time with its time zone"),
        ([(1.0, 5.0), (1.0, 5.0)], "time,power_w", "row 3: its time is not later than the previous one"),
        ([(1.0, -5.0)], "time,power_w", "row 2"),
        ([(1.0, "nan")], "time,power_w", "row 2"),
        ([("noon", 5.0)], "time,power_w", "row 2"),
        ([("2026-11-24T13:00:00Z", "182,4")], "time,power_w", "row 2: has 3 cells where the header has 2"),
        ([("2026-11-24T13:00:00Z", "182,4")], "time,power_w,", "row 2: has a cell in a column without a name"),
        ([("2026-11-24T13:00:00Z", '"182,4"')], "time,power_w", "row 2: power_w is '182,4', not a number"),
        ([("2026-11-24T13:00:00Z", 5.0), ("2026-11-24T13:00:01Z", "")], "time,power_w", "row 3: expected a time"),
        ([(1.0, 5.0)], "time,power_kw", "must name the columns, one of them 'power_w', not 'time,power_kw'"),
        ([(1.0, 5.0)], "time;power_w", "must name the columns, one of them 'time'"),
        ([(2.0, 5.0)], "1.0,5.0", "must name the columns"),
        ([("1.0,5.0", 5.0)], "time,power_w,Power (W)", "column 'power_w' occurs more than once"),
        ([("1.0,5.0", 5.0)], "time,power_w,power_w", "column 'power_w' occurs more than once"),
        ([("13:00:00,5.0", 5.0)], "date,time,power_w", "column 'time' occurs more than once"),
        ([("1e999", 5.0)], "time,power_w", "row 2: expected a time"),
        ([("1e30", 5.0)], "time,power_w", "row 2: expected a time"),
    ],
)
def test_an_invalid_log_is_reported_with_its_row(tmp_path, rows, head, message):
    with pytest.raises(InputError, match=message):
        read_log(log(tmp_path, rows, head))


@pytest.mark.parametrize("unit_s", [1, 1e-3, 1e-6, 1e-9])
def test_times_in_any_unit(tmp_path, unit_s):
    start_s = START.timestamp()
    path = log(tmp_path, [(round((start_s + n) / unit_s), 10.0 * n) for n in range(20)], head="timestamp,power")
    assert energy_of(path, 5.0, 2.0)[Quantity.ENERGY].value == pytest.approx(120.0)


@pytest.mark.parametrize("head", ["Time,Power (W)", "datetime,power [W]", "Timestamp,Watts"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_and_units_in_the_header(tmp_path, head, encoding):
    path = log(tmp_path, seconds(60, lambda n: 20.0), head)
    path.write_text(path.read_text(), encoding=encoding)
    assert energy_of(path, 5, 5)[Quantity.ENERGY].value == pytest.approx(100.0)


def test_a_window_that_is_not_covered_shows_what_is(tmp_path):
    found = energy_of(log(tmp_path, [(1.0, 5.0), (3600.0, 5.0)]), 0, 5)  # seconds since the start of the log
    assert found[Quantity.ENERGY].value is None
    assert found[Quantity.ENERGY].reason.endswith("13:00:00 UTC, only 1970-01-01 00:00:01 to 1970-01-01 01:00:00")


def test_a_mutated_log_is_read_or_refused_in_one_message(tmp_path, mutations):
    path, read = log(tmp_path, seconds(30, lambda n: 20.0 + n)), 0
    for content in mutations(path.read_bytes()):
        path.write_bytes(content)
        try:
            made = read_log(path)
        except InputError as error:
            assert str(error).startswith(str(path)) and "is truncated" not in str(error) and len(str(error)) < 1000
        else:
            read += 1
            assert len(made.times_s) >= 2 and (np.diff(made.times_s) > 0).all() and (made.powers_w >= 0).all()
            assert np.isfinite(made.times_s).all()
            wattmeter_readings(made, START + timedelta(seconds=3), 5.0, None)
    assert read


def test_real_logs_that_went_wrong(shared):
    with pytest.raises(InputError, match="row 2: has 3 cells"):
        read_log(shared("faults/watts_decimal_comma.csv"))
    assert read_log(shared("faults/watts_bom.csv")).powers_w.tolist() == [182.4, 181.9]
    assert np.diff(read_log(shared("faults/watts_ms.csv")).times_s).tolist() == [1, 1]


def test_a_missing_log_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_log(tmp_path / "none.csv")
