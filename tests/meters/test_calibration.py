"""The calibration of a machine whose ticks and noise are known."""

import json
import math
import random
import time

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
)
from baler_energy.meters.ticks import watch_ticks
from baler_energy.records import Reading
from baler_energy.stages.calibrate import calibrate, run, summary
from baler_energy.stages.thread_costs import candidates
from baler_energy.vocabulary import Evidence, MeterName, Quantity


class Ticking(Meter):
    """A counter of 50 W with some noise, that ticks every 10 ms."""

    name = MeterName.RAPL
    counts = True

    def channels(self):
        return (Channel("package-0", Evidence.MEASURED, "a counter"), Channel("cpu", Evidence.MEASURED, "its sum"))

    def begin(self):
        self.begin_s, self.random = time.monotonic(), random.Random(1)
        self.noise_j = 0.0

    def energies_j(self):
        elapsed_s = math.floor((time.monotonic() - self.begin_s) / 0.01) * 0.01
        return {"package-0": 50.0 * elapsed_s, "cpu": 50.0 * elapsed_s}

    def end(self):
        self.end_j = self.energies_j()

    def readings(self):
        return [Reading.of(self.name, name, Quantity.ENERGY, value) for name, value in self.end_j.items()]


@pytest.fixture
def calibration(settings):
    return calibrate([Ticking()], settings(min_window_s=0.0), 1.0)


def values(calibration: Calibration, quantity: str) -> dict[str, float | None]:
    return {row.component: row.value for row in calibration.rows if row.quantity == quantity}


def test_idle_power_tick_window_and_overhead_are_found(calibration, tmp_path):
    idle = values(calibration, "idle_power")
    assert idle == {"package-0": pytest.approx(50.0, rel=0.1), "cpu": pytest.approx(50.0, rel=0.1)}
    tick_s = values(calibration, "tick")["package-0"]
    assert tick_s == pytest.approx(0.01, rel=0.2)
    assert values(calibration, "shortest_window") == {"package-0": pytest.approx(200 * tick_s)}
    assert calibration.shortest_window_s == pytest.approx(200 * tick_s)
    assert 0 <= values(calibration, "overhead_cpu")["machine"] < 1
    assert "machine" in values(calibration, "overhead_duration")
    assert "package-0" in summary(calibration)
    calibration.write(tmp_path / "c.json")
    assert Calibration.read(tmp_path / "c.json") == calibration
    assert {row["unit"] for row in calibration_rows(calibration)} == {"W", "s", "1", "J"}


def test_a_study_keeps_to_the_shortest_window_on_this_kind_of_machine_only(calibration, tmp_path, capsys):
    path = tmp_path / "c.json"
    calibration.write(path)
    assert calibrated_min_window_s(path, 0.5) == pytest.approx(calibration.shortest_window_s)
    assert "not 0.5 s" in capsys.readouterr().err
    assert calibrated_min_window_s(path, 100.0) == 100.0
    assert calibrated_threads(path) == calibration.threads
    changed = json.loads(path.read_text())
    changed["machine"]["cpu_model"] = "another CPU"
    path.write_text(json.dumps(changed))
    assert calibrated_min_window_s(path, 0.5) == 0.5
    assert calibrated_threads(path) is None
    assert capsys.readouterr().err.count("another kind of machine") == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"machine": {}, "rows": [], "provenance": {}}'])
def test_a_damaged_calibration_is_told(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        calibrated_min_window_s(path, 1.0)
    with pytest.raises(InputError, match=r"none\.json"):
        calibrated_min_window_s(tmp_path / "none.json", 1.0)


def test_a_machine_without_counters_says_so(settings, replay):
    meter = replay([1.0] * 5, name=MeterName.CODECARBON, evidence=Evidence.MODELLED)
    calibration = calibrate([meter], settings(min_window_s=0.0), 1.0)
    (tick,) = [row for row in calibration.rows if row.quantity == "tick"]
    assert (tick.value, tick.detail) == (None, "no meter here reads a counter")
    assert calibration.shortest_window_s == 0.0


def test_the_threads_that_cost_least_are_found(calibration):
    costs = values(calibration, "energy_per_row")
    assert list(costs) == [f"threads-{n}" for n in candidates(physical_cores())]
    assert calibration.threads == int(min(costs, key=costs.get).removeprefix("threads-"))
    assert "threads" in summary(calibration)


def test_a_calibration_without_threads_gives_none(calibration, tmp_path):
    path = tmp_path / "c.json"
    older = [row for row in calibration.rows if row.quantity not in ("energy_per_row", "threads")]
    calibration.model_copy(update={"rows": tuple(older)}).write(path)
    assert calibrated_threads(path) is None


def test_a_length_below_a_second_is_refused():
    with pytest.raises(InputError, match="at least 1 second"):
        run(type("Args", (), {"calibrate_s": 0.5}))


@given(st.floats(1e-4, 1.0), st.floats(0.1, 1e3))
def test_two_ticks_are_a_percent_of_the_shortest_window(tick_s, power_w):
    assert 2 * tick_s * power_w == pytest.approx(0.01 * shortest_window_s(tick_s) * power_w)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 100)), min_size=1, max_size=20))
def test_slices_give_back_the_powers_that_made_them(made):
    times_s, energies = [0.0], [{"rapl/cpu": 0.0}]
    for length_s, power_w in made:
        times_s.append(times_s[-1] + length_s)
        energies.append({"rapl/cpu": energies[-1]["rapl/cpu"] + length_s * power_w})
    assert slice_powers_w(times_s, energies)["rapl/cpu"] == pytest.approx([p for _, p in made], rel=1e-6, abs=1e-6)


def test_a_channel_that_is_missing_at_an_edge_has_no_power_beside_it():
    energies = [{"a": 0.0}, {}, {"a": 4.0}, {"a": 6.0}]
    assert slice_powers_w([0.0, 1.0, 2.0, 3.0], energies) == {"a": [2.0]}


def test_ticks_of_several_counters_are_watched_at_once():
    begin_s = time.monotonic()

    def read():
        elapsed_s = time.monotonic() - begin_s
        return {"fast": math.floor(elapsed_s / 0.004), "slow": math.floor(elapsed_s / 0.02), "dead": 7.0}

    ticks_s = watch_ticks(read, 0.3)
    assert ticks_s["fast"] == pytest.approx(0.004, rel=0.3)
    assert ticks_s["slow"] == pytest.approx(0.02, rel=0.3)
    assert ticks_s["dead"] is None
