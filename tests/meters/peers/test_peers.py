"""The peers' meters with a fake of each tool's interface."""

import math
import sys
import threading
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.meters.base import absent_reason
from baler_energy.meters.options import meter_class
from baler_energy.meters.peers import zeus as zeus_module
from baler_energy.meters.peers.base import peer_reading, with_sums
from baler_energy.meters.session import Session
from baler_energy.vocabulary import PEERS, Evidence, Flag, MeterName, Quantity

ZEUS = MeterName.ZEUS
MEASURED = Evidence.MEASURED


def energies(readings):
    return {r.component: r.value for r in readings if r.quantity is Quantity.ENERGY}


def reason_of(readings, component):
    return next(r.reason for r in readings if r.component == component and r.quantity is Quantity.ENERGY)


def window(meter):
    meter.open()
    meter.begin()
    meter.end()
    readings = meter.readings()
    meter.close()
    meter.close()
    return readings


# code shared by all peers


@given(st.one_of(st.none(), st.just(math.nan), st.floats(max_value=0.0), st.sampled_from([math.inf, -math.inf])))
def test_an_invalid_energy_is_null_with_a_reason(value):
    reading = peer_reading(ZEUS, "cpu", value, MEASURED, "d")
    assert reading.value is None
    assert reading.reason


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_valid_energy_is_kept(value):
    assert peer_reading(ZEUS, "cpu", value, MEASURED, "d").value == value


def test_the_value_after_a_missed_wrap_is_reported():
    assert "-261843.0 J" in peer_reading(ZEUS, "cpu", -261843.0, MEASURED, "d").reason


def test_sums_hold_packages_and_neither_psys_nor_cores():
    values = {"package-0": 3.0, "package-1": 4.0, "psys": 20.0, "core-0": 2.0, "dram-0": 1.0, "gpu-0": 5.0}
    found = energies(with_sums(ZEUS, values, MEASURED, "d"))
    assert (found["cpu"], found["dram"], found["gpu"]) == (7.0, 1.0, 5.0)


def test_a_sum_with_a_lost_part_is_null():
    readings = with_sums(ZEUS, {"package-0": 3.0, "package-1": -1.0}, MEASURED, "d")
    assert energies(readings) == {"package-0": 3.0, "package-1": None, "cpu": None}


@pytest.mark.parametrize("name", PEERS)
def test_a_tool_that_is_not_installed_is_absent(name, monkeypatch):
    monkeypatch.setitem(sys.modules, meter_class(name).package, None)
    assert "not installed" in absent_reason(meter_class(name)())


@pytest.mark.parametrize("name", PEERS)
def test_close_needs_no_open(name):
    meter_class(name)().close()


# Zeus


class ZeusMonitor:
    """Zeus's monitor, which returns `measured` for each window."""

    measured = SimpleNamespace(cpu_energy=None, dram_energy=None, gpu_energy={})

    def __init__(self):
        self.calls = []
        tracker = SimpleNamespace(_stop=lambda: self.calls.append("stop"))
        files = [SimpleNamespace(name=name, _wraparound_tracker=tracker) for name in ("package-0", "package-1", "psys")]
        self.cpus = SimpleNamespace(cpus=[SimpleNamespace(rapl_file=file, dram=None) for file in files])
        self.cpu_indices = list(self.measured.cpu_energy or {})
        self.gpu_indices = list(self.measured.gpu_energy)

    def begin_window(self, key, sync_execution=True, restart=False):
        self.calls.append(("begin", sync_execution))

    def end_window(self, key, sync_execution=True):
        self.calls.append(("end", sync_execution))
        return self.measured


@pytest.fixture
def zeus(fake, monkeypatch):
    fake("zeus.monitor", ZeusMonitor=ZeusMonitor)
    monkeypatch.setattr(zeus_module, "_SETTLE_STEP_S", 0.0)

    def make(**measured):
        measured = {"cpu_energy": None, "dram_energy": None, "gpu_energy": {}} | measured
        monkeypatch.setattr(ZeusMonitor, "measured", SimpleNamespace(**measured))
        return meter_class(ZEUS)()

    return make


