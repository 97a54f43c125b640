"""What optimizers and batch sizes cost until the loss reaches a target."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.savings import with_setting
from baler_energy.analysis.target_loss import costs_to_loss, target_losses
from baler_energy.config.parameters import AXIS_DEFAULTS


def _run(optimizer, losses, repeat=0, *, seconds=1.0, in_mean=True, before_s=0.0, **setting):
    """Row of a training, and its history: `seconds` and ten times as many joules an epoch, after `before_s`.

    With batches of one row, the loss of a batch is the loss per row.
    """
    run_id = f"{optimizer}-{len(losses)}-{repeat}-{setting}"
    point = {**AXIS_DEFAULTS, "dataset": "jets", "rows": 1000, "device": "cpu", "threads": 1, "repeat": repeat}
    point["batch_size"] = 1
    point |= {"run_id": run_id, "optimizer": optimizer, "epochs": len(losses), "operation": "train"} | setting
    whole_s = before_s + seconds * len(losses)
    costs = {"duration_s": whole_s, "duration_median_s": whole_s, "energy_j": 10 * whole_s, "in_mean": in_mean}
    epochs = [
        {
            "run_id": run_id,
            "epoch": n,
            "loss": loss,
            "loss_per_value": loss * math.ceil(1000 / point["batch_size"]) / 1000,
            "elapsed_s": n * seconds,
            "energy_j": 10.0 * (before_s + n * seconds),
        }
        for n, loss in enumerate(losses, start=1)
    ]
    known = {"energy_evidence": "modelled", "peak_learning_rate": 1e-3, "at_reference": False}
    return point | costs | known, epochs


def _costs(*runs):
    trained = with_setting(pd.DataFrame([row for row, _ in runs]))
    found = costs_to_loss(trained, pd.DataFrame([epoch for _, epochs in runs for epoch in epochs]))
    return found.set_index(["optimizer", "target_loss"]) if len(found) else found


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_targets_are_round_numbers_between_the_losses(first, lowest):
    found = target_losses(first, lowest)
    assert len(found) <= 6 and found == sorted(set(found), reverse=True)
    for number in found:
        assert lowest <= number < first
        assert f"{number:.15e}"[0] in "125" and f"{number:.15e}"[1:].startswith(".000")
    if first > 2.5 * lowest:
        assert found


def test_targets_span_the_losses():
    assert target_losses(7.0, 0.012) == [5.0, 2.0, 0.5, 0.2, 0.05, 0.02]
    assert target_losses(7.0, 1.0) == [5.0, 2.0, 1.0]
    assert target_losses(1.0, 1.0) == target_losses(math.nan, 1.0) == []


def test_the_cost_is_that_of_the_first_epoch_at_the_target():
    costs = _costs(_run("adam", [7, 4, 2.5, 2, 3]), _run("muon", [6, 1.5, 0.9], seconds=2.0))
    assert costs["time_s"].to_dict() == {
        ("adam", 5.0): 2, ("adam", 2.0): 4, ("adam", 1.0): pytest.approx(math.nan, nan_ok=True),
        ("muon", 5.0): 4, ("muon", 2.0): 4, ("muon", 1.0): 6,
    }  # fmt: skip
    assert costs.loc[("adam", 2.0), "energy_j"] == 40
    assert costs.loc[("adam", 1.0), ["reached", "n", "most_epochs"]].tolist() == [0, 1, 5]


def test_repeats_have_an_interval_and_a_target_that_one_misses_has_no_mean():
    runs = [_run("adam", losses, n) for n, losses in enumerate(([7, 4, 1.9], [7, 6, 4]))]
    costs = _costs(*runs, *(_run("sgd", [9, 8, 1.8], n) for n in (0, 1)))
    assert costs.loc[("adam", 5.0), "time_s"] == 2.5 and costs.loc[("adam", 5.0), "time_half_width_s"] > 1
    missed = costs.loc[("adam", 2.0)]
    assert np.isnan(missed["time_s"]) and (missed["reached"], missed["n"]) == (1, 2)


def test_the_longest_training_at_a_constant_rate_is_used():
    costs = _costs(_run("adam", [7, 4]), _run("adam", [7, 4, 1.5, 1.2]), _run("sgd", [8, 7, 1.1]))
    assert costs.loc[("adam", 2.0), "time_s"] == 3 and costs.loc[("adam", 2.0), "n"] == 1


def test_with_another_schedule_trainings_count_with_their_last_loss_and_whole_cost():
    cycle = {"schedule": "one-cycle"}
    runs = [_run("adam", losses, before_s=0.5, **cycle) for losses in ([7, 1.8], [7, 0.5, 6, 0.9])]
    costs = _costs(*runs, _run("muon", [7, 3, 0.8], **cycle))
    assert costs.loc[("adam", 2.0), "time_s"] == 2.5
    assert costs.loc[("adam", 1.0), "time_s"] == 4.5, "not the end of an epoch within the cycle"
    assert costs.loc[("adam", 1.0), "energy_j"] == 45


def test_only_optimizers_with_all_else_the_same_are_compared():
    assert _costs(_run("adam", [7, 1]), _run("muon", [7, 1], precision="float32")).empty
    assert _costs(_run("adam", [7, 1]), _run("adam", [7, 1], learning_rate=0.01)).empty


def test_a_better_start_leaves_targets_for_the_others():
    random = [_run("adam", [7, 4, 0.9]), _run("sgd", [9, 8, 7])]
    planted = [_run(name, losses, start="pca") for name, losses in (("adam", [0.5, 0.1]), ("muon", [0.4, 0.02]))]
    costs = _costs(*random, *planted).reset_index()
    reached = costs[costs["reached"] > 0].groupby(["start", "optimizer"])["target_loss"].agg(["max", "min"])
    assert reached.loc[("random", "adam")].tolist() == [5.0, 2.0], "not only below the first loss of the other start"
    assert reached.loc[("pca", "muon")].tolist() == [5.0, 0.02]


def test_time_and_energy_include_what_precedes_the_first_epoch():
    costs = _costs(_run("adam", [7, 4, 1.5], before_s=0.5), _run("sgd", [7, 1]))
    assert costs.loc[("adam", 5.0), ["time_s", "energy_j"]].tolist() == [2.5, 25]
    assert costs.loc[("sgd", 5.0), ["time_s", "energy_j"]].tolist() == [2, 20]


def test_an_epoch_that_took_longer_than_the_median_iteration_is_not_shortened():
    row, epochs = _run("adam", [7, 4, 1.5])
    costs = _costs((row | {"duration_median_s": 2.0}, epochs), _run("sgd", [7, 1]))
    assert costs.loc[("adam", 2.0), "time_s"] == 3


def test_batch_sizes_are_compared_by_the_loss_per_row():
    per_row, runs = {300: [7, 1.5], 1000: [7, 4, 1.5]}, []
    for batch_size, losses in per_row.items():
        batches = math.ceil(1000 / batch_size)  # the last one of 300 has 100 rows
        runs.append(_run("adam", [loss * 1000 / batches for loss in losses], batch_size=batch_size))
    costs = _costs(*runs).reset_index().set_index(["batch_size", "target_loss"])
    assert costs["time_s"].to_dict() == {(300, 5.0): 2, (300, 2.0): 2, (1000, 5.0): 2, (1000, 2.0): 3}


def test_a_flagged_run_does_not_count():
    runs = [_run("adam", [7, 1]), _run("adam", [7, 6], 1, in_mean=False), _run("sgd", [7, 1])]
    assert _costs(*runs).loc[("adam", 5.0), ["reached", "n"]].tolist() == [1, 1]
