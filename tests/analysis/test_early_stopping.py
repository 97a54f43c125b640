"""Stopping early, applied to recorded trainings whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest

from baler_energy.analysis.early_stopping import PART, stopped_trainings
from baler_energy.analysis.savings import with_setting
from baler_energy.config.parameters import AXIS_DEFAULTS


def _run(repeat, losses, joules, *, before_s=0.0, in_mean=True, evidence="modelled", **setting):
    """Row of a training, and its history with epochs of 2 s and cumulative `joules`."""
    run_id, count = f"{repeat}-{setting}", len(losses)
    point = {**AXIS_DEFAULTS, "dataset": "jets", "rows": 1000, "device": "cpu", "threads": 1} | setting
    whole_s = before_s + 2.0 * count
    costs = {"duration_s": whole_s, "duration_median_s": whole_s, "energy_j": joules[-1], "operation": "train"}
    kind = {"energy_evidence": evidence, "energy_scope": "cpu", "in_mean": in_mean, "at_reference": False}
    errors = {"mean_rms_over_range": 0.01, "held_out_mean_rms_over_range": 0.02}
    numbers = np.arange(1, count + 1)
    columns = {"epoch": numbers, "loss": losses, "energy_j": joules, "elapsed_s": 2.0 * numbers}
    history = pd.DataFrame(columns).assign(run_id=run_id, repeat=repeat, energy_evidence=evidence)
    return point | {"run_id": run_id, "repeat": repeat, "epochs": count} | costs | kind | errors, history


def _found(*runs):
    other = _run(0, [1.0], [1.0], start="pca")
    rows, histories = zip(*runs, other, strict=True)
    return stopped_trainings(with_setting(pd.DataFrame(rows)), pd.concat(histories))


#: It falls by a fifth in each of six epochs, then no more.
FALLING = [0.8**n for n in range(1, 7)] + [0.8**6] * 4


def test_the_row_has_costs_and_loss_at_the_epoch_at_which_the_rule_stops():
    joules = 5 + np.cumsum([10.0] * 6 + [40.0] * 4)
    (row,) = _found(_run(0, FALLING, joules, before_s=1.0)).to_dict("records")
    assert row["stopped_epoch"] == 7 and row["part"] == PART and row["default_epochs"] == 10
    assert row["time_factor"] == pytest.approx(21 / 15) and row["energy_factor"] == pytest.approx(225 / 105)
    assert row["loss_ratio"] == pytest.approx(1) and row["start"] == "random"
    assert row["setting"] == "Baler's default, stopped at a gain below 1 %"
    assert math.isnan(row["held_out_time_factor"]) and row["held_out_time_reason"] == "it has another error"


def test_the_loss_that_it_had_is_compared_with_that_at_the_end():
    losses = [8.0, 4.0, 2.0, 1.999, 1.0, 0.5, 0.25]
    (row,) = _found(_run(0, losses, np.arange(1.0, 8))).to_dict("records")
    assert (row["stopped_epoch"], row["loss_ratio"]) == (4, pytest.approx(1.999 / 0.25))
    assert row["time_factor"] == row["energy_factor"] == pytest.approx(7 / 4)


def test_energy_counts_if_it_is_measured():
    """The first epoch takes 100 J and the others 1 J each: only 13 epochs are a tenth after the first."""
    constant, joules = [1.0] * 20, 99 + np.arange(1.0, 21)
    epochs = [
        _found(_run(0, constant, joules, evidence=evidence))["stopped_epoch"].item()
        for evidence in ("measured", "modelled")
    ]
    assert epochs == [13, 2]


def test_repeats_are_averaged_and_flagged_ones_do_not_count():
    joules = np.arange(1.0, 11)
    runs = [_run(0, FALLING, joules), _run(1, [1.0] * 10, joules), _run(2, [1.0] * 10, joules, in_mean=False)]
    (row,) = _found(*runs).to_dict("records")
    assert row["stopped_epoch"] == 4.5 and row["time_n"] == 2
    assert row["time_factor"] == pytest.approx(math.sqrt(10 / 7 * 10 / 2))


def test_a_training_that_always_gains_enough_runs_to_its_end():
    (row,) = _found(_run(0, [0.5**n for n in range(10)], np.arange(1.0, 11))).to_dict("records")
    assert (row["stopped_epoch"], row["time_factor"], row["loss_ratio"]) == (10, 1, 1)


def test_without_a_history_there_is_no_row():
    row, history = _run(0, FALLING, np.arange(1.0, 11))
    assert _found((row, history.assign(run_id="other"))).empty
