"""A time limit that several tasks share."""

from baler_energy.time_limit import TimeLimit


def test_a_limit_starts_when_it_is_made_and_has_shares() -> None:
    now_s = 100.0
    limit = TimeLimit(10, lambda: now_s)
    assert not limit.over(0.5)
    now_s = 105.0
    assert limit.over(0.5)
    assert not limit.over()
    now_s = 110.0
    assert limit.over()


def test_no_time_is_over_at_once() -> None:
    assert TimeLimit(0).over()
    assert not TimeLimit(1e9).over()
