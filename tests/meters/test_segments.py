"""Interrupted windows: what adds up, what is unknown, and what is flagged."""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.totals import relevant_flags
from baler_energy.meters.base import Channel
from baler_energy.meters.segments import Segment, joined
from baler_energy.meters.session import Outcome, Session
from baler_energy.records import Contamination, Idle, Reading, Window
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

START = datetime(2026, 1, 1, tzinfo=UTC)
amounts = st.floats(0.01, 1e6)


def energy(value, meter=MeterName.RAPL, evidence=Evidence.MEASURED, **more):
    return Reading.of(meter, "cpu", Quantity.ENERGY, value, evidence, **more)


def idle(power_w):
    reading = Reading.of(MeterName.RAPL, "cpu", Quantity.IDLE_POWER, power_w)
    return Idle(start=START, duration_s=1, shared=False, readings=(reading,))


def segment(duration_s, *energies, power_w=1.0, fraction=0.0):
    other = Contamination(fraction=fraction, other_cpu_s=fraction and fraction * duration_s, logical_cpus=1)
    return Segment(
        start=START, duration_s=duration_s, energies=energies, idle=idle(power_w), contamination=other, hostname="node"
    )


def outcome(duration_s, *readings, power_w=1.0, flags=(), fraction=0.0):
    from baler_energy.meters.derived import derived_readings

    return Outcome(
        result="network",
        iterations=1,
        window=Window(start=datetime(2026, 1, 2, tzinfo=UTC), duration_s=duration_s),
        readings=(*readings, *derived_readings(readings, idle(power_w), duration_s)),
        idle=idle(power_w),
        contamination=Contamination(fraction=fraction, other_cpu_s=fraction and fraction * duration_s, logical_cpus=1),
        flags=flags,
        samples=pd.DataFrame(),
    )


def found(result, quantity, meter=MeterName.RAPL):
    (reading,) = [r for r in result.readings if r.quantity is quantity and r.meter is meter]
    return reading


@given(st.lists(st.tuples(amounts, amounts, amounts), min_size=2, max_size=4))
def test_durations_energies_and_dynamic_energies_add_up(parts):
    *before, last = parts
    result = joined(
        [segment(t, energy(e), power_w=p) for t, e, p in before], outcome(last[0], energy(last[1]), power_w=last[2]), 1
    )
    duration_s, total_j = sum(t for t, _, _ in parts), sum(e for _, e, _ in parts)
    assert result.window.duration_s == pytest.approx(duration_s)
    assert result.window.start == START
    assert found(result, Quantity.ENERGY).value == pytest.approx(total_j)
    assert found(result, Quantity.POWER_MEAN).value == pytest.approx(total_j / duration_s)
    dynamic_j = sum(e - p * t for t, e, p in parts)
    scale = sum(e + p * t for t, e, p in parts)
    assert found(result, Quantity.DYNAMIC_ENERGY).value == pytest.approx(dynamic_j, abs=1e-9 * scale)
    assert Flag.RESUMED in result.flags


def test_a_counter_that_a_segment_lacks_is_null_with_the_reason():
    result = joined([segment(2, energy(3)), segment(2)], outcome(2, energy(4, bound=0.1)), 1)
    for quantity in (Quantity.ENERGY, Quantity.POWER_MEAN, Quantity.DYNAMIC_ENERGY):
        reading = found(result, quantity)
        assert reading.value is None and reading.bound is None
        assert "interrupted" in reading.reason and "could not be read within a window" in reading.reason
    assert Flag.MODELLED_ONLY in result.flags


def test_measured_and_modelled_segments_are_never_added():
    modelled = energy(3, MeterName.CODECARBON, Evidence.MODELLED)
    result = joined([segment(2, modelled)], outcome(2, energy(4, MeterName.CODECARBON)), 1)
    assert found(result, Quantity.ENERGY, MeterName.CODECARBON).value is None


def test_what_does_not_add_up_is_null_and_the_bounds_of_the_edges_grow():
    peak = Reading.of(MeterName.PROCESS, "process", Quantity.MEMORY_PEAK, 5.0)
    result = joined([segment(2, energy(3)), segment(1, energy(1))], outcome(2, energy(4, bound=0.1), peak), 1)
    assert found(result, Quantity.ENERGY).bound == pytest.approx(0.3)
    reading = found(result, Quantity.MEMORY_PEAK, MeterName.PROCESS)
    assert reading.value is None and "only energies are kept" in reading.reason


