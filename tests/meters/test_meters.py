"""Meters that work on every machine (process, sampler, codecarbon), and the description of the machine."""

import json
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import pytest
from simulator.writer import MARK

from baler_energy.meters import process as process_module
from baler_energy.meters import sampler as sampler_module
from baler_energy.meters.base import absent_reason
from baler_energy.meters.codecarbon import CodecarbonMeter
from baler_energy.meters.process import ProcessMeter
from baler_energy.meters.sampler import SamplerMeter
from baler_energy.provenance import SIMULATED, frequency_policy, machine, provenance, simulated, software
from baler_energy.variants import METERS
from baler_energy.vocabulary import Evidence, Flag, Quantity


def ended(meter):
    """End a window and return its readings."""
    meter.end()
    return meter.readings()


def by_quantity(readings):
    return {reading.quantity: reading for reading in readings}


def test_process_counts_what_the_window_used(tmp_path):
    meter = ProcessMeter()
    meter.open()
    meter.begin()
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "file").read_bytes()
    start_s = time.process_time()
    while time.process_time() - start_s < 0.1:
        pass
    readings = by_quantity(ended(meter))
    meter.close()
    assert readings[Quantity.CPU_TIME].value >= 0.1
    assert readings[Quantity.BYTES_WRITTEN].value >= 3_000_000
    assert readings[Quantity.BYTES_READ].value >= 3_000_000
    peak = readings[Quantity.MEMORY_PEAK]
    assert peak.reason if peak.value is None else peak.value > 1_000_000


def test_process_peak_is_the_windows_own():
    code = """
from baler_energy.meters.process import ProcessMeter
from baler_energy.vocabulary import Quantity
def peak(size):
    meter.begin()
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    del block
    meter.end()
    return next(r for r in meter.readings() if r.quantity is Quantity.MEMORY_PEAK)
meter = ProcessMeter()
large, small = peak(300_000_000), peak(1)
print(large.value or 0, small.value or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    large_b, small_b = (float(word) for word in done.stdout.split())
    assert large_b > 300_000_000
    assert small_b < 300_000_000  # 0: null, if the kernel does not allow resetting the peak


#: Measures windows in which a child reads so many bytes, in a process that is smaller than the largest of them.
PARENT = """
import json, subprocess, sys
from baler_energy.meters.process import ProcessMeter
CHILD = '''
import sys
for line in sys.stdin:
    with open("/dev/zero", "rb") as zeros:
        block = zeros.read(int(line))
    block = None
    print("done", flush=True)
'''
meter = ProcessMeter()
with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    def window(size):
        meter.begin()
        child.stdin.write(b"%d\\n" % size)
        child.stdin.flush()
        child.stdout.readline()
        meter.end()
        return {reading.quantity: reading.value for reading in meter.readings()}
    print(json.dumps([window(size) for size in (500_000_000, 1)]))
"""


def test_process_sees_a_living_child():
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, check=True)
    large, after = json.loads(done.stdout)
    assert large[Quantity.BYTES_READ] >= 500_000_000
    assert after[Quantity.BYTES_READ] < 1_000_000
    assert large[Quantity.MEMORY_PEAK] > 500_000_000
    # null, if the kernel does not allow resetting the peak
    assert after[Quantity.MEMORY_PEAK] is None or after[Quantity.MEMORY_PEAK] < 500_000_000


@pytest.mark.parametrize(("own_b", "peak_b"), [(120, None), (900, 900)])
def test_a_peak_that_may_be_older_than_the_window_is_not_its_own(monkeypatch, own_b, peak_b):
    """A child's peak that cannot be reset was 500 before and after, so its peak in the window may be anything below."""
    before = {"own": process_module._Peak(100, True), "child": process_module._Peak(500, False)}
    monkeypatch.setattr(process_module, "_tree", lambda: list(before))
    monkeypatch.setattr(process_module, "_reset_peak", before.get)
    monkeypatch.setattr(process_module, "_resident_peak_b", {"own": own_b, "child": 500}.get)
    monkeypatch.setattr(process_module, "_bytes", lambda: None)
    meter = ProcessMeter()
    meter.begin()
    readings = by_quantity(ended(meter))
    assert readings[Quantity.MEMORY_PEAK].value == peak_b
    assert readings[Quantity.BYTES_READ].value is None and "kernel" in readings[Quantity.BYTES_READ].reason


