"""The parts of a session: contamination, shared baselines, derived readings, poller, options."""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.config.measuring import Measurement
from baler_energy.errors import InputError, UnavailableError
from baler_energy.meters.base import prepare
from baler_energy.meters.contamination import CpuTimes, contamination, tree_cpu_s
from baler_energy.meters.derived import derived_readings
from baler_energy.meters.idle import IdleCache, baseline_key
from baler_energy.meters.options import add_session_arguments, make_meters, session_settings
from baler_energy.meters.poller import Poller, least_pause_s
from baler_energy.meters.process import ProcessMeter
from baler_energy.meters.settings import SessionSettings
from baler_energy.records import Idle, Reading
from baler_energy.vocabulary import STUDY_METERS, Evidence, MeterName, Quantity

seconds = st.floats(0, 1e6)


@given(seconds, seconds, st.floats(1e-3, 1e6), st.integers(1, 512))
def test_contamination_is_never_negative(machine_s, ours_s, duration_s, cpus):
    result = contamination(CpuTimes(0.0, 0.0, 0.0), CpuTimes(duration_s, machine_s, ours_s), cpus)
    assert result.other_cpu_s >= 0
    assert result.fraction >= 0
    if machine_s >= ours_s:
        assert result.fraction == pytest.approx((machine_s - ours_s) / (cpus * duration_s))


def test_an_empty_window_has_no_contamination_fraction():
    assert contamination(CpuTimes(1, 0, 0), CpuTimes(1, 0, 0), 2).fraction is None