def test_zeus(zeus):
    meter = zeus(cpu_energy={0: 3.0, 1: 4.0, 2: 20.0}, dram_energy={0: 1.0, 1: 2.0}, gpu_energy={0: 5.0, 1: 6.0})
    readings = window(meter)
    assert energies(readings) == {
        "package-0": 3.0,
        "package-1": 4.0,
        "psys": 20.0,
        "dram-0": 1.0,
        "dram-1": 2.0,
        "gpu-0": 5.0,
        "gpu-1": 6.0,
        "cpu": 7.0,
        "dram": 3.0,
        "gpu": 11.0,
    }
    assert {r.evidence for r in readings} == {MEASURED}


def test_zeus_reads_once_before_the_window_and_stops_its_pollers(zeus):
    meter = zeus(cpu_energy={0: 3.0})
    meter.open()
    monitor = meter._monitor
    assert monitor.calls == [("begin", False), ("end", False)]
    meter.close()
    assert monitor.calls.count("stop") == 3


def test_zeus_without_counters(zeus, settings):
    meter = zeus()
    with Session([meter], settings()) as session:
        outcome = session.run(lambda: None)
    assert energies(outcome.readings) == {"machine": None}
    assert "no GPU" in outcome.readings[0].reason
    assert Flag.COUNTER_FAULT in outcome.flags


def test_zeus_a_gpu_below_its_tick(zeus):
    readings = window(zeus(gpu_energy={0: 0.0}))
    assert energies(readings) == {"gpu-0": None, "gpu": None}


# carbontracker


class IntelCPU:
    pass


class GenericCPU:
    tdp, cpu_brand = 32.5, "A CPU"


class NvidiaGPU:
    pass


class Component:
    """A carbontracker component: `powers` are the samples of the epoch, in a list, as carbontracker stores them."""

    def __init__(self, name, handler, devices, powers):
        self.name, self.handler, self._devices, self._powers = name, handler, devices, powers
        self.power_usages = []

    def devices(self):
        return self._devices

    def energy_usage(self, times):
        return [sum(p) / len(p) * t / 3.6e6 if p else 0.0 for p, t in zip(self.power_usages, times, strict=True)]


class CarbonTracker:
    """carbontracker's tracker with epochs of 10 s."""

    components = ()

    def __init__(self, epochs, **options):
        assert options["ignore_errors"], "it would end the process"
        self.deleted = False
        self.stopped = False
        self.intensity_stopper = threading.Event()
        default = SimpleNamespace(carbon_intensity=445.0)
        self.intensity_updater = SimpleNamespace(
            carbon_intensity_service=SimpleNamespace(default_carbon_intensity=default)
        )
        self.tracker = SimpleNamespace(
            components=self.components,
            epoch_times=[],
            epoch_counter=0,
            stop=lambda: setattr(self, "stopped", True),
            total_energy_per_epoch=self._total,
        )

    def _total(self):
        times = self.tracker.epoch_times
        return [1.58 * sum(c.energy_usage(times)[-1] for c in self.components)]

    def epoch_start(self):
        self.tracker.epoch_counter += 1
        for component in self.components:
            if component._powers is not None:
                component.power_usages.append(component._powers)

    def epoch_end(self):
        self.tracker.epoch_times.append(10.0)


@pytest.fixture
def carbontracker(fake, monkeypatch):
    class IntensityService:
        def _fetch_geo_location(self):
            raise AssertionError("it asked the network")

    fake("carbontracker.constants", PUE_2023=1.58)
    fake("carbontracker.emissions.intensity.intensity", IntensityService=IntensityService)
    fake("carbontracker.tracker", CarbonTracker=CarbonTracker)

    def make(*components):
        monkeypatch.setattr(CarbonTracker, "components", components)
        return meter_class(MeterName.CARBONTRACKER)()

    make.service = IntensityService
    return make


