"""The NVML meter against a simulated driver."""

import os
import time
from types import SimpleNamespace

import pytest

from baler_energy.meters.base import SAMPLE_UNITS, absent_reason
from baler_energy.meters.gpus import describe_gpus
from baler_energy.meters.nvml import NvmlMeter
from baler_energy.vocabulary import Evidence, Flag, Quantity


def ended(meter):
    """End a window and return its readings."""
    meter.end()
    return meter.readings()


def window(library, during=lambda: None):
    """Measure `during`; return the readings and the meter."""
    meter = NvmlMeter(sample_interval_s=0.005, library=library)
    meter.open()
    meter.begin()
    during()
    readings = {(r.component, r.quantity): r for r in ended(meter)}
    flags = meter.flags()
    samples = meter.samples()
    meter.close()
    return readings, flags, samples


def test_counter_gives_the_energy_and_state_is_sampled(nvml):
    library = nvml(2)

    def during():
        library.gpus[0].energy_j += 12.5
        library.gpus[1].energy_j += 2.0
        library.wait_for_samples()

    readings, flags, samples = window(library, during)
    assert readings["gpu-0", Quantity.ENERGY].value == pytest.approx(12.5)
    assert readings["gpu", Quantity.ENERGY].value == pytest.approx(14.5)
    assert readings["gpu", Quantity.ENERGY].evidence is Evidence.MEASURED
    assert readings["gpu-0", Quantity.POWER_MAX].value == 50.0
    assert readings["gpu-0", Quantity.UTILISATION_MEAN].value == pytest.approx(0.4)
    assert readings["gpu-0", Quantity.TEMPERATURE_MAX].value == 61
    assert readings["gpu-0", Quantity.GPU_MEMORY_PEAK].value == 2**30
    assert readings["gpu-0", Quantity.CLOCK_MEAN].value == pytest.approx(1.41e9)
    assert {s.quantity for s in samples} == set(SAMPLE_UNITS)
    assert {s.value for s in samples if s.quantity == "memory_clock"} == {1.593e9}
    assert {s.value for s in samples if s.quantity == "throttle_reasons"} == {0.0}  # reported, and none applies
    assert flags == set()
    assert library.depth == 0  # each initialisation of the driver's library was shut down


def test_energies_within_the_window(nvml):
    library = nvml(2)
    library.gpus[1].energy_j = None
    meter = NvmlMeter(library=library)
    meter.open()
    meter.begin()
    library.gpus[0].energy_j += 3.0
    within = meter.energies_j()
    meter.end()
    meter.close()
    assert within == {"gpu-0": pytest.approx(3.0)}  # no sum, since one GPU has no counter


def test_without_a_counter_power_is_integrated(nvml):
    library = nvml()
    library.gpus[0].energy_j = None
    begin_s = time.monotonic()
    readings, flags, samples = window(library, lambda: time.sleep(0.1))
    longest_s = time.monotonic() - begin_s
    times = [s.time_s for s in samples if s.quantity == "power"]
    energy_j = readings["gpu-0", Quantity.ENERGY].value
    assert 50.0 * 0.1 <= energy_j <= 50.0 * longest_s
    assert energy_j <= 50.0 * (times[-1] - times[0]) + 1e-6
    assert flags == set()


def test_missing_state_is_left_out(nvml):
    library = nvml()
    library.gpus[0].state = False
    library.gpus[0].throttle = None
    readings, flags, samples = window(library, library.wait_for_samples)
    assert ("gpu-0", Quantity.TEMPERATURE_MEAN) not in readings
    assert {s.quantity for s in samples} == {"power", "memory"}
    assert readings["gpu-0", Quantity.ENERGY].value == 0.0
    assert flags == set()


