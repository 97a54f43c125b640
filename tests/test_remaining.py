"""The line that says what is left of a study."""

import logging
from collections import Counter

import pytest

from baler_energy import remaining


@pytest.fixture
def clock(monkeypatch):
    """Let the test set the time."""
    now_s = [100.0]
    monkeypatch.setattr(remaining.time, "monotonic", lambda: now_s[0])
    return now_s


def tell(handler, event, **facts):
    handler.emit(logging.makeLogRecord({"event": event} | facts))


def run(handler, clock, number, rule, took_s):
    tell(handler, "job_info", jobid=number, rule_name=rule)
    clock[0] += took_s
    tell(handler, "job_finished", job_id=number)


def test_steps_and_minutes_are_told_by_what_jobs_took_and_first_guesses(clock, capsys):
    left = Counter(train=10, parts=1, figures=2)
    handler = remaining.RemainingTime(lambda: left, {"parts": 200.0, "train": 1e6})
    for number, took_s in enumerate((10.0, 14.0)):
        run(handler, clock, number, "train", took_s)
    tell(handler, "progress")
    # 10 x 12 s, 200 s by the guess, and 2 x 12 s of a rule that is not known at all.
    assert capsys.readouterr().err == "13 steps left, about 6 min: 10 train, 1 parts, 2 figures.\n"


def test_jobs_side_by_side_and_those_that_run_shorten_what_is_left(clock, capsys):
    handler = remaining.RemainingTime(lambda: {"profile": 13}, {})
    for number in range(4):
        tell(handler, "job_info", jobid=number, rule_name="profile")
    clock[0] += 60
    for number in range(3):
        tell(handler, "job_finished", job_id=number)
    tell(handler, "progress")
    # Four at a time: 13 x 60 s, less the 60 s that one of them has run.
    assert capsys.readouterr().err == "13 steps left, about 3 min: 13 profile.\n"


def test_it_says_so_now_and_then_only_and_nothing_at_the_end(clock, capsys):
    left = {"train": 1}
    handler = remaining.RemainingTime(lambda: left, {})
    tell(handler, "progress")
    run(handler, clock, 1, "train", 20.0)
    tell(handler, "progress")
    tell(handler, "progress")
    assert capsys.readouterr().err == "1 step left, about 1 min: 1 train.\n"
    left.clear()
    clock[0] += 60
    tell(handler, "progress")
    tell(handler, "error")
    assert capsys.readouterr().err == ""
