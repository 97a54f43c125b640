"""Running totals and increments of each tool: which was found, and energies that add up to the true sum."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.foreign import read_foreign
from baler_energy.foreign.detect import read_file
from baler_energy.foreign.patterns import containing
from baler_energy.foreign.rows import Window, co2e, duration, energy
from baler_energy.foreign.totals import INCREMENTS, TOTALS, UNDATED, increments
from baler_energy.vocabulary import Evidence, MeterName, Quantity

START_S = 1_772_366_400.0
#: Columns of codecarbon that grow from row to row of a run.
GROWING = ["duration", "emissions", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed"]
TOOLS = st.sampled_from(["codecarbon", "eco2ai", "pyjoules", "zeus", "carbontracker"]).map(MeterName)
STEPS = st.lists(st.tuples(st.floats(5, 900), st.floats(1, 1e5)), min_size=2, max_size=12)


def window(length_s, energy_j, end_s, tool="codecarbon", run="r", **about):
    values = (
        duration(length_s, "d"),
        energy("cpu", energy_j, Evidence.UNKNOWN, "c"),
        energy("gpu", 0.0, Evidence.MEASURED, "g", zero="no GPU"),
        co2e(None if energy_j is None else energy_j * 1e-7, "e"),
    )
    return Window(MeterName(tool), values, end_s - length_s, length_s, run=run, **about)


def made_of(windows):
    return [window for _, window in increments([("file", window) for window in windows])]


def of(windows, component="cpu", quantity=Quantity.ENERGY):
    wanted = (component, quantity)
    return [value for one in windows for value in one.values if (value.component, value.quantity) == wanted]


def total(foreign, component="machine", quantity="energy"):
    return foreign.loc[(foreign["component"] == component) & (foreign["quantity"] == quantity), "value"].sum()


def found(findings):
    return dict(zip(findings["finding"], findings["value"], strict=True))


# Windows


@given(STEPS, TOOLS, st.floats(0, 1))
def test_totals_become_increments_that_add_up(steps, tool, stamp):
    lengths, joules = (np.cumsum(values) for values in zip(*steps, strict=True))
    rows = [window(t, e, np.floor(START_S + t + stamp), tool) for t, e in zip(lengths, joules, strict=True)]
    made = made_of(rows)
    assert {one.sums for one in made} == {TOTALS}
    assert [value.value for value in of(made)] == pytest.approx([e for _, e in steps], rel=1e-6)
    assert [one.duration_s for one in made] == pytest.approx([t for t, _ in steps], rel=1e-6)
    assert sum(value.value for value in of(made, "machine", Quantity.CO2E)) == pytest.approx(joules[-1] * 1e-7)
    edges = [one.edges_s for one in made]
    assert [start for start, _ in edges[1:]] == pytest.approx([end for _, end in edges[:-1]], abs=1.01)
    # A total that is always 0 is a counter that was never read.
    assert {(value.value, value.reason) for value in of(made, "gpu")} == {(None, "no GPU")}


@given(STEPS, TOOLS, st.floats(0, 30))
def test_increments_stay_as_they_are(steps, tool, pause_s):
    lengths = np.array([t for t, _ in steps])
    ends_s = np.floor(START_S + np.cumsum(lengths + pause_s))
    rows = [window(t, 50.0 * t, end, tool) for t, end in zip(lengths, ends_s, strict=True)]
    made = made_of(rows)
    assert {one.sums for one in made} == {INCREMENTS}
    assert [value.value for value in of(made)] == [50.0 * t for t in lengths]


@given(STEPS, st.randoms())
def test_the_order_of_rows_and_other_runs_do_not_matter(steps, order):
    lengths, joules = (np.cumsum(values) for values in zip(*steps, strict=True))
    rows = [window(t, e, START_S + t, run="a") for t, e in zip(lengths, joules, strict=True)]
    other = [window(t, 50.0 * t, START_S + 1000 * n, run="b") for n, (t, _) in enumerate(steps)]
    mixed = rows + other
    order.shuffle(mixed)
    made = made_of(mixed)
    assert [one.run for one in made] == [one.run for one in mixed]
    assert sum(value.value for value in of([one for one in made if one.run == "a"])) == pytest.approx(joules[-1])
    assert {one.sums for one in made if one.run == "a"} == {TOTALS}
    assert {one.sums for one in made if one.run == "b"} == {INCREMENTS}


@given(st.lists(st.floats(1, 500), min_size=2, max_size=6), st.floats(0, 30))
def test_a_tracker_that_is_started_again_goes_on(powers_w, pause_s):
    """The duration is from the last start, but the energy from the first."""
    joules = np.cumsum(np.array(powers_w) * 100)
    rows = [window(100.0, e, START_S + n * (100 + pause_s), adds_up=True) for n, e in enumerate(joules)]
    made = made_of(rows)
    assert [value.value for value in of(made)] == pytest.approx([100 * power for power in powers_w])
    assert [one.duration_s for one in made] == [100] * len(rows)
    assert {one.sums for one in made} == {TOTALS}
    # Of any other tool these are windows that follow each other, so that the energies are those of the windows.
    assert made_of([replace(row, adds_up=False) for row in rows])[1].sums == INCREMENTS


@pytest.mark.parametrize("pause_s", [800, 3500])
def test_a_tracker_that_is_started_again_at_full_hours_goes_on(pause_s):
    rows = [window(100.0, e, START_S + n * (100 + pause_s), adds_up=True) for n, e in enumerate([1000, 1500, 2600])]
    made = made_of(rows)
    assert [value.value for value in of(made)] == [1000, 500, 1100]
    assert [one.duration_s for one in made] == [100, 100, 100]


def test_a_tracker_whose_counter_is_reset_has_the_reason():
    rows = [window(100.0 * n, e, START_S + 100.0 * n, adds_up=True) for n, e in ((1, 500.0), (2, 900.0), (3, 50.0))]
    made = of(made_of(rows))
    assert [value.value for value in made] == [500, 400, None] and "falls from 900 to 50" in made[2].reason


@pytest.mark.parametrize("shift_s", [3600, -3600, 1800, -100, -1000, 40_000])
def test_totals_stay_totals_when_the_hosts_clock_is_put_forward_or_back(shift_s):
    steps = [(3000, 1000.0, 0), (4200, 1400.0, shift_s), (5000, 1700.0, shift_s)]
    made = made_of([window(float(t), e, START_S + t + shift, adds_up=True) for t, e, shift in steps])
    assert [value.value for value in of(made)] == [1000, 400, 300]
    assert [one.duration_s for one in made] == [3000, 1200, 800]
    assert {one.sums for one in made} == {TOTALS}


def test_a_total_that_falls_or_is_missing_gives_no_increment():
    rows = [window(t, e, START_S + t) for t, e in ((10, 5.0), (20, None), (30, 15.0), (40, 1.0), (50, 1.0), (60, 7.0))]
    made = of(made_of(rows))
    assert [value.value for value in made] == [5, None, None, None, None, 6]
    reasons = [value.reason for value in made]
    assert "no such value" in reasons[1] and "row before is missing" in reasons[2]
    assert "falls from 15 to 1" in reasons[3] and "does not rise" in reasons[4]


def test_rows_without_times_are_left_and_said_to_be():
    rows = [replace(window(t, t, START_S), start_s=None) for t in (10.0, 20.0, 30.0)]
    assert {one.sums for one in made_of(rows)} == {UNDATED}
    assert [value.value for value in of(made_of(rows))] == [10, 20, 30]


def test_a_single_row_is_neither():
    assert [one.sums for one in made_of([window(10, 5.0, START_S, run=str(n)) for n in range(3)])] == [None] * 3


def test_a_row_twice_counts_once():
    rows = [window(10, 5.0, START_S), window(10, 7.0, START_S + 30), window(10, 7.0, START_S + 30)]
    assert [value.value for value in of(made_of(rows))] == [5, 7, None]
    assert {one.sums for one in made_of(rows)[:2]} == {INCREMENTS}


def test_windows_in_windows_are_found():
    start = np.array([0.0, 0, 10, 20, 40, 41, np.nan])
    length = np.array([40.0, 10, 10, 20, 5, 1, 3])
    assert containing(start, length).tolist() == [True, False, False, False, False, False, False]
    assert containing(start[::-1], length[::-1]).tolist()[::-1] == containing(start, length).tolist()


@given(STEPS)
def test_windows_that_follow_each_other_contain_none(steps):
    length = np.array([t for t, _ in steps])
    ends = np.cumsum(length)
    assert not containing(np.floor(ends) - length, length).any()
    around = containing(np.append(ends - length, 0.0), np.append(length, ends[-1]))
    assert around.tolist() == [False] * len(length) + [True]


# Files


def flushed(write, count=12, run="run", name="flush.csv", cpu_w=31.0):
    """Write the rows of a codecarbon tracker that was flushed each minute."""
    ends = START_S + 60 * np.arange(1, count + 1)
    power = [cpu_w + (n % 3) for n in range(count)]
    path = write("codecarbon", [60.0] * count, ends=ends.tolist(), cpu_w=power, ram_gb=24.0, name=name)
    table = pd.read_csv(path)
    table[GROWING] = table[GROWING].cumsum()
    table.assign(run_id=run).to_csv(path, index=False)
    return path, 60.0 * sum(power) + 60 * 9.0 * count


def test_flushed_rows_add_up_to_the_last_one(write):
    path, joules = flushed(write)
    foreign, findings = read_foreign([path])
    assert total(foreign) == pytest.approx(joules)
    assert total(foreign, "machine", "duration") == pytest.approx(720)
    assert found(findings)[TOTALS] == 12
    sentence = findings.loc[findings["finding"] == TOTALS, "sentence"].iloc[0]
    assert sentence.startswith("12 rows of codecarbon in 1 run are running totals")
    assert foreign.loc[foreign["component"] == "cpu", "detail"].iloc[-1].endswith("rise of a running total")


@pytest.mark.parametrize(
    "change", [lambda table: table.drop(columns="run_id"), lambda table: table.assign(run_id=None)]
)
def test_totals_of_a_run_without_a_name(write, change):
    path, joules = flushed(write)
    change(pd.read_csv(path)).to_csv(path, index=False)
    foreign, findings = read_foreign([path])
    assert total(foreign) == pytest.approx(joules) and found(findings)[TOTALS] == 12
    path = write("codecarbon", cpu_w=(20.0, 33.0, 41.0))
    expected = total(read_foreign([path])[0])
    change(pd.read_csv(path)).to_csv(path, index=False)
    foreign, findings = read_foreign([path])
    assert total(foreign) == pytest.approx(expected) and found(findings)[INCREMENTS] == 3


def test_a_counter_that_stops_in_a_row_of_totals_leaves_no_sum_in_it(write):
    path, _ = flushed(write)
    table = pd.read_csv(path)
    step = table.loc[5, "cpu_energy"] - table.loc[4, "cpu_energy"]
    table.loc[5:, ["cpu_energy", "energy_consumed"]] -= step
    table.to_csv(path, index=False)
    foreign, _ = read_foreign([path])
    rows = foreign[(foreign["component"] == "machine") & (foreign["quantity"] == "energy")]
    assert rows["value"].isna().tolist() == [n == 5 for n in range(12)]
    assert "a part of it, cpu, is missing: the running total does not rise" in rows["reason"].iloc[5]


def test_two_tools_that_agree_have_a_factor_of_one(write):
    path, joules = flushed(write)
    _, findings = read_foreign([path, write("eco2ai", [60.0] * 12, joules / 720 / 1.1)])
    assert found(findings)["factor"] == pytest.approx(1.0, abs=0.01)
    assert found(findings)[INCREMENTS] == 12


def test_runs_that_are_flushed_in_turn(write):
    parts = [flushed(write, run=run, name=run, cpu_w=watts) for run, watts in (("a", 20.0), ("b", 40.0))]
    table = pd.concat([pd.read_csv(path) for path, _ in parts]).sort_values("timestamp", kind="stable")
    table.to_csv(parts[0][0], index=False)
    foreign, findings = read_foreign([parts[0][0]])
    assert total(foreign) == pytest.approx(parts[0][1] + parts[1][1])
    assert "in 2 runs" in findings.loc[findings["finding"] == TOTALS, "sentence"].iloc[0]
    # Both trackers saw the same machine at the same time.
    assert found(findings)["overlapping"] > 0


def test_tasks_of_a_run_are_increments(write):
    lengths = [10.0, 20.0, 40.0]
    path = write("codecarbon", lengths, ends=(START_S + np.cumsum(lengths)).tolist(), cpu_w=[10.0, 20.0, 40.0])
    table = pd.read_csv(path).assign(run_id="r", task_name=["load", "build", "train"])
    table.to_csv(path, index=False)
    foreign, findings = read_foreign([path])
    assert total(foreign, "cpu") == pytest.approx(100 + 400 + 1600)
    assert TOTALS not in found(findings)


def test_totals_that_a_program_prints_behind_windows_of_zeus(write):
    path = write("zeus_log", [10.0, 20.0, 30.0])
    text = path.read_text().replace("30.0 s and 1500.0 J", "60.0 s and 3000.0 J")
    path.write_text(text.replace("20.0 s and 1000.0 J", "30.0 s and 1500.0 J"))
    foreign, findings = read_foreign([path])
    assert total(foreign, "gpu") == pytest.approx(3000) and found(findings)[TOTALS] == 3


def test_totals_in_tables_of_other_tools(tmp_path):
    joules = tmp_path / "joules.csv"
    rows = [f"{START_S};fit;{10 * n};{500_000 * n}" for n in (1, 2, 3)]
    joules.write_text("\n".join(["timestamp;tag;duration;nvidia_gpu_0", *rows]))
    zeus = tmp_path / "zeus.csv"
    rows = [f"{START_S},epoch,{10.0 * n},{500.0 * n}" for n in (1, 2, 3)]
    zeus.write_text("\n".join(["start_time,window_name,elapsed_time,gpu0_energy", *rows]))
    eco2ai = tmp_path / "eco2ai.csv"
    rows = [f"2026-03-01 12:00:00,{10.0 * n},{n * 1500 / 3.6e6},0.1" for n in (1, 2, 3)]
    eco2ai.write_text("\n".join(["start_time,duration(s),power_consumption(kWh),CO2_emissions(kg)", *rows]))
    foreign, findings = read_foreign([eco2ai])
    assert total(foreign) == pytest.approx(4500) and found(findings)[TOTALS] == 3
    for path in (joules, zeus):
        foreign, findings = read_foreign([path])
        assert total(foreign, "gpu-0") == pytest.approx(1500) and found(findings)[TOTALS] == 3


def test_carbontrackers_consumptions_so_far(tmp_path):
    record = "2026-03-01 12:{:02}:00 - CarbonTracker: \nActual consumption for {} epoch(s):\n\tTime:\t0:{:02}:00\n"
    record += "\tEnergy:\t{} kWh\n\tCO2eq:\t{} g\n"
    path = tmp_path / "output.log"
    path.write_text("".join(record.format(n, n, n, 0.001 * n, n) for n in (2, 4, 9)))
    foreign, findings = read_foreign([path])
    assert total(foreign) == pytest.approx(0.009 * 3.6e6) and found(findings)[TOTALS] == 3
    assert total(foreign, quantity="co2e") == pytest.approx(0.009)


def test_a_window_around_others_is_reported(tmp_path):
    path = tmp_path / "zeus.csv"
    rows = [f"{START_S + 10 * n},epoch,10.0,{500.0 + n}" for n in range(12)]
    rows.append(f"{START_S},training,120.0,6066.0")
    path.write_text("\n".join(["start_time,window_name,elapsed_time,gpu0_energy", *rows]))
    _, findings = read_foreign([path])
    assert found(findings) == {INCREMENTS: 12, "overlapping": 1}


def test_tasks_and_their_run_in_another_file_are_reported(write):
    lengths = [10.0, 20.0, 40.0]
    tasks = write("codecarbon", lengths, ends=(START_S + np.cumsum(lengths)).tolist(), cpu_w=(20.0, 33.0, 41.0))
    pd.read_csv(tasks).assign(run_id="r", task_name=["a", "b", "c"]).to_csv(tasks, index=False)
    whole = write("codecarbon", [70.0], ends=[START_S + 70], cpu_w=35.0, name="emissions.csv")
    _, findings = read_foreign([tasks, whole])
    assert found(findings)["overlapping"] == 1
    assert "overlapping" not in found(read_foreign([tasks])[1])


def test_a_run_in_several_files(write):
    path, joules = flushed(write)
    lines = path.read_text().splitlines(keepends=True)
    parts = [path.with_name(f"{n}.csv") for n in (1, 2)]
    parts[0].write_text("".join(lines[:6]))
    parts[1].write_text("".join([lines[0], *lines[6:]]))
    for order in (parts, parts[::-1]):
        foreign, findings = read_foreign(order)
        assert total(foreign) == pytest.approx(joules)
        assert (findings["finding"] == TOTALS).sum() == 2


@pytest.mark.parametrize("kind", ["codecarbon", "eco2ai", "pyjoules", "pyjoules_log", "zeus_log", "zeus_csv"])
def test_a_copy_counts_once(kind, write):
    path = write(kind, name="a")
    copy = path.with_name("b")
    expected, _ = read_foreign([path])
    copy.write_text(path.read_text())
    foreign, findings = read_foreign([path, copy])
    energy = foreign[foreign["quantity"] == "energy"]
    assert energy["value"].sum() == pytest.approx(expected.loc[expected["quantity"] == "energy", "value"].sum())
    assert energy.loc[energy["file"] == "b", "reason"].str.startswith("a copy of a row in a, at the same time").all()
    assert findings["sentence"].str.contains("a copy of a row in a").any()
    assert "overlapping" not in found(findings)


def test_a_row_that_was_copied_counts_once(write):
    path = write("codecarbon", cpu_w=(20.0, 33.0, 41.0))
    joules = total(read_foreign([path])[0])
    path.write_text(path.read_text() + path.read_text().splitlines()[2] + "\n")
    assert total(read_foreign([path])[0]) == pytest.approx(joules)


def test_real_rows_of_flush_and_of_another_tool(shared):
    paths = [shared("faults/cc_flush12.csv"), shared("faults/eco2ai_12.csv")]
    foreign, findings = read_foreign(paths)
    mine = foreign[foreign["meter"] == "codecarbon"]
    assert total(mine) == pytest.approx(25_920, rel=1e-3)
    assert found(findings)["factor"] == pytest.approx(1.0, abs=0.01)


def test_published_rows_are_increments(published):
    windows = increments([(path.name, one) for path in published for one in read_file(path)])
    assert {one.sums for _, one in windows} == {INCREMENTS, None}
    assert not any("copy" in str(value.reason) for _, one in windows for value in one.values)
