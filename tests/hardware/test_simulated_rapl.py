"""The RAPL meter against counters whose true energy is known."""

import itertools
import time

import pytest

from baler_energy.meters import powercap
from baler_energy.meters.base import absent_reason
from baler_energy.meters.powercap import Domain, find_domains, pyrapl_reader
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.session import Session, SessionSettings
from baler_energy.vocabulary import Evidence, Flag, Quantity


def ended(meter):
    """End a window and return its readings."""
    meter.end()
    return meter.readings()


SERVER = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0/intel-rapl:0:0": "core",
    "intel-rapl:0/intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:1/intel-rapl:1:0": "dram",
    "intel-rapl:2": "psys",
}


@pytest.fixture
def server(machine):
    for position, (folder, name) in enumerate(SERVER.items()):
        machine.add(folder, name, start_uj=95_000_000 - position)
    (machine.root / "intel-rapl").mkdir()  # the control type's own folder
    (machine.root / "intel-rapl:0:1").symlink_to(machine.root / "intel-rapl:0" / "intel-rapl:0:1")
    machine.add("intel-rapl-mmio:0", "package-0")  # the same package a second time
    return machine


def meter_of(machine) -> RaplMeter:
    """Return a meter of the machine; at 60 W its counters of 100 J may go unread for more than a second."""
    return RaplMeter(sample_interval_s=0.01, root=machine.root, limit_w=60.0)


def energies(readings):
    return {reading.component: reading for reading in readings if reading.quantity is Quantity.ENERGY}


def test_domains_are_found_by_name_without_duplicates(server):
    assert [domain.component for domain in find_domains(server.root)] == [
        "package-0", "core-0", "dram-0", "package-1", "dram-1", "psys",
    ]  # fmt: skip


def test_the_first_of_two_equal_names_is_used(machine):
    for number in (0, 1):
        machine.add(f"intel-rapl:{number}", "psys")
    assert [domain.folder.name for domain in find_domains(machine.root)] == ["intel-rapl:0"]


