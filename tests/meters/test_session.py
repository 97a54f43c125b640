"""The measured window."""

import json
import time

import pytest

from baler_energy.meters.base import Channel, Sample
from baler_energy.meters.derived import derived_flags
from baler_energy.meters.session import Session
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity


def value_of(readings, quantity, component="cpu", meter=MeterName.RAPL) -> Reading:
    found = [r for r in readings if (r.meter, r.component, r.quantity) == (meter, component, quantity)]
    assert len(found) == 1, found
    return found[0]


def work():
    time.sleep(0.01)


def test_repeats_until_the_window_is_long_enough(replay, settings):
    calls = []

    def operation():
        begin_s = time.monotonic()
        work()
        calls.append((begin_s, time.monotonic()))
        return len(calls)

    with Session([replay([6.0])], settings(min_window_s=0.2)) as session:
        outcome = session.run(operation)
    assert outcome.iterations == len(calls) == outcome.result
    assert outcome.window.duration_s >= 0.2
    assert all(end_s - calls[0][0] < 0.2 for _, end_s in calls[:-1]), "no iteration more than the window needs"
    assert Flag.BELOW_RESOLUTION not in outcome.flags


def test_once_runs_once_and_flags_a_short_window(replay, settings):
    with Session([replay([6.0])], settings(min_window_s=5.0)) as session:
        outcome = session.run(work, once=True)
    assert outcome.iterations == 1
    assert Flag.BELOW_RESOLUTION in outcome.flags


def test_gross_dynamic_and_mean_power(replay, settings):
    with Session([replay([2.0, 60.0])], settings(idle_s=0.1)) as session:
        outcome = session.run(work)
    idle_power_w = outcome.idle.readings[0]
    assert idle_power_w.quantity is Quantity.IDLE_POWER
    assert idle_power_w.value == pytest.approx(2.0 / outcome.idle.duration_s)
    assert value_of(outcome.readings, Quantity.ENERGY).value == 60.0
    assert value_of(outcome.readings, Quantity.POWER_MEAN).value == pytest.approx(60.0 / outcome.window.duration_s)
    expected_j = 60.0 - 2.0 / outcome.idle.duration_s * outcome.window.duration_s
    assert value_of(outcome.readings, Quantity.DYNAMIC_ENERGY).value == pytest.approx(expected_j)
    assert Flag.MODELLED_ONLY not in outcome.flags


def test_modelled_energy_has_no_dynamic_part(replay, settings):
    meter = replay([2.0, 60.0], name=MeterName.CODECARBON, evidence=Evidence.MODELLED)
    with Session([meter], settings(idle_s=0.05)) as session:
        outcome = session.run(work)
    dynamic = value_of(outcome.readings, Quantity.DYNAMIC_ENERGY, meter=MeterName.CODECARBON)
    assert dynamic.value is None
    assert "modelled" in dynamic.reason
    assert Flag.MODELLED_ONLY in outcome.flags


def test_the_window_contains_only_the_operation(replay, settings):
    meter = replay([1.0, 1.0])
    log = meter.calls
    with Session([meter], settings(idle_s=0.01, min_window_s=0.0), synchronise=lambda: log.append("sync")) as session:
        session.run(lambda: log.append("operation"), warm_up=lambda: log.append("warm-up"))
    assert log == [
        "open", "sync", "begin", "end", "readings",  # the idle baseline, including the accelerator's context
        "warm-up", "sync", "begin", "operation", "sync", "end", "readings", "close",
    ]  # fmt: skip


def test_counters_are_read_next_to_the_operation(replay, settings):
    order = []

    class Noting(replay):
        def begin(self):
            order.append(f"+{self.name}")

        def end(self):
            order.append(f"-{self.name}")
            super().end()

        def readings(self):
            order.append("slow")
            return super().readings()

    meters = [
        Noting([1.0], name=name, evidence=Evidence.MODELLED)
        for name in (MeterName.RAPL, MeterName.CODECARBON, MeterName.NVML)
    ]
    with Session(meters, settings()) as session:
        session.run(work)
    assert order == ["+codecarbon", "+nvml", "+rapl", "-rapl", "-nvml", "-codecarbon", *["slow"] * 3]