@pytest.mark.parametrize("counter", [True, False])
def test_a_gpu_lost_midway_is_null_and_flagged(nvml, counter):
    library = nvml(2)
    if not counter:
        library.gpus[0].energy_j = None
    readings, flags, _ = window(library, lambda: setattr(library.gpus[0], "lost", True))
    for component in ("gpu-0", "gpu"):
        assert readings[component, Quantity.ENERGY].value is None
        assert "GPU is lost" in readings[component, Quantity.ENERGY].reason
    assert readings["gpu-1", Quantity.ENERGY].value == 0.0
    assert flags == {Flag.COUNTER_FAULT}


def test_a_falling_counter_is_null_and_flagged(nvml):
    library = nvml()
    readings, flags, _ = window(library, lambda: setattr(library.gpus[0], "energy_j", 1.0))
    assert readings["gpu-0", Quantity.ENERGY].value is None
    assert "fell" in readings["gpu-0", Quantity.ENERGY].reason
    assert flags == {Flag.COUNTER_FAULT}


def lie(library, name, value):
    """Return what happens in a window in which the first GPU returns a value for a while, and then the former one."""

    def during():
        gpu = library.gpus[0]
        before = getattr(gpu, name)
        library.wait_for_samples()
        setattr(gpu, name, value)
        library.wait_for_samples()
        setattr(gpu, name, before)
        library.wait_for_samples()

    return during


@pytest.mark.parametrize("power_w", [(2**32 - 1) * 1e-3, -50.0, 0.0, 10_000.0, 900.0, None, float("nan")])
def test_a_power_that_is_not_credible_for_a_while_loses_the_energy(nvml, power_w):
    library = nvml(2)
    for gpu in library.gpus:
        gpu.energy_j, gpu.limit_w = None, 400.0
    readings, flags, samples = window(library, lie(library, "power_w", power_w))
    for component in ("gpu-0", "gpu"):
        reading = readings[component, Quantity.ENERGY]
        assert (reading.value, reading.failed) == (None, True)
        assert "its power sensor returned" in reading.reason
    assert readings["gpu-1", Quantity.ENERGY].value > 0
    assert flags == {Flag.COUNTER_FAULT}
    assert {sample.value for sample in samples if sample.quantity == "power"} == {50.0}


@pytest.mark.parametrize(
    ("limit_w", "power_w", "believed"), [(400.0, 700.0, True), (None, 2500.0, True), (4e6, 1e4, False)]
)
def test_the_limit_of_a_power_is_the_gpus_with_a_margin(nvml, limit_w, power_w, believed):
    """A GPU may exceed its limit for a moment; a limit of megawatts is not believed."""
    library = nvml()
    library.gpus[0].energy_j, library.gpus[0].limit_w = None, limit_w
    readings, _, _ = window(library, lie(library, "power_w", power_w))
    assert (readings["gpu-0", Quantity.ENERGY].value is not None) is believed


def test_the_bound_of_a_counter_without_a_believed_power_is_not_zero(nvml):
    library = nvml()
    library.gpus[0].power_w = 0.0

    def during():
        library.gpus[0].energy_j += 10.0
        library.wait_for_samples()

    readings, _, _ = window(library, during)
    assert readings["gpu-0", Quantity.ENERGY].value == pytest.approx(10.0)
    assert readings["gpu-0", Quantity.ENERGY].bound > 0


def test_a_lying_power_sensor_does_not_touch_the_counters_energy(nvml):
    library = nvml()

    def during():
        lie(library, "power_w", 10_000.0)()
        library.gpus[0].energy_j += 3.0

    readings, flags, _ = window(library, during)
    assert readings["gpu-0", Quantity.ENERGY].value == pytest.approx(3.0)
    peak = readings["gpu-0", Quantity.POWER_MAX]
    assert peak.value is None and "10000 W" in peak.reason
    assert flags == set()


@pytest.mark.parametrize(
    ("count_j", "words"),
    [(1e6, "it rose by"), (1.0, "it fell by"), (None, "Not Supported")],
    ids=["jump", "restart", "not supported"],
)
def test_a_counter_that_lies_for_a_while_loses_the_energy_though_its_end_is_plausible(nvml, count_j, words):
    library = nvml(2)
    readings, flags, _ = window(library, lie(library, "energy_j", count_j))
    for component in ("gpu-0", "gpu"):
        assert readings[component, Quantity.ENERGY].value is None
        assert words in readings[component, Quantity.ENERGY].reason
    assert readings["gpu-1", Quantity.ENERGY].value == 0.0
    assert flags == {Flag.COUNTER_FAULT}