def test_cpu_time_of_ended_and_living_children_is_ours():
    burn = "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n"
    before_s = tree_cpu_s()
    subprocess.run([sys.executable, "-c", burn], check=True)
    ended_s = tree_cpu_s()
    assert ended_s - before_s >= 0.2
    with subprocess.Popen([sys.executable, "-c", burn + "print(flush=True)\ninput()"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        living_s = tree_cpu_s()
        child.stdin.close()
    assert living_s - ended_s >= 0.15  # the kernel reports children's times in hundredths of a second


def idle(start: datetime, duration_s: float = 10.0) -> Idle:
    reading = Reading.of(MeterName.RAPL, "cpu", Quantity.IDLE_POWER, 11.0)
    return Idle(start=start, duration_s=duration_s, shared=False, readings=(reading,))


def test_shared_baseline_has_a_lifetime_and_a_minimum_length(tmp_path):
    cache = IdleCache(tmp_path, {"host": "a"})
    now = datetime.now(UTC)
    cache.store(idle(now - timedelta(seconds=110)))
    assert cache.load(lifetime_s=200, min_duration_s=10).shared
    assert cache.load(lifetime_s=50, min_duration_s=10) is None
    assert cache.load(lifetime_s=200, min_duration_s=20) is None
    cache.store(idle(now + timedelta(hours=1)))  # the clock was set back
    assert cache.load(lifetime_s=200, min_duration_s=10) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": {"host": "a"}}', '{"key": {"host": "a"}, "idle": {"a": 1}}'])
def test_a_damaged_baseline_counts_as_missing(tmp_path, text):
    cache = IdleCache(tmp_path, {"host": "a"})
    cache.path.write_text(text)
    assert cache.load(1e9, 0) is None


def test_a_baseline_with_another_key_is_not_used(tmp_path):
    cache = IdleCache(tmp_path, {"host": "a"})
    cache.store(idle(datetime.now(UTC) - timedelta(seconds=60)))
    assert cache.load(1e9, 0) is not None
    stored = json.loads(cache.path.read_text())
    cache.path.write_text(json.dumps({**stored, "key": {"host": "b"}}))
    assert cache.load(1e9, 0) is None
    assert IdleCache(tmp_path, {"host": "b"}).path != cache.path


def test_key_covers_meters_their_code_accelerator_and_whether_the_machine_is_simulated(replay, monkeypatch):
    keys = [
        baseline_key([replay()], accelerator=False),
        baseline_key([replay()], accelerator=True),
        baseline_key([replay(), replay(name=MeterName.NVML, component="gpu")], accelerator=False),
        baseline_key([replay(evidence=Evidence.MODELLED)], accelerator=False),
    ]
    monkeypatch.setattr("baler_energy.meters.idle.fingerprint", lambda *modules: "of edited code")
    keys.append(baseline_key([replay()], accelerator=False))
    monkeypatch.setattr("baler_energy.meters.idle.simulated", lambda: True)
    keys.append(baseline_key([replay()], accelerator=False))
    assert len({json.dumps(key) for key in keys}) == len(keys)


def test_derived_without_baseline_or_energy_has_a_reason():
    lost = Reading.of(MeterName.NVML, "gpu", Quantity.ENERGY, None, reason="fell off the bus")
    kept = Reading.of(MeterName.RAPL, "dram", Quantity.ENERGY, 3.0)
    for baseline in (None, idle(datetime.now(UTC))):
        readings = {(r.component, r.quantity): r for r in derived_readings([lost, kept], baseline, 2.0)}
        assert readings["gpu", Quantity.POWER_MEAN].reason == "fell off the bus"
        assert readings["gpu", Quantity.DYNAMIC_ENERGY].value is None
        assert readings["dram", Quantity.POWER_MEAN].value == 1.5
        assert readings["dram", Quantity.DYNAMIC_ENERGY].value is None
        assert readings["dram", Quantity.DYNAMIC_ENERGY].reason


def test_slow_reads_lengthen_the_pause_but_a_single_slow_read_does_not():
    assert least_pause_s([]) == 0.0
    assert least_pause_s([0.001] * 5) == pytest.approx(0.2)
    assert least_pause_s([0.001, 0.001, 0.3]) == pytest.approx(0.2)  # garbage collection slowed the last read
    assert least_pause_s([3.0] * 5) == 10.0  # much shorter than the time in which a counter wraps


def test_poller_goes_on_after_an_error_and_stops():
    count = []

    def read():
        count.append(None)
        if len(count) == 2:
            raise OSError("once")

    poller = Poller(read, 0.001)
    poller.stop()  # without start
    poller = Poller(read, 0.001)
    poller.start()
    deadline_s = time.monotonic() + 600
    while len(count) < 4 and time.monotonic() < deadline_s:
        time.sleep(0.001)
    poller.stop()
    seen = len(count)
    assert seen >= 4
    assert str(poller.error) == "once"
    time.sleep(0.01)
    assert len(count) == seen


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_session_arguments(parser)
    return parser.parse_args(words)


def test_options_default_to_all_meters_and_the_documented_settings():
    args = parse()
    assert args.meters == list(STUDY_METERS)
    assert session_settings(args) == SessionSettings()


def test_options_are_taken(tmp_path):
    args = parse(
        "--meters", "process", "rapl", "--min-window-s", "2", "--idle-s", "1", "--idle-lifetime-s", "60",
        "--idle-cache", str(tmp_path), "--sample-interval-s", "0.5", "--contamination-limit", "0.2",
    )  # fmt: skip
    assert args.meters == [MeterName.PROCESS, MeterName.RAPL]
    expected = SessionSettings(min_window_s=2, idle_s=1, idle_lifetime_s=60, idle_cache=tmp_path, sample_interval_s=0.5)
    assert session_settings(args) == replace(expected, contamination_limit=0.2)


def test_settings_are_declared_by_the_study_with_its_limits():
    args, section, settings = parse(), Measurement(), SessionSettings()
    for name in ("min_window_s", "idle_s", "idle_lifetime_s", "sample_interval_s", "contamination_limit"):
        assert getattr(args, name) == getattr(section, name) == getattr(settings, name)
    with pytest.raises(ValueError, match=r"greater than or equal to 0\.02"):
        Measurement(sample_interval_s=0.019)
    with pytest.raises(InputError, match=r"--sample-interval-s 0.019: should be greater than or equal to 0.02"):
        parse("--sample-interval-s", "0.019")
    with pytest.raises(InputError, match=r"sample_interval_s is 0.019; it must be at least 0.02"):
        SessionSettings(sample_interval_s=0.019)
    with pytest.raises(InputError, match=r"idle_s is 1000000000000.0; it must be at least 0 s and at most 2e\+06 s"):
        SessionSettings(idle_s=1e12)


def test_a_window_and_a_baseline_can_be_switched_off_on_the_command_line_only():
    args = parse("--min-window-s", "0", "--idle-s", "0")
    assert (args.min_window_s, args.idle_s) == (0, 0)
    with pytest.raises(InputError, match=r"--idle-s -1: should be greater than or equal to 0"):
        parse("--idle-s=-1")
    for name in ("min_window_s", "idle_s"):
        with pytest.raises(ValueError, match="greater than 0"):
            Measurement(**{name: 0})


def test_help_shows_the_defaults_of_the_stage():
    parser = argparse.ArgumentParser()
    add_session_arguments(parser)
    parser.set_defaults(min_window_s=1.5)
    text = " ".join(parser.format_help().split())
    assert "--min-window-s S" in text and "0: it runs once (default: 1.5)" in text
    assert "0: each job measures its own (default: 0.0)" in text


def test_an_unknown_meter_is_refused():
    with pytest.raises(argparse.ArgumentError, match="wattmeter"):
        parse("--meters", "wattmeter")


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_window_s", -1.0), ("idle_s", float("nan")), ("sample_interval_s", 0.0), ("contamination_limit", 5.0)],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=name):
        SessionSettings(**{name: value})


def test_a_selected_meter_must_be_available_but_a_default_meter_need_not(monkeypatch):
    monkeypatch.setattr("baler_energy.meters.options.absent_reason", lambda meter: "it is not there")
    assert [meter.name for meter in make_meters(STUDY_METERS)] == list(STUDY_METERS)
    with pytest.raises(UnavailableError, match=r"process .* it is not there"):
        make_meters([MeterName.PROCESS])


def test_meters_that_cannot_be_prepared_are_left_to_their_opening():
    prepared = []

    class Broken(ProcessMeter):
        def prepare(self):
            prepared.append(self)
            raise RuntimeError("can't start new thread")

    meters = [Broken(), Broken()]
    prepare(meters)
    assert prepared == meters