def test_the_flags_describe_the_whole_window():
    short = outcome(0.5, energy(4), flags=(Flag.BELOW_RESOLUTION, Flag.CONTAMINATED, Flag.THROTTLED), fraction=0.2)
    result = joined([segment(9.5, energy(3), fraction=0.01)], short, 5)
    assert result.flags == (Flag.RESUMED, Flag.THROTTLED)
    assert result.contamination.fraction == pytest.approx((0.2 * 0.5 + 0.01 * 9.5) / 10)
    assert result.contamination.other_cpu_s == pytest.approx(0.2 * 0.5 + 0.01 * 9.5)
    unknown = joined([segment(9.5, energy(3), fraction=None)], short, 5)
    assert unknown.contamination.fraction is None and unknown.contamination.other_cpu_s is None


def test_a_session_reports_what_it_has_measured_so_far(replay, settings):
    seen = []
    meters = [
        replay([2.0, 7.0]),
        replay([1.0, 1.0], name=MeterName.CODECARBON, evidence=Evidence.MODELLED),
        replay([1.0, 1.0], name=MeterName.HWMON, broken={"energies_j": OSError("gone")}),
    ]
    with Session(meters, settings(idle_s=0.1)) as session:
        session.run(lambda: seen.append(session.so_far()))
    energies = {reading.meter: (reading.value, reading.evidence) for reading in seen[-1].energies}
    assert energies == {"rapl": (0.5, "measured"), "codecarbon": (0.5, "modelled")}
    assert seen[0].duration_s > 0 and seen[0].idle is not None


def test_an_energy_that_a_segment_lacks_excludes_the_run_from_means():
    """A total of what is left would be too low."""
    result = joined([segment(2)], outcome(2, energy(4)), 1)
    assert found(result, Quantity.ENERGY).failed and Flag.COUNTER_FAULT in result.flags
    assert "counter_fault" in relevant_flags(result.flags, result.readings, uses_gpu=False)
    idle_less = segment(2, energy(3)).model_copy(update={"idle": None})
    whole = joined([idle_less], outcome(2, energy(4)), 1)
    assert found(whole, Quantity.DYNAMIC_ENERGY).value is None and Flag.COUNTER_FAULT not in whole.flags


@pytest.mark.parametrize("energy_j", [None, 1e9, -3.0])
def test_a_part_of_a_run_that_is_not_believed_has_no_energy(replay, settings, energy_j):
    """Nor has that of a tool that reads the same counters."""

    class Counter(replay):
        def energies_j(self):
            return {} if energy_j is None else {"cpu": energy_j}

    class Tool(replay):
        def channels(self):
            return (Channel("cpu", Evidence.MEASURED, "the same counters", source=MeterName.RAPL),)

    seen = []
    with Session([Counter([7.0]), Tool([7.0], name=MeterName.CODECARBON)], settings()) as session:
        last = session.run(lambda: seen.append(session.so_far()))
    assert not [reading for reading in seen[-1].energies if reading.value is not None]
    result = joined(seen[-1:], last, 1)
    for meter in (MeterName.RAPL, MeterName.CODECARBON):
        reading = found(result, Quantity.ENERGY, meter)
        assert reading.value is None and "interrupted" in reading.reason
    assert "reads the counters of rapl" in found(result, Quantity.ENERGY, MeterName.CODECARBON).reason


def test_flags_before_the_interruption_are_kept(replay, settings):
    seen = []
    meters = [replay([7.0], flags=[Flag.SHARED_GPU, Flag.COUNTER_FAULT])]
    with Session(meters, settings()) as session:
        last = session.run(lambda: seen.append(session.so_far()))
    assert seen[-1].flags == (Flag.SHARED_GPU,)
    assert Segment.model_validate_json(seen[-1].model_dump_json()) == seen[-1]
    result = joined(seen[-1:], replace(last, flags=()), 0.01)
    assert set(result.flags) - {Flag.CONTAMINATED} == {Flag.RESUMED, Flag.SHARED_GPU}
