"""The meter of perun, with a fake of its interface."""

import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
from peer_readings import energies, window

from baler_energy.meters.options import meter_class
from baler_energy.vocabulary import MeterName


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
