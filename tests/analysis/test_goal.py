"""The error that a user accepts."""

import pytest

from baler_energy.analysis.goal import MEASURES, Goal


@pytest.mark.parametrize("measure", MEASURES)
def test_a_goal_is_of_its_measure(measure: str) -> None:
    goal = Goal(0.01, measure)
    worse = {key: 1.0 for key, *_ in MEASURES.values()}
    assert goal.holds(worse | {goal.key: 0.01})
    assert not goal.holds(worse | {goal.key: 0.0101})
    assert goal.holds(worse | {goal.key: None, "trivial_max_over_range": None}), "all columns are constant"
    assert not goal.holds(worse | {goal.key: None, "trivial_max_over_range": 0.9}), "it overflows"
    assert "1 %" in goal.words


def test_lossless_allows_no_error() -> None:
    assert Goal(0.0).holds({"max_over_range": 0.0})
    assert not Goal(0.0).holds({"max_over_range": 1e-300})
    assert Goal(0.0).words == "no loss at all"
