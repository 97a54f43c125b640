"""The meter of Zeus, with a fake of its interface."""

from types import SimpleNamespace

import pytest
from peer_readings import energies, window

from baler_energy.meters.options import meter_class
from baler_energy.meters.peers import zeus as zeus_module
from baler_energy.meters.session import Session
from baler_energy.vocabulary import Evidence, Flag, MeterName

ZEUS = MeterName.ZEUS
MEASURED = Evidence.MEASURED


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