def test_sampler_watches_load_and_memory():
    meter = SamplerMeter(sample_interval_s=0.02)
    meter.open()
    meter.begin()
    deadline_s = time.monotonic() + 600
    while "utilisation" not in {sample.quantity for sample in meter.samples()} and time.monotonic() < deadline_s:
        sum(range(100_000))
    readings = by_quantity(ended(meter))
    meter.close()
    assert 0 < readings[Quantity.UTILISATION_MEAN].value <= 1
    assert {("machine", "utilisation"), ("process", "memory")} <= {(s.component, s.quantity) for s in meter.samples()}
    for reading in readings.values():
        assert reading.value is not None or reading.reason


def test_bytes_that_a_process_took_with_it_are_missing_and_not_negative(monkeypatch):
    counts = iter([(5_000, 7_000), (5_001, 6_000)])
    monkeypatch.setattr(process_module, "_bytes", lambda: next(counts))
    meter = ProcessMeter()
    meter.begin()
    readings = by_quantity(ended(meter))
    for quantity in (Quantity.BYTES_READ, Quantity.BYTES_WRITTEN):
        assert readings[quantity].value is None and "outlived its parent" in readings[quantity].reason


def test_cpu_time_that_a_process_took_with_it_is_missing_and_not_zero(monkeypatch):
    used_s = iter([5.0, 4.0])
    monkeypatch.setattr(process_module, "tree_cpu_s", lambda: next(used_s))
    meter = ProcessMeter()
    meter.begin()
    reading = by_quantity(ended(meter))[Quantity.CPU_TIME]
    assert reading.value is None and "outlived its parent" in reading.reason


def test_a_failed_sample_is_the_reason_for_a_missing_temperature(monkeypatch):
    def fails():
        raise OSError("the sensor is gone")

    meter = SamplerMeter(sample_interval_s=0.02)
    meter.open()
    monkeypatch.setattr(sampler_module, "_temperature", fails)
    meter.begin()
    deadline_s = time.monotonic() + 600
    while meter._poller.error is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    readings = by_quantity(ended(meter))
    meter.close()
    for quantity in (Quantity.TEMPERATURE_MEAN, Quantity.TEMPERATURE_MAX, Quantity.CLOCK_MEAN):
        assert readings[quantity].value is None
        assert readings[quantity].reason == "sampling failed: the sensor is gone"


def test_sampler_flags_a_throttled_cpu(tmp_path):
    count = tmp_path / "cpu0" / "thermal_throttle" / "package_throttle_count"
    count.parent.mkdir(parents=True)
    count.write_text("7\n")
    meter = SamplerMeter(cpus=tmp_path)
    for later, flags in ((7, set()), (9, {Flag.THROTTLED})):
        meter.begin()
        count.write_text(f"{later}\n")
        meter.end()
        assert meter.flags() == flags


@pytest.fixture(scope="module")
def codecarbon_meter():
    meter = CodecarbonMeter()
    meter.open()
    yield meter
    meter.close()


def test_codecarbon_gives_the_windows_own_energy(codecarbon_meter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    meter = codecarbon_meter
    for _ in range(2):  # a second window contains nothing from the first
        before_s = time.monotonic()
        meter.begin()
        begun_s = time.monotonic()
        time.sleep(0.5)
        ending_s = time.monotonic()
        readings = {reading.component: reading for reading in ended(meter)}
        shortest_s, longest_s = ending_s - begun_s, time.monotonic() - before_s
        powers_w = [sample.value for sample in meter.samples() if sample.component == "ram"]
        assert readings["ram"].evidence is Evidence.MODELLED
        # The RAM model is a constant power, so its energy gives the window's length.
        power_w = sum(powers_w) / len(powers_w)
        assert 0.9 * shortest_s <= readings["ram"].value / power_w <= 1.1 * longest_s
        assert readings["cpu"].value > 0
    total = readings["machine"]
    if readings["cpu"].evidence is Evidence.MODELLED and "gpu" not in readings:
        assert total.value == pytest.approx(readings["cpu"].value + readings["ram"].value)
    else:
        assert total.value is None
    assert not list(tmp_path.iterdir())


def test_codecarbon_energy_within_the_window_never_falls(codecarbon_meter):
    meter = codecarbon_meter
    meter.begin()
    seen = []
    for _ in range(20):
        seen.append(meter.energies_j()["ram"])
        time.sleep(0.02)
    last_j = next(reading.value for reading in ended(meter) if reading.component == "ram")
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1]
    assert seen[-1] == pytest.approx(last_j, rel=0.5)


