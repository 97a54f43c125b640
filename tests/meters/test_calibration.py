"""The calibration of a machine with known ticks."""

import argparse
import json
import math
import time
from itertools import pairwise
from statistics import median, stdev
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.cores import physical_cores
from baler_energy.errors import InputError
from baler_energy.meters.base import Channel, Meter
from baler_energy.meters.calibration import (
    Calibration,
    calibrated_min_window_s,
    calibrated_threads,
    calibration_rows,
    shortest_window_s,
    slice_powers_w,
    thread_sentence,
)
from baler_energy.meters.settings import SessionSettings
from baler_energy.meters.ticks import watch_ticks
from baler_energy.records import Reading
from baler_energy.stages.calibrate import _overhead_rows, add_arguments, calibrate, summary
from baler_energy.stages.thread_costs import candidates
from baler_energy.vocabulary import Evidence, MeterName, Quantity

#: Length of the shortest calibration (s).
SHORTEST_S = 0.05


class Ticking(Meter):
    """A counter of 50 W that ticks every 10 ms, with a journal of its reads."""

    name = MeterName.RAPL
    counts = True

    def __init__(self):
        self.windows = []

    def channels(self):
        return (Channel("package-0", Evidence.MEASURED, "a counter"), Channel("cpu", Evidence.MEASURED, "its sum"))

    def begin(self):
        self.begin_s = time.monotonic()
        self.windows.append([])

    def energies_j(self):
        now_s = time.monotonic()
        ticks = math.floor((now_s - self.begin_s) / 0.01)
        self.windows[-1].append((now_s, ticks))
        return {"package-0": 0.5 * ticks, "cpu": 0.5 * ticks}

    def tick_as_seen_s(self):
        """Median time between reads that saw a new tick in the second window; longer if the machine is busy."""
        changes_s = [now_s for (_, before), (now_s, ticks) in pairwise(self.windows[1]) if ticks > before]
        return median(later_s - earlier_s for earlier_s, later_s in pairwise(changes_s))

    def end(self):
        self.end_j = self.energies_j()

    def readings(self):
        return [Reading.of(self.name, name, Quantity.ENERGY, value) for name, value in self.end_j.items()]


@pytest.fixture(scope="module")
def ticking():
    return Ticking()


@pytest.fixture(scope="module")
def calibration(ticking, tmp_path_factory):
    settings = SessionSettings(min_window_s=0.0, idle_s=0.0, lock=tmp_path_factory.mktemp("lock") / "lock")
    return calibrate([ticking], settings, 1.0)


def values(calibration: Calibration, quantity: str) -> dict[str, float | None]:
    return {row.component: row.value for row in calibration.rows if row.quantity == quantity}


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"threads-1": 2.0, "threads-2": 1.5, "threads-10": 1.0}, "0.75 on 2 threads, 0.50 on 10 threads"),
        ({"threads-1": 2.0, "threads-2": 3.0}, "1.50 on 2 threads; more threads do not pay off here"),
    ],
)
def test_the_gain_of_threads_is_reported(costs, said):
    sentence = thread_sentence(costs, "energy_per_row")
    assert sentence == f"energy per row of the fast engine's training, relative to one thread: {said}"


def test_one_number_of_threads_shows_no_gain():
    assert thread_sentence({"threads-1": 2.0}, "time_per_row") is None
    assert thread_sentence({}, "time_per_row") is None


def test_idle_power_tick_window_and_overhead_are_found(calibration, ticking, tmp_path):
    idle = values(calibration, "idle_power")
    assert idle == {"package-0": pytest.approx(50.0, rel=0.1), "cpu": pytest.approx(50.0, rel=0.1)}
    tick_s = values(calibration, "tick")["package-0"]
    assert tick_s == pytest.approx(ticking.tick_as_seen_s(), rel=0.2)
    assert values(calibration, "shortest_window") == {"package-0": pytest.approx(200 * tick_s)}
    assert calibration.shortest_window_s == pytest.approx(200 * tick_s)
    assert 0 <= values(calibration, "overhead_cpu")["machine"] < 1
    assert "machine" in values(calibration, "overhead_duration")
    assert "package-0" in summary(calibration)
    calibration.write(tmp_path / "c.json")
    assert Calibration.read(tmp_path / "c.json") == calibration
    assert {row["unit"] for row in calibration_rows(calibration)} == {"W", "s", "1", "J"}


def test_an_idle_power_that_is_withheld_is_missing(tmp_path):
    class Withheld(Ticking):
        def readings(self):
            first, second = self.end_j.items()
            return [
                Reading.of(self.name, first[0], Quantity.ENERGY, first[1]),
                Reading.of(self.name, second[0], Quantity.ENERGY, None, reason="a part of it is a copy"),
            ]

    settings = SessionSettings(min_window_s=0.0, idle_s=0.0, lock=tmp_path / "lock")
    rows = {row.component: row for row in calibrate([Withheld()], settings, 0.5).rows if row.quantity == "idle_power"}
    assert rows["package-0"].value == pytest.approx(50.0, rel=0.2)
    assert (rows["cpu"].value, rows["cpu"].detail) == (None, "a part of it is a copy")