def test_carbontracker(carbontracker):
    cpu = Component("cpu", IntelCPU(), ["cpu:0", "dram:0"], [30.0, 10.0])
    meter = carbontracker(cpu, Component("gpu", NvidiaGPU(), ["GPU"], [100.0]))
    readings = window(meter)
    assert energies(readings) == pytest.approx({"cpu": 200.0, "gpu": 1000.0, "machine": 1896.0})
    assert [r.scope for r in readings] == [("cpu", "dram"), ("gpu",)] + 2 * [("cpu", "dram", "gpu")]
    co2e = readings[-1]
    assert co2e.quantity is Quantity.CO2E
    assert co2e.value == pytest.approx(1896.0 / 3.6e6 * 0.445)
    assert "PUE 1.58" in co2e.detail
    assert "445 g/kWh" in co2e.detail


def test_carbontracker_gets_an_unknown_location(carbontracker):
    meter = carbontracker()
    meter.open()
    assert carbontracker.service()._fetch_geo_location() is None


def test_carbontracker_without_rapl_models(carbontracker):
    readings = window(carbontracker(Component("cpu", GenericCPU(), ["A CPU"], [32.5])))
    assert {r.evidence for r in readings} == {Evidence.MODELLED}
    assert energies(readings)["cpu"] == pytest.approx(325.0)
    assert "TDP of 65 W" in readings[0].detail


def test_carbontracker_a_mixed_total_is_reported_as_such(carbontracker):
    gpu = Component("gpu", NvidiaGPU(), ["GPU"], [100.0])
    readings = window(carbontracker(Component("cpu", GenericCPU(), ["A CPU"], [32.5]), gpu))
    total = next(r for r in readings if r.component == "machine")
    assert total.evidence is Evidence.UNKNOWN
    assert "measured and modelled" in total.detail


def test_carbontracker_a_window_without_a_sample_is_null(carbontracker):
    readings = window(carbontracker(Component("cpu", IntelCPU(), ["cpu:0"], None)))
    assert energies(readings) == {"cpu": None, "machine": None}


def test_carbontracker_that_could_not_read_gives_zeros(carbontracker):
    readings = window(carbontracker(Component("cpu", IntelCPU(), ["cpu:0"], [0.0])))
    assert energies(readings) == {"cpu": None, "machine": None}
    assert "if it cannot read" in reason_of(readings, "cpu")


def test_carbontracker_that_stopped_itself(carbontracker):
    meter = carbontracker()
    meter.open()
    meter._tracker.deleted = True
    with pytest.raises(RuntimeError, match="stopped after an internal error"):
        meter.begin()


# pyJoules


class EnergyMeter:
    measured: ClassVar = {}

    def __init__(self, devices):
        self.running = False

    def start(self, tag=None):
        self.running = True

    def stop(self):
        assert self.running

    def get_trace(self):
        return [SimpleNamespace(energy=self.measured)]


@pytest.fixture
def pyjoules(fake, monkeypatch):
    def make(devices=("rapl",), **measured):
        monkeypatch.setattr(EnergyMeter, "measured", measured)
        fake("pyJoules.device", DeviceFactory=SimpleNamespace(create_devices=lambda: list(devices)))
        fake("pyJoules.energy_meter", EnergyMeter=EnergyMeter)
        return meter_class(MeterName.PYJOULES)()

    return make


def test_pyjoules_has_two_units(pyjoules):
    readings = window(pyjoules(package_0=3e6, core_0=2e6, dram_0=1e6, nvidia_gpu_0=5e3))
    expected = {"package-0": 3.0, "core-0": 2.0, "dram-0": 1.0, "gpu-0": 5.0, "cpu": 3.0, "dram": 1.0, "gpu": 5.0}
    assert energies(readings) == pytest.approx(expected)


def test_pyjoules_a_wrap_that_shows_is_null(pyjoules):
    readings = window(pyjoules(package_0=-261_843e6))
    assert energies(readings) == {"package-0": None, "cpu": None}
    assert "-261843.0 J" in reason_of(readings, "cpu")