def test_energy_is_the_journals_over_several_wraps_and_psys_is_never_added(server):
    meter = meter_of(server)
    meter.open()
    meter.begin()
    steps = dict(zip(SERVER, (5_000_000, 3_000_000, 1_000_000, 4_000_000, 2_000_000, 15_000_000), strict=True))
    for _ in range(60):  # 60 x 5 J through a counter of 100 J
        time.sleep(0.002)
        server.advance({folder: step // 3 for folder, step in steps.items()})
        meter.energies_j()
    expected = {folder: 60 * (step // 3) * 1e-6 for folder, step in steps.items()}
    within = meter.energies_j()
    readings = energies(ended(meter))
    meter.close()
    for folder, component in zip(SERVER, ("package-0", "core-0", "dram-0", "package-1", "dram-1", "psys"), strict=True):
        assert readings[component].value == pytest.approx(expected[folder], abs=1e-6)
        assert readings[component].evidence is Evidence.MEASURED
    assert readings["cpu"].value == pytest.approx(expected["intel-rapl:0"] + expected["intel-rapl:1"], abs=1e-5)
    assert readings["dram"].value == pytest.approx(60 * 0.999999, abs=1e-3)
    assert within["cpu"] == readings["cpu"].value
    assert meter.flags() == set()


def test_a_session_recovers_the_journal_of_a_running_machine(server, tmp_path):
    package = server.counters["intel-rapl:0"]
    server.run(dict.fromkeys(SERVER, 1000) | {"intel-rapl:0": 300_000, "intel-rapl:1": 200_000})
    edges_s = []

    def operation():
        """Wait for the counter to wrap; a busy machine may delay its thread."""
        edges_s.append(time.monotonic())
        enough_uj = package.total_uj + 6_000_000
        while package.total_uj < enough_uj and time.monotonic() < edges_s[0] + 600:
            time.sleep(0.01)
        edges_s.append(time.monotonic())

    settings = SessionSettings(min_window_s=0.6, idle_s=0.1, sample_interval_s=0.02, lock=tmp_path / "lock")
    before_s = time.monotonic()
    with Session([meter_of(server)], settings) as session:
        outcome = session.run(operation)
        after_s = time.monotonic()
    readings = {(r.component, r.quantity): r.value for r in outcome.readings}
    energy_j = readings["package-0", Quantity.ENERGY]
    inner_j = package.bounds_j(edges_s[-1])[0] - package.bounds_j(edges_s[0])[1]
    outer_j = package.bounds_j(after_s)[1] - package.bounds_j(before_s)[0]
    assert inner_j - 1e-6 <= energy_j <= outer_j + 1e-6
    assert inner_j > 5.0  # past the wrap
    assert readings["cpu", Quantity.ENERGY] > energy_j
    dynamic_j = readings["package-0", Quantity.DYNAMIC_ENERGY]
    idle_w = next(r.value for r in outcome.idle.readings if r.component == "package-0")
    assert dynamic_j == pytest.approx(energy_j - idle_w * outcome.window.duration_s)
    powers = outcome.samples.query("component == 'package-0' and quantity == 'power'")
    # Their number depends on the machine: the poller slows down if reads are expensive.
    assert len(powers) > 0
    assert (powers["value"] >= 0).all()
    power_max_w = readings["package-0", Quantity.POWER_MAX]
    assert power_max_w is None or power_max_w >= readings["package-0", Quantity.POWER_MEAN] * 0.5
    assert not {Flag.COUNTER_FAULT, Flag.MODELLED_ONLY} & set(outcome.flags)


def test_each_iteration_has_the_energy_that_the_counters_gave_it(server, tmp_path, three_iterations):
    used_uj = itertools.count(30_000, 10_000)

    def operation():
        """Use 10 mJ more of the second package than the time before."""
        time.sleep(0.06)  # counters are read after iterations of 50 ms or more
        server.advance({"intel-rapl:1": next(used_uj)})

    settings = SessionSettings(min_window_s=1.0, idle_s=0.1, sample_interval_s=0.02, lock=tmp_path / "lock")
    with Session([meter_of(server)], settings) as session:
        outcome = session.run(operation)
    found = outcome.samples.query("quantity == 'iteration_energy'").groupby("component")["value"].apply(list)
    # No counter is read at the start of the first iteration.
    assert found["package-1"] == pytest.approx([0.04, 0.05], abs=1e-6)
    assert outcome.iterations == 3 and found["cpu"] == found["package-1"]


@pytest.mark.parametrize("content", [None, "garbage", "", "999999999999"])
def test_a_counter_that_fails_midway_is_null_and_flagged(server, content):
    meter = meter_of(server)
    meter.open()
    meter.begin()
    file = server.counters["intel-rapl:1"].file
    file.unlink() if content is None else file.write_text(content)
    server.counters["intel-rapl:0"].advance(1_000_000)
    within = meter.energies_j()
    readings = energies(ended(meter))
    meter.close()
    assert readings["package-1"].value is None
    assert "package-1" in readings["package-1"].reason
    assert readings["cpu"].value is None  # a sum without its part would be too low
    assert "package-1" in readings["cpu"].reason
    assert readings["package-0"].value == pytest.approx(1.0)
    assert not {"cpu", "package-1"} & set(within)
    assert meter.flags() == {Flag.COUNTER_FAULT}


def test_a_failed_counter_recovers_in_the_next_window(server):
    meter = meter_of(server)
    file = server.counters["intel-rapl:1"].file
    content = file.read_text()
    meter.open()
    meter.begin()
    file.write_text("garbage")
    meter.end()
    file.write_text(content)
    meter.begin()
    readings = energies(ended(meter))
    meter.close()
    assert readings["package-1"].value == 0.0
    assert meter.flags() == set()


def test_a_reset_counter_is_a_fault_and_not_a_huge_energy(machine):
    counter = machine.add("intel-rapl:0", "package-0", start_uj=9_000_000_000, max_uj=262_143_328_850)
    meter = meter_of(machine)
    meter.open()
    meter.begin()
    counter.file.write_text("1000\n")
    reading = energies(ended(meter))["package-0"]
    meter.close()
    assert reading.value is None
    assert "reset" in reading.reason


def test_a_gap_that_may_hide_a_wrap_is_a_fault(machine):
    machine.add("intel-rapl:0", "package-0", max_uj=1_000_000)
    meter = RaplMeter(sample_interval_s=10.0, root=machine.root, limit_w=100.0)
    meter.open()
    meter.begin()
    time.sleep(0.05)  # 100 W may wrap a counter of 1 J in 0.01 s
    reading = energies(ended(meter))["package-0"]
    meter.close()
    assert reading.value is None
    assert "wrapped unnoticed" in reading.reason


def test_no_permission_is_null_with_the_command_that_enables_it(server, monkeypatch):
    real = Domain.read_uj

    def read(domain):
        if domain.component == "package-1":
            raise PermissionError(13, "Permission denied")
        return real(domain)

    monkeypatch.setattr(Domain, "read_uj", read)
    meter = meter_of(server)
    channels = {channel.component: channel for channel in meter.channels()}
    assert channels["package-1"].evidence is None
    assert channels["package-1"].remedy.startswith("sudo chmod a+r")
    assert channels["cpu"].evidence is None
    assert channels["dram"].evidence is Evidence.MEASURED
    assert absent_reason(meter) is None
    meter.open()
    meter.begin()
    readings = energies(ended(meter))
    meter.close()
    assert readings["package-1"].value is None
    assert "permission" in readings["cpu"].reason
    assert readings["package-0"].value == 0.0
    assert meter.flags() == set()


def test_dies_are_separate_packages(machine):
    for die in (0, 1):
        machine.add(f"intel-rapl:{die}", f"package-0-die-{die}")
        machine.add(f"intel-rapl:{die}/intel-rapl:{die}:0", "dram")
    meter = meter_of(machine)
    meter.open()
    meter.begin()
    machine.advance({"intel-rapl:0": 2_000_000, "intel-rapl:1": 3_000_000, "intel-rapl:1/intel-rapl:1:0": 500_000})
    readings = energies(ended(meter))
    meter.close()
    assert readings["package-0-die-1"].value == pytest.approx(3.0)
    assert readings["cpu"].value == pytest.approx(5.0)
    assert readings["dram-0-die-1"].value == pytest.approx(0.5)
    assert readings["dram"].value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("virtual", "vendor", "words"),
    [
        (True, "GenuineIntel", "virtual machine"),
        (False, "ARM", "only Intel and AMD"),
        (False, "AuthenticAMD", "powercap"),
    ],
)
def test_no_counters_at_all_is_absent_with_the_reason(machine, monkeypatch, virtual, vendor, words):
    monkeypatch.setattr(powercap, "virtualised", lambda: virtual)
    monkeypatch.setattr(powercap, "cpu_vendor", lambda: vendor)
    assert words in absent_reason(meter_of(machine))


class Sensor:
    """Replaces pyRAPL's Sensor: package and dram of socket 0, then of socket 1."""

    counts = (11.0, 12.0, 21.0, 22.0)

    def energy(self):
        return list(self.counts)


def test_pyrapl_is_used_if_it_reads_all_packages(server, monkeypatch):
    pyrapl = pytest.importorskip("pyRAPL")
    monkeypatch.setattr(pyrapl, "Sensor", Sensor)
    domains = find_domains(server.root)
    read = pyrapl_reader(domains)
    assert read() == {"package-0": 11, "dram-0": 12, "package-1": 21, "dram-1": 22}


def test_pyrapl_is_not_used_if_it_fails(server, monkeypatch):
    pyrapl = pytest.importorskip("pyRAPL")
    domains = find_domains(server.root)
    monkeypatch.setattr(Sensor, "counts", (11.0, -1, 21.0, -1))  # it misses the memory
    monkeypatch.setattr(pyrapl, "Sensor", Sensor)
    assert pyrapl_reader(domains) is None
    monkeypatch.setattr(pyrapl, "Sensor", lambda: (_ for _ in ()).throw(pyrapl.PyRAPLCantInitDeviceAPI()))
    assert pyrapl_reader(domains) is None
