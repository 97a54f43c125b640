"""RAPL domains that are dropped, copied, dead or beyond their limits: a sum is right, or absent with the reason."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.totals import relevant_flags, total
from baler_energy.meters.counters import CopyWatch
from baler_energy.meters.powercap import find_domains
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.session import Session, SessionSettings
from baler_energy.vocabulary import Evidence, Flag, Quantity

FIRST, SECOND = "intel-rapl:0", "intel-rapl:1"
FIRST_DRAM, SECOND_DRAM = f"{FIRST}/{FIRST}:0", f"{SECOND}/{SECOND}:0"
RANGE_UJ = 262_143_328_850  # Intel's, which no window here wraps
STEPS_UJ = {FIRST: 60_000_000, SECOND: 40_000_000, FIRST_DRAM: 6_000_000, SECOND_DRAM: 4_000_000}


@pytest.fixture
def pair(machine):
    """Return a machine of two packages with DRAM."""
    for number, (folder, name) in enumerate(zip(STEPS_UJ, ("package-0", "package-1", "dram", "dram"), strict=True)):
        machine.add(folder, name, start_uj=7_000_000 * number, max_uj=RANGE_UJ)
    return machine


def wait_for_the_first_poll(meter):
    limit_s = time.monotonic() + 600
    while meter._counters and not meter._polled:
        assert time.monotonic() < limit_s, "the meter does not poll"
        time.sleep(0.001)


def window(machine, steps_uj, *, cpus=None, limit_w=5000.0):
    """Measure a window in which the counters advance by these steps; return the energies by component, and the meter.

    The meter reads at the edges only: its thread reads once when it starts.
    """
    meter = RaplMeter(sample_interval_s=10.0, root=machine.root, cpus=cpus, limit_w=limit_w)
    meter.open()
    wait_for_the_first_poll(meter)
    meter.begin()
    time.sleep(0.05)
    machine.advance(steps_uj)
    meter.end()
    readings = {reading.component: reading for reading in meter.readings() if reading.quantity is Quantity.ENERGY}
    meter.close()
    return readings, meter


def test_two_packages_and_their_memory_are_added(pair):
    readings, _ = window(pair, STEPS_UJ)
    assert (readings["cpu"].value, readings["dram"].value) == (pytest.approx(100.0), pytest.approx(10.0))


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("name", "package-0\n", f"the same name: {FIRST}, {SECOND}"),
        ("name", "socket-1\n", "unknown name 'socket-1'"),
        ("name", "\n", "unknown name ''"),
        ("name", None, "unknown name ''"),
        ("max_energy_range_uj", "", "max_energy_range_uj is ''"),
        ("max_energy_range_uj", "0\n", "max_energy_range_uj is '0'"),
        ("max_energy_range_uj", "-1\n", "max_energy_range_uj is '-1'"),
        ("max_energy_range_uj", "many\n", "max_energy_range_uj is 'many'"),
        ("max_energy_range_uj", None, "max_energy_range_uj is ''"),
    ],
)
def test_a_socket_that_cannot_be_added_leaves_no_sum(pair, file, text, words):
    path = pair.root / SECOND / file
    path.unlink() if text is None else path.write_text(text)
    readings, meter = window(pair, STEPS_UJ)
    assert readings["cpu"].value is None
    assert words in readings["cpu"].reason
    assert meter.flags() == set(), "nothing failed in the window"
    assert "cpu" not in {sample.component for sample in meter.samples()}


@pytest.mark.parametrize("name", ["dram", "hbm", None])
def test_memory_of_one_socket_is_not_that_of_both(pair, name):
    """One package has its DRAM counter twice, under an unknown name, or not at all."""
    folder = pair.root / SECOND_DRAM
    if name is None:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        del pair.counters[SECOND_DRAM]
    elif name == "dram":
        pair.add(f"{SECOND}/{SECOND}:1", "dram")
    else:
        (folder / "name").write_text(name)
    readings, _ = window(pair, {folder: STEPS_UJ[folder] for folder in STEPS_UJ if folder in pair.counters})
    assert readings["cpu"].value == pytest.approx(100.0)
    assert readings["dram"].value is None
    assert SECOND in readings["dram"].reason


@pytest.mark.parametrize("second", ["psys", "psys-1"])
def test_two_counters_of_the_platform_leave_none_but_do_not_touch_the_sums(pair, second):
    for number, name in ((2, "psys"), (3, second)):
        pair.add(f"intel-rapl:{number}", name, max_uj=RANGE_UJ)
    readings, _ = window(pair, STEPS_UJ)
    assert readings["psys"].value is None and "intel-rapl:2, intel-rapl:3" in readings["psys"].reason
    assert readings["cpu"].value == pytest.approx(100.0)


def test_the_platform_alone_is_no_cpu(machine):
    machine.add(FIRST, "psys", max_uj=RANGE_UJ)
    readings, _ = window(machine, {FIRST: 50_000_000})
    assert readings["psys"].value == pytest.approx(50.0)
    assert readings["cpu"].value is None and "no RAPL counter of a package" in readings["cpu"].reason


@pytest.mark.parametrize("packages", [("0", "0", "1", "1"), ("0", "0", "1", "2")])
def test_a_socket_without_any_counter_leaves_no_sum(pair, tmp_path, packages):
    for cpu, package in enumerate(packages):
        topology = tmp_path / "cpus" / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(package)
        (topology / "die_id").write_text("0")
    readings, _ = window(pair, STEPS_UJ, cpus=tmp_path / "cpus")
    if "2" in packages:
        assert readings["cpu"].value is None and "package 2" in readings["cpu"].reason
        assert readings["dram"].value is None
    else:
        assert readings["cpu"].value == pytest.approx(100.0)


@pytest.mark.parametrize("apart_uj", [0, 40_000])
def test_dies_that_mirror_the_counter_of_their_socket_are_not_added(machine, apart_uj):
    """Equal counts at equal times, up to what is used between two reads."""
    for die in (0, 1):
        start_uj = 123_000_000 + die * apart_uj
        machine.add(f"intel-rapl:{die}", f"package-0-die-{die}", start_uj=start_uj, max_uj=RANGE_UJ)
    readings, meter = window(machine, {FIRST: 68_000_000, SECOND: 68_000_000})
    assert readings["package-0-die-0"].value == pytest.approx(68.0)
    for component in ("package-0-die-1", "cpu"):
        assert readings[component].value is None
        assert "the counts of package-0-die-0" in readings[component].reason
    assert meter.flags() == set()


def test_dies_that_start_alike_but_use_different_energies_are_added(machine):
    for die in (0, 1):
        machine.add(f"intel-rapl:{die}", f"package-0-die-{die}", max_uj=RANGE_UJ)
    readings, _ = window(machine, {FIRST: 2_000_000, SECOND: 3_000_000})
    assert readings["cpu"].value == pytest.approx(5.0)


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=20), st.integers(0, 10**6), st.data())
def test_a_copy_is_found_whatever_its_original_uses(steps_uj, between_uj, data):
    total_uj, watch = 0, CopyWatch({"a": 0, "b": 0, "c": 0})
    watch.update({"a": 0, "b": 0, "c": 10**9}, between_uj)
    for step_uj in steps_uj:
        total_uj += step_uj
        late_uj = data.draw(st.integers(0, between_uj))
        watch.update({"a": total_uj, "b": total_uj + late_uj, "c": 10**9 + total_uj}, between_uj)
    found = watch.copies({"a": total_uj, "b": total_uj, "c": total_uj})
    assert found == ({"b": "a"} if total_uj else {}), "a counter with other counts is no copy"


@given(st.integers(0, 10**8), st.integers(10**6, 10**8), st.integers(10**6, 10**8))
def test_a_counter_with_other_counts_or_another_energy_is_no_copy(start_uj, first_uj, second_uj):
    watch = CopyWatch({"a": 0, "b": 0})
    watch.update({"a": start_uj, "b": start_uj}, 0)
    watch.update({"a": start_uj + first_uj, "b": start_uj + second_uj}, 0)
    alike = abs(first_uj - second_uj) <= 0.01 * first_uj
    assert bool(watch.copies({"a": first_uj, "b": second_uj})) <= alike


TDP = {"constraint_0_name": "long_term", "constraint_0_power_limit_uw": "65000000"}


@pytest.mark.parametrize(
    ("files", "limit_w"),
    [
        ({}, None),
        (TDP, 260.0),
        (TDP | {"constraint_1_power_limit_uw": "253000000"}, 1012.0),
        (TDP | {"constraint_1_power_limit_uw": "4095875000"}, 260.0),  # "no limit"
        ({"constraint_0_power_limit_uw": "0", "constraint_0_max_power_uw": "65000000"}, 260.0),
        # A processor of 6 W whose units are misread, or whose limit is a thousand times its TDP.
        ({"constraint_0_power_limit_uw": "6000000000"}, None),
        ({"constraint_0_power_limit_uw": "6000000000", "constraint_0_max_power_uw": "6000000"}, 100.0),
        ({"constraint_0_power_limit_uw": "", "constraint_0_max_power_uw": "garbage"}, None),
    ],
)
def test_the_limit_of_a_domain_is_its_own_if_it_is_credible(pair, files, limit_w):
    for name, text in files.items():
        (pair.root / FIRST / name).write_text(text + "\n")
    assert {domain.component: domain.limit_w for domain in find_domains(pair.root)} == {
        "package-0": limit_w, "dram-0": None, "package-1": None, "dram-1": None,
    }  # fmt: skip


@pytest.mark.parametrize("limit_uw", ["6000000", "6000000000"])
def test_a_jump_beyond_a_domains_limit_is_a_fault(pair, limit_uw):
    """450 J in a moment are below 5 kW for a tenth of a second, but no processor of 6 W uses them."""
    (pair.root / FIRST / "constraint_0_power_limit_uw").write_text(limit_uw)
    (pair.root / FIRST / "constraint_0_max_power_uw").write_text("6000000")
    readings, meter = window(pair, STEPS_UJ | {FIRST: 450_000_000})
    assert readings["package-0"].value is None and "it jumped" in readings["package-0"].reason
    assert readings["package-0"].failed and readings["cpu"].failed
    assert readings["package-1"].value == pytest.approx(40.0)
    assert meter.flags() == {Flag.COUNTER_FAULT}


@pytest.mark.parametrize("dead", ["psys", SECOND_DRAM])
def test_a_dead_counter_flags_no_run_and_leaves_the_other_sums(pair, monkeypatch, tmp_path, dead):
    monkeypatch.setattr("baler_energy.meters.counters._STILL_FLOOR_S", 0.02)
    if dead == "psys":
        pair.add("intel-rapl:2", "psys", max_uj=RANGE_UJ)

    def operation():
        time.sleep(0.05)
        pair.advance({folder: step for folder, step in STEPS_UJ.items() if folder != dead})

    meter = RaplMeter(sample_interval_s=10.0, root=pair.root)
    settings = SessionSettings(min_window_s=0.0, idle_s=0.0, lock=tmp_path / "lock", sample_interval_s=0.02)
    with Session([meter], settings) as session:
        wait_for_the_first_poll(meter)
        outcome = session.run(operation, warm_up=operation)
    readings = {reading.component: reading for reading in outcome.readings if reading.quantity is Quantity.ENERGY}
    component, *sums = ["psys"] if dead == "psys" else ["dram-1", "dram"]
    for name in (component, *sums):
        assert readings[name].value is None
        assert "has not advanced since it was opened" in readings[name].reason
    assert readings["cpu"].value == pytest.approx(100.0)
    assert Flag.COUNTER_FAULT not in outcome.flags
    assert "counter_fault" not in relevant_flags(outcome.flags, outcome.readings, uses_gpu=False)
    used = total(outcome.readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=False)
    assert used.energy_j == pytest.approx(110.0 if dead == "psys" else 100.0)
    assert used.scope == ("cpu+dram" if dead == "psys" else "cpu")


def test_a_counter_that_stops_after_it_has_advanced_failed(pair, monkeypatch):
    monkeypatch.setattr("baler_energy.meters.counters._STILL_FLOOR_S", 0.02)
    meter = RaplMeter(sample_interval_s=10.0, root=pair.root)
    meter.open()
    wait_for_the_first_poll(meter)
    pair.advance(STEPS_UJ)
    meter.begin()
    time.sleep(0.05)
    pair.advance({folder: step for folder, step in STEPS_UJ.items() if folder != SECOND})
    meter.end()
    readings = {reading.component: reading for reading in meter.readings()}
    meter.close()
    assert readings["cpu"].value is None and "it stopped" in readings["cpu"].reason
    assert readings["cpu"].failed and not readings["package-0"].failed
    assert meter.flags() == {Flag.COUNTER_FAULT}
