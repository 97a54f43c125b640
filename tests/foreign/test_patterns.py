"""Arithmetic on windows that are made with or without each property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.foreign.patterns import constant_power_w, nested, per_size, split_runs

LENGTHS = st.lists(st.floats(0.5, 5000), min_size=3, max_size=40).filter(lambda t: max(t) > 1.06 * min(t))
POWER = st.floats(1e-3, 1e4)


@given(LENGTHS, POWER, st.integers(0, 2**32 - 1))
def test_a_constant_power_is_found_in_any_windows(lengths, power, seed):
    duration = np.array(lengths)
    late = np.random.default_rng(seed).uniform(0, 0.004, len(duration))
    short = np.array([1e-3, 0.3])  # windows too short to show anything
    energy = np.concatenate([power * (duration - late), short * power * 7])
    found = constant_power_w(energy, np.concatenate([duration, short]))
    assert found is None or found == pytest.approx(power, rel=9e-3)
    if min(lengths) > 5:
        assert found == pytest.approx(power, rel=1e-3)


@given(LENGTHS.filter(lambda t: min(t) > 2), POWER, st.floats(0.02, 0.5))
def test_a_power_that_varies_is_not_constant(lengths, power, swing):
    duration = np.array(lengths)
    sign = np.where(np.arange(len(duration)) % 2 == 0, 1, -1)
    assert constant_power_w(power * (1 + swing * sign) * duration, duration) is None


@pytest.mark.parametrize("lengths", [(), (5.0, 9.0), (5.0, 5.0, 5.1, 5.0), (0.1, 0.2, 0.3, 0.4)])
def test_too_few_windows_have_no_constant_power(lengths):
    duration = np.array(lengths)
    assert constant_power_w(11 * duration, duration) is None


def test_zero_power_is_not_a_constant():
    duration = np.array([1.0, 2.0, 3.0])
    assert constant_power_w(0 * duration, duration) is None


@given(st.lists(st.floats(1, 2000), min_size=2, max_size=6, unique=True), st.floats(0.01, 5))
def test_power_per_size(sizes, rate):
    powers = {size: rate * size for size in sizes}
    if max(sizes) < 1.05 * min(sizes):
        assert per_size(powers) is None
        return
    assert per_size(powers) == pytest.approx(rate)
    powers[max(sizes)] *= 1.02
    assert per_size(powers) is None


@pytest.mark.parametrize("powers", [{}, {16.0: 6.0}, {0.0: 0.0, 16.0: 6.0}, {8.0: 0.0, 16.0: 0.0}])
def test_power_per_size_needs_two_sizes_and_a_power(powers):
    assert per_size(powers) is None


@st.composite
def trains(draw):
    """Consecutive windows, and one inside each: starts, ends, starts, ends."""
    count = draw(st.integers(3, 30))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths, gaps = numbers.uniform(2, 30, count), numbers.uniform(0, 5, count)
    starts = 1e9 + np.cumsum(lengths + gaps) - lengths
    ends = starts + lengths
    return starts, ends, starts + 0.2 * lengths, ends - 0.1 * lengths


@given(trains(), st.booleans())
def test_nested_windows_find_their_outer_ones(train, backwards):
    starts, ends, inner_starts, inner_ends = train
    order = slice(None, None, -1) if backwards else slice(None)
    found = nested((starts[order], ends[order]), (inner_starts, inner_ends))
    assert found is not None
    expected = np.arange(len(starts))[order]
    assert dict(zip(found.inner, found.outer, strict=True)) == {
        int(i): int(np.flatnonzero(expected == i)[0]) for i in range(len(starts))
    }


@given(trains(), st.integers(-56, 56))
def test_nesting_finds_the_time_zone(train, quarters):
    starts, ends, inner_starts, inner_ends = train
    zones = tuple(sorted(900.0 * np.arange(-56, 57), key=abs))
    shift = 900.0 * quarters
    found = nested((starts + shift, ends + shift), (inner_starts, inner_ends), offsets_s=zones)
    assert found is not None and found.offset_s == shift and len(found.inner) == len(starts)


@given(trains())
def test_windows_at_other_times_are_not_nested(train):
    starts, ends, inner_starts, inner_ends = train
    away = ends[-1] - starts[0] + 60
    assert nested((starts, ends), (inner_starts + away, inner_ends + away)) is None
    assert nested((starts, ends), (starts - 20, ends + 20)) is None


def test_runs_split_at_pauses_and_when_epochs_restart():
    nothing = np.full(5, np.nan)
    starts, length = np.array([0.0, 10, 20, 500, 510]), np.full(5, 9.0)
    assert split_runs(starts, length, nothing).tolist() == [0, 0, 0, 1, 1]
    assert split_runs(nothing, nothing, np.array([0.0, 1, 0, 1, 2])).tolist() == [0, 0, 1, 1, 1]
    assert split_runs(np.array([]), np.array([]), np.array([])).tolist() == []