def test_codecarbon_windows_may_follow_immediately():
    meter = CodecarbonMeter()
    meter.open()
    try:
        for _ in range(2):
            meter.begin()
            time.sleep(0.06)
            assert all(reading.value != 0 for reading in ended(meter))
    finally:
        meter.close()


def test_codecarbon_ends_though_a_timer_ran_out_as_it_stopped():
    meter = CodecarbonMeter()
    meter.open()
    schedule = meter._tracker._scheduler_monitor_power
    start = schedule.start
    ran_out, restarted = threading.Event(), threading.Event()

    def late(*, from_run=False):
        """Restart the schedule as codecarbon's timer does, but only after it was stopped."""
        ran_out.set()
        while not schedule._stopped:
            time.sleep(0.001)
        start(from_run=from_run)
        restarted.set()

    schedule.start = late
    assert ran_out.wait(60)
    meter.close()
    assert restarted.wait(60)
    assert schedule._stopped and not schedule._timer.is_alive()


def test_codecarbon_that_did_not_start_can_be_closed(monkeypatch):
    def fail(self):
        raise OSError("no hardware")

    monkeypatch.setattr("codecarbon.emissions_tracker.BaseEmissionsTracker._ensure_hardware_ready", fail)
    meter = CodecarbonMeter()
    with pytest.raises(RuntimeError, match="does not start"):
        meter.open()
    meter.close()


def test_codecarbon_too_short_a_window_is_an_error_not_zero(codecarbon_meter):
    codecarbon_meter.begin()
    with pytest.raises(RuntimeError, match="no measurement"):
        codecarbon_meter.end()


def test_codecarbon_that_is_not_installed_is_absent(monkeypatch):
    monkeypatch.setattr("baler_energy.meters.codecarbon.find_spec", lambda name: None)
    assert "not installed" in absent_reason(CodecarbonMeter())


def test_provenance_is_json_with_what_is_needed(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    record = json.loads(json.dumps(provenance("measure"), allow_nan=False))
    assert record["slurm"]["job_id"] == "4711"
    assert record["machine"]["logical_cpus"] >= 1
    assert record["machine"]["memory_bytes"] > 0
    assert record["software"]["python"]
    assert len(record["source"]) == 16


def test_machine_and_software_describe_this_machine():
    assert machine()["hostname"]
    assert software()["psutil"]
    assert software()["pydantic"]


def test_software_has_what_meters_file_formats_and_generators_use_and_no_other_variants():
    found = software(*(METERS[name].module for name in ("codecarbon", "nvml", "rapl")))
    assert {"codecarbon", "pyRAPL", "nvidia-ml-py", "uproot", "h5py"} <= found.keys()
    assert not {"codecarbon", "onnxruntime"} & software().keys()
    if find_spec("pythia8mc"):
        assert "pythia8mc" in software()


def test_a_simulated_machine_is_recognised_by_a_file_next_to_its_counters(tmp_path):
    assert not simulated(tmp_path)
    (tmp_path / MARK).touch()
    assert simulated(tmp_path) and MARK == SIMULATED


@pytest.mark.parametrize(
    ("file", "text", "turbo"),
    [("intel_pstate/no_turbo", "1", False), ("intel_pstate/no_turbo", "0", True), ("cpufreq/boost", "1", True)],
)
def test_frequency_policy(tmp_path, file, text, turbo):
    for cpu, governor in (("cpu0", "powersave"), ("cpu1", "performance")):
        (tmp_path / cpu / "cpufreq").mkdir(parents=True)
        (tmp_path / cpu / "cpufreq" / "scaling_governor").write_text(governor + "\n")
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(text + "\n")
    assert frequency_policy(tmp_path) == {"governor": "performance+powersave", "turbo": turbo}
    assert frequency_policy(tmp_path / "absent") == {"governor": None, "turbo": None}