def test_pyjoules_without_devices(pyjoules):
    with pytest.raises(RuntimeError, match="neither RAPL"):
        pyjoules(devices=()).open()


# perun


class Metrics(dict):
    def __init__(self, **values):
        super().__init__({SimpleNamespaceKey(key): SimpleNamespace(value=value) for key, value in values.items()})


class SimpleNamespaceKey(str):
    @property
    def value(self):
        return str(self)


def sensor(name, kind, energy_j):
    return SimpleNamespace(id=name, deviceType=SimpleNamespace(value=kind), metrics=Metrics(energy=energy_j))


class Config(dict):
    def get(self, section, key):
        return self[key]

    def getfloat(self, section, key):
        return float(self[key])


class Perun:
    sensors: ClassVar = {"cpu_0_package-0": ("rapl", None, SimpleNamespace(value="J"))}
    callbacks: ClassVar = {}
    error = None

    def __init__(self, config):
        self.config = config
        self.l_assigned_sensors = self.sensors

    def monitor_application(self, app):
        if self.error is not None:
            raise self.error
        app.run()
        groups = {
            "cpu": SimpleNamespace(nodes={"a": sensor("cpu_0_package-0", "cpu", 3.0)}),
            "ram": SimpleNamespace(nodes={"b": sensor("ram_0_dram", "ram", 1.0)}),
            "gpu": SimpleNamespace(nodes={"c": sensor("CUDA:1_POWER", "gpu", 5.0)}),
            "disk": SimpleNamespace(nodes={}),
        }
        run = SimpleNamespace(
            nodes={"host": SimpleNamespace(nodes=groups)}, metrics=Metrics(energy=9.0, co2=9.0 / 3.6e6 * 274.8)
        )
        for callback in self.callbacks.values():
            callback(SimpleNamespace(nodes={"0": run}))


@pytest.fixture
def perun(fake, monkeypatch):
    monkeypatch.setattr(Perun, "callbacks", {})
    config = Config(sampling_period="1", pue="1.0", emissions_factor="274.8", power_overhead="0")
    module = fake("perun.configuration", config=config, save_to_config=config.__setitem__)
    fake("perun.core", Perun=Perun)
    fake(
        "perun.monitoring.application",
        Application=lambda function, config: SimpleNamespace(run=function),
    )
    sys.modules["perun"].register_callback = lambda f: Perun.callbacks.__setitem__(f.__name__, f)
    return module


def test_perun(perun):
    readings = window(meter_class(MeterName.PERUN)())
    assert energies(readings) == {
        "package-0": 3.0,
        "dram-0": 1.0,
        "gpu-1": 5.0,
        "cpu": 3.0,
        "dram": 1.0,
        "gpu": 5.0,
        "machine": 9.0,
    }
    co2e = readings[-1]
    assert co2e.value == pytest.approx(9.0 / 3.6e6 * 0.2748)
    assert co2e.scope == ("cpu", "dram", "gpu")
    assert "274.8 g/kWh" in co2e.detail


def test_perun_two_windows(perun):
    meter = meter_class(MeterName.PERUN)()
    meter.open()
    for _ in range(2):
        meter.begin()
        assert meter._thread.is_alive(), "the function lasts as long as the window"
        meter.end()
        assert energies(meter.readings())["cpu"] == 3.0
    meter.close()


@pytest.mark.parametrize("error", [SystemError("Not ready for monitoring"), SystemExit(3)])
def test_perun_that_fails(perun, monkeypatch, error):
    monkeypatch.setattr(Perun, "error", error)
    meter = meter_class(MeterName.PERUN)()
    meter.open()
    with pytest.raises((SystemError, RuntimeError), match=r"Not ready|perun exited: 3"):
        meter.begin()
    meter.close()


def test_perun_without_sensors(perun, monkeypatch):
    monkeypatch.setattr(Perun, "sensors", {"RAM_USAGE": ("psutil", None, SimpleNamespace(value="B"))})
    meter = meter_class(MeterName.PERUN)()
    with pytest.raises(RuntimeError, match="no energy or power sensor"):
        meter.open()
    meter.close()
