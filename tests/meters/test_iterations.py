"""Durations and energies of a window's iterations."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.meters import iterations
from baler_energy.meters.iterations import Iterations, iteration_times
from baler_energy.meters.session import Session
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity


def energy(component: str, bound: float | None, evidence: Evidence = Evidence.MEASURED) -> Reading:
    return Reading.of(MeterName.RAPL, component, Quantity.ENERGY, 60.0, evidence, bound=bound)


@pytest.fixture
def taken(monkeypatch):
    """Record iterations that end at given times (s), while two counters grow by 10 W and 1 W."""

    def take(*ends_s: float) -> Iterations:
        now_s = iter(ends_s)
        read_at = []
        monkeypatch.setattr(iterations.time, "monotonic", lambda: read_at.append(next(now_s)) or read_at[-1])
        found = Iterations(lambda: {"rapl/cpu": 10 * read_at[-1], "rapl/dram": read_at[-1]}, 0.0)
        for end_s in ends_s:
            assert found.ended() == end_s
        monkeypatch.undo()
        return found

    return take


def values(found: Iterations, quantity: str, *readings: Reading) -> dict[str, list[float]]:
    by_component: dict[str, list[float]] = {}
    for _, _, component, name, value, _, _ in found.rows(readings):
        if name == quantity:
            by_component.setdefault(component, []).append(value)
    return by_component


def test_each_iteration_has_its_duration(taken):
    found = taken(1.0, 3.0, 3.5)
    assert len(found) == 3 and found.durations_s == [1.0, 2.0, 0.5]
    assert values(found, "iteration_duration") == {"machine": [1.0, 2.0, 0.5]}


def test_energies_are_those_between_reads_that_a_counter_resolves(taken):
    found = taken(1.0, 3.0, 3.5)
    # The median iteration used 20 and 5 J of the CPU, and 2 and 0.5 J of memory.
    assert values(found, "iteration_energy", energy("cpu", 1.0), energy("dram", 1.0)) == {"cpu": [20.0, 5.0]}
    assert values(found, "iteration_energy", energy("cpu", None)) == {}
    assert values(found, "iteration_energy", energy("cpu", 1.0, Evidence.MODELLED)) == {}


def test_no_counter_is_read_after_short_iterations_and_no_energy_spans_them(taken):
    found = taken(1.0, 2.0, 2.01, 2.02, 3.0, 4.0)
    assert values(found, "iteration_energy", energy("cpu", 0.1)) == {"cpu": [10.0, 10.0]}


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=50))
def test_the_summary_is_in_order_and_within_the_durations(durations_s):
    times = iteration_times(durations_s)
    in_order = [times.lower_quartile_s, times.median_s, times.upper_quartile_s, times.longest_s]
    assert in_order == sorted(in_order) and times.longest_s == max(durations_s)
    assert min(durations_s) <= times.lower_quartile_s


def test_a_disturbed_iteration_changes_the_longest_but_not_the_median(replay, settings, three_iterations):
    naps_s = iter([0.02, 0.02, 1.0])
    with Session([replay([6.0])], settings(min_window_s=0.1)) as session:
        outcome = session.run(lambda: time.sleep(next(naps_s)))
    times = outcome.iteration_times
    assert times.longest_s > 1.0 > 2 * times.median_s
    assert outcome.samples["quantity"].eq("iteration_duration").sum() == outcome.iterations == 3
    assert outcome.samples["value"].sum() == pytest.approx(outcome.window.duration_s, rel=0.01)


def test_only_meters_with_counters_are_read_between_iterations(replay, settings):
    silent, counter = replay([6.0], name=MeterName.CODECARBON), replay([6.0])
    counter.counts = True
    with Session([silent, counter], settings(min_window_s=0.0)) as session:
        session.run(lambda: time.sleep(0.06))
    assert counter.calls.count("energies_j") == 1 and "energies_j" not in silent.calls
