"""How long each reason for low clocks applied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.throttled import NONE, shares, spans
from baler_energy.meters.throttling import REASONS


def test_a_sample_holds_until_the_next_and_reasons_overlap():
    found = spans([0.0, 1.0, 2.0, 4.0], [0, 0x4, 0x24, 0])
    assert found == {
        NONE: [(0.0, 1.0), (4.0, 6.0)],
        "power cap": [(1.0, 4.0)],
        "thermal, software": [(2.0, 4.0)],
    }
    assert list(found) == [NONE, "power cap", "thermal, software"]


def test_shares_are_of_the_window():
    times_s, masks = [-1.0, 1.0, 3.0, 4.0], [0x1, 0, 0x44, 0x44]
    assert shares(times_s, masks, 4.0) == {
        NONE: pytest.approx(0.5),
        "idle": pytest.approx(0.25),
        "power cap": pytest.approx(0.25),
        "thermal, hardware": pytest.approx(0.25),
    }


def test_times_without_samples_are_left_out():
    assert shares([1.0, 2.0], [0x4, 0], 10.0) == {NONE: pytest.approx(0.5), "power cap": pytest.approx(0.5)}
    assert shares([], [], 5.0) == {} and shares([1.0], [4], 5.0) == {}  # one sample has no duration
    assert shares([-3.0, -2.0], [4, 4], 5.0) == {}


def test_a_bit_without_a_name_is_given_by_its_number():
    assert spans([0.0, 1.0], [0x8004, 0]) == {
        NONE: [(1.0, 2.0)],
        "power cap": [(0.0, 1.0)],
        "bit 0x8000": [(0.0, 1.0)],
    }


@given(
    st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 0x7FF)), min_size=2, max_size=30),
    st.floats(-5, 0),
    st.floats(0.1, 20),
)
def test_shares_are_fractions_and_at_least_one_reason_applies(steps, begin_s, window_s):
    times_s, now_s = [], begin_s
    for step_s, _ in steps:
        times_s.append(now_s)
        now_s += step_s
    found = shares(times_s, [mask for _, mask in steps], window_s)
    assert all(0 < share <= 1 + 1e-9 for share in found.values())
    assert set(found) <= {NONE, *REASONS.values()}
    if found:
        assert sum(found.values()) >= 1 - 1e-9