def test_a_counter_that_failed_has_no_energy_within_the_window_either(nvml):
    library = nvml(2)
    meter = NvmlMeter(sample_interval_s=0.005, library=library)
    meter.open()
    meter.begin()
    lie(library, "energy_j", 1e6)()
    for gpu in library.gpus:
        gpu.energy_j += 3.0
    within = meter.energies_j()
    meter.end()
    meter.close()
    assert within == {"gpu-1": pytest.approx(3.0)}


class Ticking(SimpleNamespace):
    """The state of a GPU whose counter ticks before each read."""

    @property
    def energy_j(self):
        self.counted_j += 0.02
        return self.counted_j


@pytest.mark.parametrize("ticks", [False, True])
def test_two_gpus_with_the_counts_of_one_have_no_sum(nvml, ticks):
    library = nvml(2)
    library.gpus[0].power_w = 0.001  # the sensor shows less than the counter
    if ticks:
        state = {key: value for key, value in vars(library.gpus[0]).items() if key != "energy_j"}
        library.gpus[0] = Ticking(**state, counted_j=100.0)
    library.gpus[1] = library.gpus[0]
    meter = NvmlMeter(sample_interval_s=0.005, library=library)
    meter.open()
    meter.begin()
    library.wait_for_samples()
    if not ticks:
        library.gpus[0].energy_j += 12.5
    assert set(meter.energies_j()) == {"gpu-0"}
    readings = {(r.component, r.quantity): r for r in ended(meter)}
    meter.close()
    energy = readings["gpu-0", Quantity.ENERGY].value
    assert energy > 0 if ticks else energy == pytest.approx(12.5)
    for component in ("gpu-1", "gpu"):
        reading = readings[component, Quantity.ENERGY]
        assert (reading.value, reading.failed) == (None, False)
        assert "gpu-1 shows the counts of gpu-0" in reading.reason
    assert meter.flags() == set(), "nothing failed in the window"


@pytest.mark.parametrize(
    ("start_j", "steps_j"),
    [(100.001, (3.0, 3.0)), (99.999, (3.0, 3.0)), (100.0, (3.0, 3.001)), (100.0, (0.001, 0.001))],
)
def test_gpus_that_have_other_counts_or_are_at_rest_are_added(nvml, start_j, steps_j):
    """As after the driver was loaded a moment ago."""
    library = nvml(2)
    library.gpus[1].energy_j = start_j

    def during():
        for gpu, step_j in zip(library.gpus, steps_j, strict=True):
            gpu.energy_j += step_j

    readings, flags, _ = window(library, during)
    assert readings["gpu", Quantity.ENERGY].value == pytest.approx(sum(steps_j))
    assert flags == set()


def test_a_counter_that_restarted_before_the_window_is_believed_in_it(nvml):
    library = nvml()
    meter = NvmlMeter(sample_interval_s=0.005, library=library)
    meter.open()
    library.wait_for_samples()
    library.gpus[0].energy_j = 1.0
    meter.begin()
    library.gpus[0].energy_j = 4.0
    readings = {(r.component, r.quantity): r for r in ended(meter)}
    meter.close()
    assert readings["gpu-0", Quantity.ENERGY].value == pytest.approx(3.0)


def test_reasons_for_low_clocks_are_recorded_over_time(nvml):
    library = nvml()

    def during():
        library.wait_for_samples()
        library.gpus[0].throttle = 0x24
        library.wait_for_samples()

    _, flags, samples = window(library, during)
    reasons = [s.value for s in sorted(samples, key=lambda s: s.time_s) if s.quantity == "throttle_reasons"]
    assert reasons == sorted(reasons) and set(reasons) == {0.0, 36.0}
    assert flags == {Flag.THROTTLED}