def test_an_effect_below_its_spread_is_not_stated(calibration):
    alone_s, measured_s = [1.0, 1.9, 0.4, 1.0], [0.7, 0.78, 0.86]
    (of_cpu, of_duration) = _overhead_rows([(0.0, 0.0), (1.0, 0.004), (2.0, 0.0085)], alone_s, measured_s)
    # The median of the measured loops is 22 % below that of the others, which vary by 62 %; both vary.
    assert of_duration.value == pytest.approx(-0.22)
    assert of_duration.spread == pytest.approx(math.hypot(stdev(measured_s), stdev(alone_s)))
    said = summary(calibration.model_copy(update={"rows": (of_cpu, of_duration)}))
    assert "not distinguishable from zero (spread 0.62); how much longer a loop takes" in said
    assert "0.00425 +- 0.00035 (n = 2)" in said and "-0.22" not in said


def test_a_study_keeps_to_the_shortest_window_on_this_kind_of_machine_only(calibration, tmp_path, capsys):
    path = tmp_path / "c.json"
    calibration.write(path)
    assert calibrated_min_window_s(path, 0.5) == pytest.approx(calibration.shortest_window_s)
    assert "instead of 0.5 s" in capsys.readouterr().err
    assert calibrated_min_window_s(path, 100.0) == 100.0
    assert calibrated_threads(path) == calibration.threads
    changed = json.loads(path.read_text())
    changed["machine"]["cpu_model"] = "another CPU"
    path.write_text(json.dumps(changed))
    assert calibrated_min_window_s(path, 0.5) == 0.5
    assert calibrated_threads(path) is None
    assert capsys.readouterr().err.count("another kind of machine") == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"machine": {}, "rows": [], "provenance": {}}'])
def test_a_damaged_calibration_is_reported(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        calibrated_min_window_s(path, 1.0)
    with pytest.raises(InputError, match=r"none\.json"):
        calibrated_min_window_s(tmp_path / "none.json", 1.0)


def test_a_machine_without_counters_is_reported(settings, replay):
    meter = replay([1.0] * 5, name=MeterName.CODECARBON, evidence=Evidence.MODELLED)
    calibration = calibrate([meter], settings(min_window_s=0.0), SHORTEST_S)
    (tick,) = [row for row in calibration.rows if row.quantity == "tick"]
    assert (tick.value, tick.detail) == (None, "no meter here reads a counter")
    assert calibration.shortest_window_s == 0.0


def test_the_threads_that_cost_least_are_found(calibration):
    costs = values(calibration, "energy_per_row")
    assert list(costs) == [f"threads-{n}" for n in candidates(physical_cores())]
    # The largest number uses every core.
    leaving_one_free = [*costs][:-1] or [*costs]
    assert calibration.threads == int(min(leaving_one_free, key=costs.get).removeprefix("threads-"))
    assert "threads" in summary(calibration)


def test_a_calibration_without_threads_has_no_number_of_threads(calibration, tmp_path):
    path = tmp_path / "c.json"
    older = [row for row in calibration.rows if row.quantity not in ("energy_per_row", "threads")]
    calibration.model_copy(update={"rows": tuple(older)}).write(path)
    assert calibrated_threads(path) is None


def test_the_shortest_calibration_still_finds_all(settings):
    calibration = calibrate([Ticking()], settings(min_window_s=0.0), SHORTEST_S)
    # Five ticks: the first and the last may be cut off.
    assert values(calibration, "idle_power")["package-0"] == pytest.approx(50.0, rel=0.4)
    assert calibration.shortest_window_s == pytest.approx(200 * values(calibration, "tick")["package-0"])
    found = {row.quantity for row in calibration.rows}
    assert found >= {"overhead_cpu", "overhead_duration", "threads"}
    assert calibration.threads in candidates(physical_cores())


@pytest.mark.parametrize("length_s", [SHORTEST_S / 2, math.inf, math.nan])
def test_an_invalid_length_is_refused(length_s):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(InputError, match=f"--calibrate-s {length_s}: should be (a finite|greater than or equal to)"):
        parser.parse_args(["--out", "calibration.json", f"--calibrate-s={length_s}"])


@given(st.floats(1e-4, 1.0), st.floats(0.1, 1e3))
def test_two_ticks_are_a_percent_of_the_shortest_window(tick_s, power_w):
    assert 2 * tick_s * power_w == pytest.approx(0.01 * shortest_window_s(tick_s) * power_w)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 100)), min_size=1, max_size=20))
def test_slices_recover_the_powers_of_their_energies(made):
    times_s, energies = [0.0], [{"rapl/cpu": 0.0}]
    for length_s, power_w in made:
        times_s.append(times_s[-1] + length_s)
        energies.append({"rapl/cpu": energies[-1]["rapl/cpu"] + length_s * power_w})
    assert slice_powers_w(times_s, energies)["rapl/cpu"] == pytest.approx([p for _, p in made], rel=1e-6, abs=1e-6)


def test_a_channel_that_is_missing_at_an_edge_has_no_power_there():
    energies = [{"a": 0.0}, {}, {"a": 4.0}, {"a": 6.0}]
    assert slice_powers_w([0.0, 1.0, 2.0, 3.0], energies) == {"a": [2.0]}


def test_ticks_of_several_counters_are_watched_at_once(monkeypatch):
    now_s = 0.0

    def sleep(duration_s):
        nonlocal now_s
        now_s += duration_s

    def read():
        return {"fast": math.floor(now_s / 0.004), "slow": math.floor(now_s / 0.02), "dead": 7.0}

    clock = SimpleNamespace(monotonic=lambda: now_s, sleep=sleep)
    monkeypatch.setattr("baler_energy.meters.ticks.time", clock)
    ticks_s = watch_ticks(read, 0.3)
    assert ticks_s == {"fast": pytest.approx(0.004, rel=0.05), "slow": pytest.approx(0.02, rel=0.05), "dead": None}
