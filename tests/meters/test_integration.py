"""Energy from sampled power, counters that do not change, and the baseline: property tests."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baler_energy.meters.counters import RisingCounter, StillWatch, WrappingCounter
from baler_energy.meters.derived import dynamic_energy_j
from baler_energy.meters.integration import gap_bound_j, integrate, window_energy_j

powers = st.floats(0, 1000)


@st.composite
def series(draw, least: int = 3):
    gaps = draw(st.lists(st.floats(0.01, 5), min_size=least - 1, max_size=20))
    times_s = np.concatenate([[0.0], np.cumsum(gaps)])
    return times_s, np.array(draw(st.lists(powers, min_size=len(times_s), max_size=len(times_s))))


@given(series(), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_windows_energy_is_the_sum_of_its_parts(made, first, second, third):
    times_s, powers_w = made
    begin_s, middle_s, end_s = sorted(fraction * times_s[-1] for fraction in (first, second, third))
    whole_j = window_energy_j(times_s, powers_w, begin_s, end_s)
    parts_j = window_energy_j(times_s, powers_w, begin_s, middle_s) + window_energy_j(
        times_s, powers_w, middle_s, end_s
    )
    assert whole_j == pytest.approx(parts_j, rel=1e-6, abs=1e-6)
    assert window_energy_j(times_s, powers_w, 0.0, times_s[-1]) == pytest.approx(integrate(times_s, powers_w))


@given(series(), st.floats(0, 1), st.floats(0, 1))
def test_a_straight_line_is_integrated_exactly_however_it_is_sampled(made, first, second):
    times_s, _ = made
    begin_s, end_s = sorted(fraction * times_s[-1] for fraction in (first, second))
    exact_j = 10 * (end_s - begin_s) + 3 * (end_s**2 - begin_s**2) / 2
    assert window_energy_j(times_s, 10 + 3 * times_s, begin_s, end_s) == pytest.approx(exact_j, rel=1e-9, abs=1e-6)


@given(series(), st.data())
def test_the_bound_holds_for_every_power_that_stays_between_its_samples(made, data):
    times_s, powers_w = made
    fine_s, fine_w = [], []
    for n in range(len(times_s) - 1):
        low, high = sorted(powers_w[n : n + 2])
        inside = data.draw(st.lists(st.floats(low, high), min_size=3, max_size=3))
        fine_s += list(np.linspace(times_s[n], times_s[n + 1], 5)[:-1])
        fine_w += [powers_w[n], *inside]
    true_j = integrate([*fine_s, times_s[-1]], [*fine_w, powers_w[-1]])
    edges_s = (0.0, times_s[-1])
    error_j = abs(window_energy_j(times_s, powers_w, *edges_s) - true_j)
    assert error_j <= gap_bound_j(times_s, powers_w, *edges_s) * (1 + 1e-9) + 1e-6


@given(series(), st.floats(0.001, 1), st.booleans())
def test_a_window_that_the_samples_do_not_cover_is_refused(made, beyond_s, before):
    times_s, powers_w = made
    begin_s, end_s = (-beyond_s, times_s[-1]) if before else (0.0, times_s[-1] + beyond_s)
    with pytest.raises(ValueError, match="do not cover"):
        window_energy_j(times_s, powers_w, begin_s, end_s)


@pytest.mark.parametrize(("gap_s", "length_s", "allowed"), [(5.0, 20.0, True), (5.5, 20.0, False), (9.0, 100.0, True)])
def test_power_is_not_interpolated_across_a_long_gap_in_the_window(gap_s, length_s, allowed):
    times_s = np.concatenate([np.arange(0.0, 8.0), np.arange(7.0 + gap_s, length_s + 8.0)])
    powers_w = np.full(len(times_s), 50.0)
    if allowed:
        assert window_energy_j(times_s, powers_w, 0.0, length_s) == pytest.approx(50.0 * length_s)
    else:
        with pytest.raises(ValueError, match="a gap of 6 s"):
            window_energy_j(times_s, powers_w, 0.0, length_s)
    assert window_energy_j(times_s, powers_w, 0.0, 6.0) == pytest.approx(300.0)  # the gap is after this window


@given(st.floats(0.001, 1), st.floats(10, 1000), st.floats(0, 0.99), st.lists(st.floats(0.001, 1), min_size=1))
def test_a_rising_counter_below_its_limit_is_believed_however_late_it_is_read(tick_s, limit_w, share, gaps):
    watch, now_s, shown_j = RisingCounter(limit_w, tick_s), 0.0, 0.0
    for gap_s in gaps:
        now_s += gap_s
        shown_j = share * limit_w * tick_s * np.floor(now_s / tick_s)
        assert watch.update(shown_j, now_s) is None
    assert "faster than" in watch.update(shown_j + 2 * limit_w * (tick_s + now_s + 0.1), now_s + 0.1)
    assert "it fell by" in watch.update(shown_j, now_s + 0.2)


@given(st.floats(0.0005, 2), st.lists(st.floats(0.0001, 0.9), min_size=1, max_size=40))
def test_a_ticking_counter_is_never_reported_as_stopped(tick_s, gaps):
    """However late the readings are, each includes all ticks up to its time."""
    watch, now_s = StillWatch(tick_s), 0.0
    for gap_s in gaps:
        now_s += gap_s
        assert watch.stopped(np.floor(now_s / tick_s), now_s) is None


@given(st.floats(0.0005, 1), st.floats(0.01, 0.5))
def test_a_counter_that_stops_is_detected(tick_s, gap_s):
    watch, limit_s, now_s, said = StillWatch(tick_s), max(3 * tick_s, 0.2), 0.0, None
    while said is None:
        assert now_s <= limit_s + gap_s + 1e-6
        now_s += gap_s
        said = watch.stopped(7.0, now_s)
    assert now_s - gap_s > limit_s - 1e-6
    assert "it stopped" in said


def test_a_counter_without_load_may_stay_unchanged():
    watch = StillWatch(0.001)
    assert all(watch.stopped(7.0, float(second), loaded=False) is None for second in range(10))
    assert watch.stopped(7.0, 9.1) is None
    assert "stopped for 1.00 s" in watch.stopped(7.0, 10.0)


@given(st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(0, 190)), min_size=1, max_size=30), st.integers(0, 10**8))
def test_a_wrapping_counter_recovers_the_energy_of_any_power_below_its_limit(steps, start_uj):
    max_uj, true_uj, now_s = 100_000_000, 0, 0.0
    counter = WrappingCounter(max_uj, limit_w=195.0)
    assume(start_uj < max_uj)
    assert counter.update(start_uj, now_s) is None
    for gap_s, power_w in steps:
        now_s += gap_s
        true_uj += int(power_w * gap_s * 1e6)
        assert counter.update((start_uj + true_uj) % max_uj, now_s) is None
    assert counter.total_uj == true_uj


@given(st.floats(0.001, 2), st.floats(0, 1), st.lists(st.floats(0.001, 1), min_size=1, max_size=30))
def test_a_slow_tick_is_no_jump(tick_s, share, gaps):
    """In a virtual machine a counter may advance once a second, by far more than its limit times the time of a poll."""
    counter, now_s = WrappingCounter(262_143_328_850, limit_w=260.0, tick_s=tick_s), 0.0
    for gap_s in gaps:
        now_s += gap_s
        assert counter.update(int(share * 65e6 * tick_s * np.floor(now_s / tick_s)), now_s) is None


@given(st.floats(0, 1e6), st.floats(0, 1e3), st.floats(0.1, 1e4), st.floats(0, 1e5))
def test_the_baseline_is_linear_and_idling_has_no_dynamic_energy(load_j, idle_w, duration_s, more_j):
    idle_j = idle_w * duration_s
    assert dynamic_energy_j(idle_j, idle_w, duration_s) == 0
    dynamic_j = dynamic_energy_j(load_j + idle_j, idle_w, duration_s)
    assert dynamic_j == pytest.approx(load_j, rel=1e-6, abs=1e-6 * (1 + idle_j))
    more = dynamic_energy_j(load_j + idle_j + more_j, idle_w, duration_s) - dynamic_j
    assert more == pytest.approx(more_j, rel=1e-6, abs=1e-6 * (1 + idle_j + load_j))