def test_a_gpu_with_a_counter_needs_no_power_sensor(nvml):
    library = nvml()
    library.gpus[0].power_w = None
    readings, flags, samples = window(library, lambda: setattr(library.gpus[0], "energy_j", 103.0))
    assert readings["gpu-0", Quantity.ENERGY].value == pytest.approx(3.0)
    assert "power" not in {s.quantity for s in samples}
    assert flags == set()


def test_throttling_and_other_processes_are_flagged(nvml):
    library = nvml()
    library.gpus[0].throttle = 0x40
    library.gpus[0].pids = [os.getpid(), os.getppid()]
    assert window(library)[1] == {Flag.THROTTLED, Flag.SHARED_GPU}
    library.gpus[0].throttle = 0x1  # idle clocks are not throttling
    library.gpus[0].pids = [os.getpid()]
    assert window(library)[1] == set()


def test_only_visible_gpus_are_measured(nvml, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    readings, _, _ = window(nvml(3))
    assert {component for component, _ in readings} == {"gpu-1", "gpu"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "no GPU is visible" in absent_reason(NvmlMeter(library=nvml(3)))


def test_no_driver_is_absent_with_the_reason(nvml):
    library = nvml()
    library.driver_error = library.NVMLError("Driver Not Loaded")
    assert "Driver Not Loaded" in absent_reason(NvmlMeter(library=library))
    assert describe_gpus(library) == []


def test_no_package_is_absent_with_the_remedy(monkeypatch):
    def load():
        raise ImportError

    monkeypatch.setattr("baler_energy.meters.nvml.load_library", load)
    (channel,) = NvmlMeter().channels()
    assert channel.remedy == "pip install nvidia-ml-py"


def test_channels_describe_how_the_energy_is_measured(nvml):
    library = nvml(3)
    library.gpus[1].energy_j = None
    details = {channel.component: channel for channel in NvmlMeter(library=library).channels()}
    assert "counter" in details["gpu-0"].detail
    assert "power sensor" in details["gpu-1"].detail
    assert details["gpu"].evidence is Evidence.MEASURED
    library.gpus[2].energy_j = library.gpus[2].power_w = None
    details = {channel.component: channel for channel in NvmlMeter(library=library).channels()}
    assert details["gpu-2"].evidence is None
    assert details["gpu"].evidence is None  # a sum without it would be too low


def test_a_simulated_driver_is_flagged(nvml, monkeypatch):
    library = nvml()
    monkeypatch.setattr(library, "nvmlSystemGetDriverVersion", lambda: "999.1 (simulated)", raising=False)
    assert window(library, library.wait_for_samples)[1] == {Flag.SIMULATED}


def test_gpus_are_described(nvml):
    device = {"index": 0, "name": "Simulated GPU", "uuid": "GPU-0", "memory_bytes": 2**34, "driver": "999.1"}
    how = {"compute_mode": "default", "accounting": False, "virtualisation": "none", "not_attributable": []}
    assert describe_gpus(nvml()) == [device | how]


def test_a_gpu_that_cannot_be_described_after_the_window_loses_no_run(nvml, monkeypatch):
    library = nvml()

    def lost(*_):
        raise library.NVMLError("GPU is lost")

    monkeypatch.setattr(library, "nvmlDeviceGetName", lost, raising=False)
    monkeypatch.setattr(library, "nvmlDeviceGetComputeMode", lambda _: 99, raising=False)
    monkeypatch.setattr(library, "nvmlDeviceGetVirtualizationMode", lambda _: None, raising=False)
    monkeypatch.setattr(library, "nvmlDeviceGetAccountingMode", lost, raising=False)
    monkeypatch.setattr(library, "nvmlShutdown", lost, raising=False)
    (found,) = describe_gpus(library)
    assert found["name"] == "unknown" and found["memory_bytes"] == 2**34
    assert found["accounting"] is found["compute_mode"] is found["virtualisation"] is None
