"""The meter of carbontracker, with a fake of its interface."""

import threading
from types import SimpleNamespace

import pytest
from peer_readings import energies, reason_of, window

from baler_energy.meters.options import meter_class
from baler_energy.vocabulary import Evidence, MeterName, Quantity


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
