"""The real tools, if installed, on RAPL counters that are files. Slow: each takes seconds."""

import time

import pytest

from baler_energy.meters.options import meter_class
from baler_energy.vocabulary import MeterName, Quantity

pytestmark = pytest.mark.filterwarnings("ignore")  # these packages emit many warnings

WINDOW_S = 4.0


def measure(name):
    meter = meter_class(name)()
    try:
        meter.open()
        meter.begin()
        start_s = time.monotonic()
        time.sleep(WINDOW_S)
        meter.end()
        duration_s = time.monotonic() - start_s
        readings = meter.readings()
    finally:
        meter.close()
    return {r.component: r.value / duration_s for r in readings if r.quantity is Quantity.ENERGY and r.value}


def test_pyjoules_reads_the_counters(counters, monkeypatch):
    module = pytest.importorskip("pyJoules.device.rapl_device")
    monkeypatch.setattr(module, "RAPL_API_DIR", str(counters().control))
    powers = measure(MeterName.PYJOULES)
    assert set(powers) == {"package-0", "package-1", "dram-0", "dram-1", "cpu", "dram"}
    assert powers["cpu"] == pytest.approx(80.0, rel=0.03)
    assert powers["dram"] == pytest.approx(15.0, rel=0.03)


def test_zeus_reads_the_counters_and_sees_a_wrap(counters, monkeypatch):
    module = pytest.importorskip("zeus.device.cpu.rapl")
    cpu = pytest.importorskip("zeus.device.cpu")
    # psys wraps at 1000 J: in the window, if its pollers settle within 5 s.
    running = counters(max_j=1000.0, start_j=100.0)
    monkeypatch.setattr(module, "RAPL_DIR", str(running.control))
    monkeypatch.setattr(cpu, "_cpus", None)
    module.rapl_is_available.cache_clear()
    powers = measure(MeterName.ZEUS)
    module.rapl_is_available.cache_clear()
    assert powers["cpu"] == pytest.approx(80.0, rel=0.03), "psys is none of the packages"
    assert powers["psys"] == pytest.approx(120.0, rel=0.03)
    assert powers["dram"] == pytest.approx(15.0, rel=0.03)


def test_carbontracker_averages_over_the_counters(counters, monkeypatch):
    module = pytest.importorskip("carbontracker.components.cpu.intel")
    monkeypatch.setattr(module, "RAPL_DIR", str(counters().root))
    powers = measure(MeterName.CARBONTRACKER)
    # Version 2.4.7 uses the mean of the four counters instead of the sum. If this changes, update docs/peers.md.
    assert powers["cpu"] == pytest.approx((80.0 + 15.0) / 4, rel=0.05)
    assert powers["machine"] == pytest.approx(1.58 * powers["cpu"], rel=0.001)


def test_perun_reads_the_counters(counters, monkeypatch):
    module = pytest.importorskip("perun.backend.powercap_rapl")
    monkeypatch.setattr(module, "RAPL_PATH", str(counters().root))
    powers = measure(MeterName.PERUN)
    # It starts late, by up to half of its sampling interval.
    assert 0.7 * 80.0 < powers["cpu"] < 1.1 * 80.0
    assert powers["dram"] == pytest.approx(powers["cpu"] * 15.0 / 80.0, rel=0.01)
    assert powers["machine"] == pytest.approx(powers["cpu"] + powers["dram"], rel=0.001)


def test_zeus_pyjoules_and_perun_report_missing_counters():
    for name, package in (
        (MeterName.ZEUS, "zeus"),
        (MeterName.PYJOULES, "pyJoules"),
        (MeterName.PERUN, "perun"),
    ):
        pytest.importorskip(package)
        meter = meter_class(name)()
        try:
            meter.open()
        except RuntimeError as error:
            assert "finds n" in str(error)
        finally:
            meter.close()