@pytest.mark.parametrize("method", ["open", "begin", "end", "readings"])
def test_a_failing_meter_is_null_with_a_reason_and_never_kills_the_run(replay, settings, method):
    bad = replay([1.0, 1.0], broken={method: OSError("the counter is gone")})
    good = replay([7.0], name=MeterName.NVML, component="gpu")
    with Session([bad, good], settings()) as session:
        outcome = session.run(lambda: "result")
    assert outcome.result == "result"
    reading = value_of(outcome.readings, Quantity.ENERGY)
    assert reading.value is None
    assert "the counter is gone" in reading.reason
    assert value_of(outcome.readings, Quantity.ENERGY, "gpu", MeterName.NVML).value == 7.0
    assert Flag.COUNTER_FAULT in outcome.flags
    assert bad.calls[-1] == "close"


class Broken:
    """Mixed into a meter: one of its methods raises once the window has ended."""

    method = ""

    def __getattribute__(self, name):
        if name == type(self).method and "end" in self.calls:
            return self.fail
        return super().__getattribute__(name)

    def fail(self):
        raise OSError("the counter is gone")


@pytest.mark.parametrize("method", ["channels", "readings", "flags", "samples"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_exception_of_a_meter_after_the_window_does_not_lose_the_run(replay, settings, method, fails):
    """Whatever the meter raises, and whether or not its readings failed before."""
    kind = type("BrokenMeter", (Broken, replay), {"method": method})
    broken = {"readings": OSError("unreadable")} if fails else {}
    bad, good = kind([5.0], broken=broken), replay([7.0], name=MeterName.NVML, component="gpu")
    with Session([bad, good], settings()) as session:
        outcome = session.run(lambda: "result")
    assert outcome.result == "result"
    assert value_of(outcome.readings, Quantity.ENERGY, "gpu", MeterName.NVML).value == 7.0
    reading = value_of(outcome.readings, Quantity.ENERGY)
    lost = fails or method == "readings"
    assert reading.value == (None if lost else 5.0)
    assert (Flag.COUNTER_FAULT in outcome.flags) is (lost or method == "flags")


def test_a_meter_that_cannot_list_what_it_reads_is_null_with_the_reason(replay, settings):
    def fail():
        raise OSError("no such folder")

    bad = replay([5.0])
    bad.channels = fail
    with Session([bad, replay([1.0, 7.0], name=MeterName.NVML, component="gpu")], settings(idle_s=0.01)) as session:
        outcome = session.run(work)
    (reading,) = [r for r in outcome.readings if (r.meter, r.quantity) == (MeterName.RAPL, Quantity.ENERGY)]
    assert reading.value is None and "no such folder" in reading.reason
    assert Flag.COUNTER_FAULT in outcome.flags


def test_a_broken_sampler_is_no_fault_of_a_counter(replay, settings):
    class Sampler(replay):
        def channels(self):
            return (Channel("machine", Evidence.MEASURED, "load", energy=False),)

    sampler = Sampler(name=MeterName.SAMPLER, broken={"end": OSError("gone")})
    with Session([replay([5.0]), sampler], settings()) as session:
        outcome = session.run(work)
    assert Flag.COUNTER_FAULT not in outcome.flags


@pytest.mark.parametrize(
    ("energy_j", "reason", "failed"),
    [(0.0, "did not advance", False), (-3.0, "wrapped or was reset", True), (1e9, "more than any machine draws", True)],
)
def test_an_energy_that_no_machine_uses_is_missing(replay, settings, energy_j, reason, failed):
    with Session([replay([energy_j], name=MeterName.CODECARBON)], settings(idle_s=0.0)) as session:
        outcome = session.run(work)
    for quantity in (Quantity.ENERGY, Quantity.POWER_MEAN, Quantity.DYNAMIC_ENERGY):
        reading = value_of(outcome.readings, quantity, meter=MeterName.CODECARBON)
        assert reading.value is None and reason in reading.reason
    assert (Flag.COUNTER_FAULT in outcome.flags) is failed
    assert Flag.MODELLED_ONLY in outcome.flags


def test_an_idle_power_of_zero_is_missing(replay, settings):
    with Session([replay([0.0, 60.0])], settings(idle_s=0.02)) as session:
        outcome = session.run(work)
    assert outcome.idle.readings[0].value is None
    assert value_of(outcome.readings, Quantity.ENERGY).value == 60.0
    dynamic = value_of(outcome.readings, Quantity.DYNAMIC_ENERGY)
    assert dynamic.value is None and "no idle power: 0 J" in dynamic.reason


@pytest.mark.parametrize("rapl_j", [OSError("a package is missing"), 0.0, 50.0])
def test_a_tool_that_reads_the_counters_of_a_meter_does_not_replace_what_that_meter_doubts(replay, settings, rapl_j):
    class Tool(replay):
        def channels(self):
            return (Channel("cpu", Evidence.MEASURED, "the same counters", source=MeterName.RAPL),)

    meters = [replay([rapl_j]), Tool([30.0], name=MeterName.CODECARBON)]
    with Session(meters, settings()) as session:
        outcome = session.run(work)
    reading = value_of(outcome.readings, Quantity.ENERGY, meter=MeterName.CODECARBON)
    if rapl_j == 50.0:
        assert reading.value == 30.0
    else:
        assert reading.value is None
        assert value_of(outcome.readings, Quantity.ENERGY).reason in reading.reason


def test_a_tools_sum_lacks_a_part_that_is_withheld(replay, settings):
    class Tool(replay):
        def channels(self):
            return tuple(Channel(name, Evidence.MODELLED, "a model") for name in ("cpu", "ram", "machine"))

        def readings(self):
            values = {"cpu": 0.0, "ram": 5.0, "machine": 5.0}
            kind = Quantity.ENERGY, Evidence.MODELLED
            return [Reading.of(self.name, name, kind[0], value, kind[1]) for name, value in values.items()]

    with Session([Tool([0.0], name=MeterName.CODECARBON)], settings()) as session:
        readings = session.run(work).readings
    found = {
        name: value_of(readings, Quantity.ENERGY, name, MeterName.CODECARBON) for name in ("cpu", "ram", "machine")
    }
    assert [one.value for one in found.values()] == [None, 5.0, None]
    assert "a part of it, cpu, is missing: " in found["machine"].reason


def test_a_fault_in_the_idle_baseline_only_affects_the_dynamic_energy(replay, settings):
    with Session([replay([OSError("busy"), 60.0])], settings(idle_s=0.02)) as session:
        outcome = session.run(work)
    assert value_of(outcome.readings, Quantity.ENERGY).value == 60.0
    dynamic = value_of(outcome.readings, Quantity.DYNAMIC_ENERGY)
    assert dynamic.value is None
    assert "busy" in dynamic.reason


def test_an_absent_meter_is_null_with_a_reason_and_no_fault(replay, settings):
    with Session([replay(evidence=None)], settings(idle_s=0.02)) as session:
        outcome = session.run(work)
    reading = value_of(outcome.readings, Quantity.ENERGY)
    assert (reading.value, reading.reason) == (None, "a replayed log")
    assert Flag.COUNTER_FAULT not in outcome.flags
    assert Flag.MODELLED_ONLY in outcome.flags


def test_energies_within_the_window(replay, settings):
    meters = [
        replay([1.0]),
        replay([1.0], name=MeterName.NVML, component="gpu", broken={"energies_j": OSError("lost")}),
    ]
    with Session(meters, settings()) as session:
        outcome = session.run(session.energies_j)
    assert outcome.result == {"rapl/cpu": 0.5}
    assert value_of(outcome.readings, Quantity.ENERGY, "gpu", MeterName.NVML).value is None


def test_flags_of_meters_are_copied_to_the_record(replay, settings):
    with Session([replay([1.0], flags=[Flag.THROTTLED, Flag.SHARED_GPU])], settings()) as session:
        outcome = session.run(work)
    assert {Flag.THROTTLED, Flag.SHARED_GPU} <= set(outcome.flags)


def test_samples_are_a_long_table_from_the_windows_start(replay, settings):
    def late():
        meter._samples = [Sample(time.monotonic(), "cpu", "power", 5.0)]
        work()

    meter = replay([1.0])
    with Session([meter], settings(min_window_s=0.0)) as session:
        frame = session.run(late).samples
    assert list(frame.columns) == ["time_s", "meter", "component", "quantity", "value", "unit", "evidence"]
    row = frame.iloc[0].to_dict()
    assert 0 <= row.pop("time_s") < 5
    assert list(row.values()) == ["rapl", "cpu", "power", 5.0, "W", "measured"]


def test_without_samples_of_a_meter_the_columns_have_their_types(replay, settings):
    with Session([replay([1.0])], settings()) as session:
        frame = session.run(work).samples
    assert set(frame["meter"]) == {"session"}
    assert str(frame.dtypes["value"]) == str(frame.dtypes["time_s"]) == "float64"


def test_an_exception_in_the_operation_closes_everything(replay, settings):
    meter = replay([1.0])

    def operation():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Session([meter], settings()) as session:
        session.run(operation)
    assert meter.calls == ["open", "begin", "end", "close"]
    with Session([replay([1.0])], settings()) as session:  # the lock is free again
        session.run(work)


def test_baselines_are_shared_within_their_lifetime(replay, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("baler_energy.meters.contamination._machine_cpu_s", lambda: 0.0)  # nothing else runs
    shared = settings(idle_s=0.05, idle_cache=tmp_path / "idle", idle_lifetime_s=600.0)
    outcomes = []
    for energies in ([2.0, 60.0], [60.0]):  # the second needs no idle window
        with Session([replay(energies)], shared) as session:
            outcomes.append(session.run(work))
    first, second = (outcome.idle for outcome in outcomes)
    assert not first.shared
    assert second.shared
    assert second.readings == first.readings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("duration_s", 1e300),
        ("duration_s", -1.0),
        ("start", "9999-12-31T23:59:59Z"),
        ("readings", [{}]),
        ("readings", -2.0),
        (None, None),
    ],
)
def test_a_stored_baseline_that_cannot_be_is_measured_again(replay, settings, tmp_path, monkeypatch, key, value):
    monkeypatch.setattr("baler_energy.meters.contamination._machine_cpu_s", lambda: 0.0)  # nothing else runs
    shared = settings(idle_s=0.05, idle_cache=tmp_path / "idle", idle_lifetime_s=600.0)
    with Session([replay([2.0, 60.0])], shared) as session:
        session.run(work)
    (path,) = (tmp_path / "idle").iterdir()
    stored = json.loads(path.read_text())
    if key is None:
        stored["idle"] = "damaged"
    elif value == -2.0:
        stored["idle"]["readings"][0]["value"] = value
    else:
        stored["idle"][key] = value
    path.write_text(json.dumps(stored))
    with Session([replay([3.0, 60.0])], shared) as session:
        idle = session.run(work).idle
    assert not idle.shared and idle.readings[0].value == pytest.approx(3.0 / idle.duration_s)


def test_a_disturbed_baseline_is_not_shared(replay, settings, tmp_path, monkeypatch, capsys):
    seconds = iter(range(0, 10**9, 10**6))
    monkeypatch.setattr("baler_energy.meters.contamination._machine_cpu_s", lambda: next(seconds))
    shared = settings(idle_s=0.02, idle_cache=tmp_path / "idle", idle_lifetime_s=600.0)
    with Session([replay([2.0, 60.0])], shared) as session:
        session.run(work)
    assert "is not idle" in capsys.readouterr().err
    assert not (tmp_path / "idle").exists()


def test_a_faulty_baseline_is_not_shared(replay, settings, tmp_path):
    shared = settings(idle_s=0.02, idle_cache=tmp_path / "idle", idle_lifetime_s=600.0)
    with Session([replay([OSError("busy"), 60.0])], shared) as session:
        session.run(work)
    assert not (tmp_path / "idle").exists()


def test_every_record_of_a_simulated_machine_says_so_whatever_its_meters(replay, settings, monkeypatch):
    monkeypatch.setattr("baler_energy.meters.session.simulated", lambda: True)
    seen = []
    with Session([replay([1.0], name=MeterName.CODECARBON)], settings()) as session:
        outcome = session.run(lambda: seen.append(session.so_far()))
    assert Flag.SIMULATED in outcome.flags and all(one.flags == (Flag.SIMULATED,) for one in seen)


def test_foreign_load_is_flagged(replay, settings, monkeypatch):
    times = iter([100.0, 100.0 + 1e6])
    monkeypatch.setattr("baler_energy.meters.contamination._machine_cpu_s", lambda: next(times))
    with Session([replay([1.0])], settings()) as session:
        outcome = session.run(work)
    assert outcome.contamination.fraction > 0.05
    assert Flag.CONTAMINATED in outcome.flags


def test_the_limit_of_foreign_load_is_a_setting(replay, settings):
    with Session([replay([1.0])], settings(contamination_limit=0.4)) as session:
        outcome = session.run(work)
    assert outcome.contamination.limit == 0.4
    for fraction, flags in ((0.3, set()), (0.5, {Flag.CONTAMINATED}), (None, set())):
        other = outcome.contamination.model_copy(update={"fraction": fraction})
        assert derived_flags(outcome.readings, other, long_enough=True) == flags
