"""The meter of pyJoules, with a fake of its interface."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
from peer_readings import energies, reason_of, window

from baler_energy.meters.options import meter_class
from baler_energy.vocabulary import MeterName


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
