"""Cost per row by number of threads."""

import pytest
import torch

from baler_energy.errors import InputError
from baler_energy.meters.calibration import Calibration, kind_of_machine
from baler_energy.records import Measurement
from baler_energy.stages import thread_costs
from baler_energy.stages.thread_costs import candidates, cpu_counter, thread_rows, watch_threads
from baler_energy.vocabulary import Evidence

COUNTER = "rapl/cpu"


@pytest.mark.parametrize(
    ("cores", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 5, 6]), (8, [1, 2, 4, 7, 8]), (9, [1, 2, 4, 8, 9])]
)
def test_powers_of_two_all_cores_but_one_and_all_are_tried(cores, expected):
    assert candidates(cores) == expected


def test_numbers_of_threads_take_turns_and_the_callers_is_restored(monkeypatch):
    monkeypatch.setattr(thread_costs, "physical_cores", lambda: 3)
    used, before = [], torch.get_num_threads()
    set_num_threads = torch.set_num_threads
    monkeypatch.setattr(torch, "set_num_threads", lambda n: (used.append(n), set_num_threads(n)))
    read = iter(range(10_000))
    costs = watch_threads(lambda: float(next(read)), 1e-6)
    assert used == [1, 2, 3] * 7 + [before] and torch.get_num_threads() == before
    assert list(costs) == [1, 2, 3]
    assert all(time_s > 0 and energy_j == 1 / 512 for turns in costs.values() for time_s, energy_j in turns)


def test_least_energy_is_chosen_if_a_counter_measures_it():
    costs = {1: [(2.0, 5.0), (2.0, 7.0), (9.0, 5.0)], 3: [(1.0, 8.0)] * 3, 4: [(0.5, 1.0)] * 3}
    rows = thread_rows(costs, COUNTER)
    assert [(r.component, r.quantity, r.value, r.unit, r.n) for r in rows] == [
        ("threads-1", "energy_per_row", 5.0, "J", 3),
        ("threads-3", "energy_per_row", 8.0, "J", 3),
        ("threads-4", "energy_per_row", 1.0, "J", 3),
        ("machine", "threads", 1.0, "1", 1),
    ]
    assert {r.meter for r in rows} == {"rapl"} and "least energy" in rows[-1].detail


@pytest.mark.parametrize(
    ("evidence", "counter"),
    [
        ({"hwmon/cpu": "measured", "rapl/package-0": "measured", "rapl/cpu": "measured"}, "rapl/cpu"),
        ({"rapl/cpu": None, "hwmon/cpu": "measured"}, "hwmon/cpu"),
        ({"codecarbon/cpu": "modelled"}, None),
        ({}, None),
    ],
)
def test_a_model_is_not_a_counter(evidence, counter):
    known = {name: None if word is None else Evidence(word) for name, word in evidence.items()}
    assert cpu_counter(known) == counter


@pytest.mark.parametrize(("energy_j", "counter"), [(5.0, None), (None, COUNTER), (0.0, COUNTER)])
def test_without_a_counter_least_time_is_chosen(energy_j, counter):
    rows = thread_rows({1: [(2.0, 5.0), (2.0, energy_j)], 3: [(1.0, 8.0)] * 2, 4: [(0.5, 1.0)] * 2}, counter)
    assert [(r.quantity, r.value) for r in rows[:3]] == [("time_per_row", time_s) for time_s in (2.0, 1.0, 0.5)]
    assert rows[-1].value == 3, "the largest number leaves no core free"
    assert {r.meter for r in rows} == {"session"} and "least time" in rows[-1].detail


@pytest.fixture
def calibrated(tmp_path, monkeypatch):
    """Write a calibration of this machine, as if it had three cores and one thread cost least."""
    monkeypatch.setattr("baler_energy.cores.physical_cores", lambda: 3)
    path = tmp_path / "c.json"
    rows = tuple(thread_rows({1: [(1.0, None)] * 2, 2: [(3.0, None)] * 2, 3: [(4.0, None)] * 2}, None))
    Calibration(machine=kind_of_machine(), rows=rows, provenance={}).write(path)
    return path


@pytest.mark.parametrize(
    ("options", "threads"), [((), 1), (("--threads", 2), 2), (("--engine", "reference"), 2)], ids=str
)
def test_the_fast_engine_takes_the_calibrated_number(stage, pipeline, tmp_path, calibrated, options, threads):
    before = torch.get_num_threads()
    words = ("--data", pipeline.table, "--out", tmp_path / "t", "--epochs", 1, "--threads", "auto", "--engine", "fast")
    try:
        stage("train", *words, "--calibration", calibrated, *options)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert Measurement.read(tmp_path / "t" / "measurement.json").parameters["threads"] == threads


def test_an_allotment_below_the_calibrated_number_is_respected(stage, pipeline, tmp_path, calibrated, monkeypatch):
    rows = tuple(thread_rows({1: [(3.0, None)], 7: [(1.0, None)], 8: [(1.0, None)]}, None))
    Calibration(machine=kind_of_machine(), rows=rows, provenance={}).write(calibrated)
    monkeypatch.setattr("baler_energy.cores.physical_cores", lambda: 1)
    words = ("--data", pipeline.table, "--out", tmp_path / "t", "--epochs", 1, "--threads", "auto", "--engine", "fast")
    stage("train", *words, "--calibration", calibrated)
    assert Measurement.read(tmp_path / "t" / "measurement.json").parameters["threads"] == 1


def test_a_missing_calibration_is_refused(stage, pipeline, tmp_path):
    words = ("--data", pipeline.table, "--out", tmp_path / "t", "--threads", "auto", "--engine", "fast")
    with pytest.raises(InputError, match=r"none\.json"):
        stage("train", *words, "--calibration", tmp_path / "none.json")
