"""Devices that show the energy of another one, such as dies that mirror the counter of their socket."""

import pandas as pd
import pytest
from foreign_tables import pick
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.foreign import read_foreign
from baler_energy.foreign.rows import Window, duration, energy
from baler_energy.foreign.totals import increments
from baler_energy.vocabulary import Evidence, MeterName

START_S = 1_772_366_400.0


def energies(windows, component):
    made = increments([("file", window) for window in windows])
    return [value for _, one in made for value in one.values if value.component == component]


def devices(*rows, tool="pyjoules", kind="package"):
    """Windows of one run, with the energies (J) of the devices in each."""
    return [
        Window(
            MeterName(tool),
            (
                duration(10.0, "d"),
                *(energy(f"{kind}-{n}", joules, Evidence.MEASURED, "c") for n, joules in enumerate(row)),
                energy("dram-0", 5.0, Evidence.MEASURED, "c"),
            ),
            START_S + 10 * number,
            10.0,
            run="r",
        )
        for number, row in enumerate(rows)
    ]


@given(st.lists(st.floats(10, 1e5), min_size=1, max_size=9), st.integers(2, 5), st.sampled_from(["package", "gpu"]))
def test_devices_that_show_one_counter_count_once(joules, copies, kind):
    rows = devices(*([one] * copies for one in joules), kind=kind)
    assert [value.value for value in energies(rows, f"{kind}-0")] == joules
    for number in range(1, copies):
        assert {value.value for value in energies(rows, f"{kind}-{number}")} == {None}
    reasons = {value.reason.partition(" of ")[0] for value in energies(rows, f"{kind}-1")}
    assert reasons == {"it shows the energy"}
    assert {value.value for value in energies(rows, "dram-0")} == {5.0}


def test_a_counter_that_advances_between_two_readings_is_a_copy():
    rows = devices((68.0, 68.0), (70.0, 70.061), (66.0, 66.0))
    assert [value.value for value in energies(rows, "package-1")] == [None, None, None]


@pytest.mark.parametrize(
    "rows",
    [
        [(68.0, 68.001)],
        [(5.0, 5.0)],
        [(68.0, 68.0), (70.0, 69.0)],
        [(0.05, 0.05), (0.02, 0.02)],
        [(0.0, 0.0), (3.0, 4.0)],
    ],
)
def test_devices_that_are_alike_are_no_copies(rows):
    found = energies(devices(*rows), "package-1")
    assert [value.value for value in found] == [second or None for _, second in rows]
    assert not any("one counter" in str(value.reason) for value in found)


def test_a_copied_counter_is_found_in_a_file(write):
    path = write("pyjoules")
    lines = path.read_text().splitlines()
    place = lines[0].split(";").index("package_0")
    for number, line in enumerate(lines):
        cells = line.split(";")
        lines[number] = ";".join([*cells, "package_1" if number == 0 else cells[place]])
    path.write_text("\n".join(lines) + "\n")
    foreign, findings = read_foreign([path])
    second = foreign[foreign["component"] == "package-1"]
    assert len(second) == 3 and second["value"].isna().all() and not foreign["reason"].isna().all()
    assert findings["sentence"].str.contains("shows the energy of package-0 in 3 of 3 rows: they are one counter").any()
    assert foreign.loc[foreign["component"] == "package-0", "value"].notna().all()


def test_a_sum_of_carbontracker_with_one_counter_twice_is_missing(write):
    path = write("carbontracker")
    text = path.read_text()
    for powers, known in (("[12.345678 12.345678]", False), ("[12.345678 12.345679]", True), ("[12. 12.]", True)):
        path.write_text(text.replace("[20.0 10.0]", powers))
        foreign, _ = read_foreign([path])
        cpu = pick(foreign, "cpu").iloc[1]
        assert pd.notna(cpu["value"]) == known
        assert known or "exactly the same power (12.345678 W)" in cpu["reason"]
