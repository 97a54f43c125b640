"""The line that reports how much of a study is left."""

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


def send(handler, event, **facts):
    handler.emit(logging.makeLogRecord({"event": event} | facts))


def run(handler, clock, number, rule, took_s):
    send(handler, "job_info", jobid=number, rule_name=rule)
    clock[0] += took_s
    send(handler, "job_finished", job_id=number)


def test_steps_and_minutes_follow_from_durations_and_guesses(clock, capsys):
    left = Counter(train=10, parts=1, figures=2)
    handler = remaining.RemainingTime(lambda: left, {"parts": 200.0, "train": 1e6})
    for number, took_s in enumerate((10.0, 14.0)):
        run(handler, clock, number, "train", took_s)
    send(handler, "progress")
    # 10 x 12 s, 200 s from the guess, and 2 x 12 s for a rule without a guess.
    assert capsys.readouterr().err == "13 steps left, about 6 min: 10 train, 1 parts, 2 figures.\n"


def test_parallel_and_running_jobs_shorten_what_is_left(clock, capsys):
    handler = remaining.RemainingTime(lambda: {"profile": 13}, {})
    for number in range(4):
        send(handler, "job_info", jobid=number, rule_name="profile")
    clock[0] += 60
    for number in range(3):
        send(handler, "job_finished", job_id=number)
    send(handler, "progress")
    # Four at a time: 13 x 60 s, minus 60 s that the running job has taken.
    assert capsys.readouterr().err == "13 steps left, about 3 min: 13 profile.\n"


def test_lines_are_printed_at_intervals_and_not_at_the_end(clock, capsys):
    left = {"train": 1}
    handler = remaining.RemainingTime(lambda: left, {})
    send(handler, "progress")
    run(handler, clock, 1, "train", 20.0)
    send(handler, "progress")
    send(handler, "progress")
    assert capsys.readouterr().err == "1 step left, about 1 min: 1 train.\n"
    left.clear()
    clock[0] += 60
    send(handler, "progress")
    send(handler, "error")
    assert capsys.readouterr().err == ""
