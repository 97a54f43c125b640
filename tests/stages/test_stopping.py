"""Early stopping when the last tenth of the energy bought too little."""

from types import SimpleNamespace

import pandas as pd
import pytest

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.state import Epoch
from baler_energy.records import Measurement
from baler_energy.stages.history import History
from baler_energy.stages.stopping import StopAtGain
from baler_energy.vocabulary import Evidence

LOSSES = [8.0, 4.0, 2.0, 1.99, 1.98]


def trained(evidence, energies, *, gain=0.1, uses_gpu=False):
    """Run an iteration of five epochs; return the rule, and the epoch at which it stopped."""
    counter = iter(energies)
    history = History(SimpleNamespace(energies_j=lambda: next(counter)))
    rule = StopAtGain(gain, history, {name: Evidence(word) for name, word in evidence.items()}, uses_gpu)

    def iteration(durations_s=(1.0,) * 5):
        rule.restart()
        for number, (loss, duration_s) in enumerate(zip(LOSSES, durations_s, strict=True), start=1):
            if rule.add(Epoch(number, loss, duration_s)):
                return number
        return None

    return rule, iteration


def test_measured_energy_decides_before_time():
    # The fourth epoch costs so little that the third is inside the last tenth; in time it would be the fourth.
    energies = [{"rapl/cpu": value} for value in (0.0, 1.0, 2.0, 3.0, 3.1, 4.0)]
    rule, iteration = trained({"rapl/cpu": "measured"}, energies)
    assert iteration() == 5
    assert rule.facts() == {"stopped_at_gain_epoch": 5, "stopped_at_gain_by": "rapl/cpu"}


@pytest.mark.parametrize(
    ("evidence", "named"),
    [
        ({"codecarbon/cpu": "modelled", "codecarbon/ram": "modelled"}, "time"),
        ({"rapl/cpu": "measured", "codecarbon/cpu": "modelled", "codecarbon/ram": "modelled"}, "rapl/cpu"),
        ({"rapl/cpu": "measured", "rapl/dram": "measured", "rapl/package-0": "measured"}, "rapl/cpu+rapl/dram"),
        ({"rapl/cpu": "measured", "hwmon/cpu": "measured"}, "rapl/cpu"),
        ({"rapl/cpu": "measured", "nvml/gpu": "measured"}, "rapl/cpu"),
        ({}, "time"),
    ],
)
def test_energy_is_that_of_primary_meters_that_measure(evidence, named):
    energies = [dict.fromkeys(evidence, float(value)) for value in range(6)]
    rule, iteration = trained(evidence, energies)
    assert iteration() == 4
    assert rule.facts()["stopped_at_gain_by"] == named


def test_the_energy_of_a_gpu_counts_where_one_is_used():
    evidence = {"rapl/cpu": "measured", "nvml/gpu": "measured"}
    energies = [{"rapl/cpu": float(value), "nvml/gpu": 9.0 * value} for value in range(6)]
    rule, iteration = trained(evidence, energies, uses_gpu=True)
    assert iteration() == 4 and rule.facts()["stopped_at_gain_by"] == "rapl/cpu+nvml/gpu"


def test_a_counter_that_fails_leaves_the_time():
    energies = [*({"rapl/cpu": float(value)} for value in range(4)), {}, {}]
    rule, iteration = trained({"rapl/cpu": "measured"}, energies)
    assert iteration() == 4 and rule.facts()["stopped_at_gain_by"] == "time"


def test_the_first_iteration_decides_for_all():
    rule, iteration = trained({}, [{}] * 99)
    assert iteration() == 4
    assert iteration((1.0, 1.0, 1.0, 1e-6, 1.0)) == 4, "alone, it would stop at the fifth epoch"
    rule, iteration = trained({}, [{}] * 99)
    assert iteration((1.0, 1.0, 1.0, 1e-6, 1e-6)) is None
    assert iteration() is None, "alone, it would stop at the fourth epoch"
    assert rule.facts() == {"stopped_at_gain_epoch": None, "stopped_at_gain_by": None}


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_training_ends_and_its_record_says_where_and_why(stage, pipeline, tmp_path, engine, three_iterations):
    words = ("--data", pipeline.table, "--engine", engine, "--min-window-s", 1)
    # From the start every epoch lowers the loss by less than 99 %, so the second one stops it.
    stage("train", *words, "--out", tmp_path / "stopped", "--epochs", 9, "--stop-at-gain", 0.99)
    stage("train", *words, "--out", tmp_path / "two", "--epochs", 2)
    record, two = (Measurement.read(tmp_path / name / "measurement.json") for name in ("stopped", "two"))
    assert record.iterations == 3
    assert record.parameters["epochs"] == 9 and record.parameters["stop_at_gain"] == 0.99
    assert record.results["stopped_at_gain_epoch"] == record.results["epochs_run"] == 2
    assert record.results["stopped_at_gain_by"] == "time" and two.results["stopped_at_gain_by"] is None
    assert record.results["final_loss"] == two.results["final_loss"]
    ours, theirs = (Checkpoint.read(tmp_path / name / "checkpoint.pt") for name in ("stopped", "two"))
    assert ours.content_hash == theirs.content_hash
    assert len(pd.read_parquet(tmp_path / "stopped" / "history.parquet")) == 2
