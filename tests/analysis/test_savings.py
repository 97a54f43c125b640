"""What a training costs at the error of Baler's own, on curves that are known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.quantiles import t_quantile
from baler_energy.analysis.savings import (
    FIXED,
    SAME_ERROR,
    SETTING,
    comparisons,
    cost_at_error,
    savings,
    setting_text,
    with_setting,
)
from baler_energy.config.parameters import AXIS_DEFAULTS, Parameters
from baler_energy.config.recommended import CHANGES, RECOMMENDED, RECOMMENDED_EPOCHS

_SHARED = {"dataset": "jets", "rows": 1000, "device": "cpu", "transform": "baler"}


def _run(
    repeat=0,
    epochs=100,
    error=0.01,
    seconds=100.0,
    *,
    joules=None,
    in_mean=True,
    evidence="modelled",
    at_reference=False,
    **setting,
):
    """Row of one training with its error; the held-out error is twice as large."""
    point = {**AXIS_DEFAULTS, **_SHARED, "threads": 1, "epochs": epochs, "repeat": repeat} | setting
    errors = {"mean_rms_over_range": error, "held_out_mean_rms_over_range": 2 * error}
    costs = {
        "duration_s": seconds,
        "duration_median_s": seconds,
        "energy_j": 20 * seconds if joules is None else joules,
    }
    kind = {"energy_evidence": evidence, "energy_scope": "cpu+ram", "operation": "train", "in_mean": in_mean}
    kind["at_reference"] = at_reference
    return point | errors | costs | kind


def _card(rows):
    return savings(with_setting(pd.DataFrame(rows))).set_index("setting")


@given(
    st.floats(0.05, 3),
    st.floats(1e-4, 1e4),
    st.lists(st.integers(1, 1000), min_size=2, max_size=6, unique=True),
    st.floats(0, 1),
)
def test_a_power_law_is_read_exactly(power, scale, epochs, share):
    costs = [0.5 * number for number in sorted(epochs)]
    errors = [scale * cost**-power for cost in costs]
    cost = costs[0] ** (1 - share) * costs[-1] ** share
    found = cost_at_error(errors, costs, scale * cost**-power)
    assert found.cost == pytest.approx(cost, rel=1e-6) and not found.at_most


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=8), st.floats(1e-6, 1e3))
def test_a_cost_is_only_read_between_trainings(errors, target):
    costs = list(np.geomspace(1, 100, len(errors)))
    found = cost_at_error(errors, costs, target)
    reached = [cost for error, cost in zip(errors, costs, strict=True) if error <= target]
    if reached:
        assert found.cost <= reached[0] * (1 + 1e-12)
        assert found.cost >= costs[max(costs.index(reached[0]) - 1, 0)] * (1 - 1e-12)
        assert found.at_most == (errors[0] * (1 + SAME_ERROR) < target)
    elif errors[-1] <= target * (1 + SAME_ERROR):
        assert found.cost == costs[-1]
    else:
        assert math.isnan(found.cost)


def test_a_curve_is_read_where_it_first_reaches_the_error():
    assert cost_at_error([0.04, 0.01, 0.03, 0.005], [1, 4, 9, 16], 0.02).cost == pytest.approx(2)
    assert cost_at_error([0.01], [7], 0.0101).at_most is False, "the same error, except for rounding"
    assert cost_at_error([0.01], [7], 0.02).at_most is True


def test_the_factor_is_the_geometric_mean_over_pairs_with_its_t_interval():
    rows, factors = [], (8.0, 10.0, 15.0)
    for repeat, factor in enumerate(factors):
        error, seconds = 0.01 * (1 + repeat), 100.0 + 10 * repeat
        rows.append(_run(repeat, 100, error, seconds))
        cost = seconds / factor
        rows += [_run(repeat, n, error / c, cost * c, start="pca") for n, c in ((2, 0.5), (25, 4.0))]
    row = _card(rows).loc["start pca"]
    logarithms = np.log(factors)
    half_width = float(t_quantile(2)) * logarithms.std(ddof=1) / math.sqrt(3)
    for name in ("time", "energy", "held_out_time"):
        assert row[f"{name}_factor"] == pytest.approx(math.exp(logarithms.mean()))
        assert row[f"{name}_factor_low"] == pytest.approx(math.exp(logarithms.mean() - half_width))
        assert row[f"{name}_factor_high"] == pytest.approx(math.exp(logarithms.mean() + half_width))
        assert row[f"{name}_n"] == 3 and not row[f"{name}_at_least"] and row[f"{name}_reason"] is None
    assert row["part"] == "alone" and row["default_epochs"] == 100
    assert row["default_error"] == pytest.approx(0.02) and row["held_out_default_error"] == pytest.approx(0.04)


def test_energy_and_time_are_apart():
    rows = [_run(n, joules=1000.0) for n in (0, 1)]
    rows += [_run(n, 5, 0.01, seconds=10.0, joules=500.0, start="pca") for n in (0, 1)]
    row = _card(rows).loc["start pca"]
    assert (row["time_factor"], row["energy_factor"]) == (pytest.approx(10), pytest.approx(2))


def test_a_shortest_training_with_a_lower_error_gives_a_lower_limit():
    row = _card([_run(), _run(epochs=5, error=0.005, seconds=4.0, start="pca")]).loc["start pca"]
    assert row["time_factor"] == pytest.approx(25) and row["time_at_least"]
    assert math.isnan(row["time_factor_low"]) and row["time_n"] == 1


def test_an_error_that_is_not_reached_in_every_repeat_has_a_reason_and_no_factor():
    rows = [_run(0), _run(1), _run(0, error=0.009, optimizer="sgd"), _run(1, error=0.03, optimizer="sgd")]
    row = _card(rows).loc["optimizer sgd"]
    assert math.isnan(row["time_factor"]) and row["time_n"] == 0 and row["part"] == "other"
    assert row["time_reason"] == "not reached in 1 of 2 repeats; lowest error up to 3 times the default's"


def test_only_pairs_of_the_same_repeat_count():
    rows = [_run(0), _run(1, seconds=300.0), _run(1, 5, seconds=3.0, start="pca"), _run(2, 5, seconds=1.0, start="pca")]
    row = _card(rows).loc["start pca"]
    assert row["time_factor"] == pytest.approx(100) and row["time_n"] == 1


def test_the_cost_of_a_flagged_run_does_not_count():
    rows = [_run(0), _run(1), *(_run(n, 5, seconds=10.0, start="pca") for n in (0, 1))]
    rows[1]["in_mean"] = False
    assert _card(rows).loc["start pca", "time_n"] == 1
    rows[0]["in_mean"] = False
    assert _card(rows).loc["start pca", "time_reason"] == "no repeat in which both have an error and a cost"


def test_energy_of_another_kind_has_no_factor():
    row = _card([_run(), _run(epochs=5, seconds=10.0, evidence="measured", start="pca")]).loc["start pca"]
    assert row["time_factor"] == pytest.approx(10) and math.isnan(row["energy_factor"])
    assert row["energy_reason"] == "its energy has other evidence or components"


def _parts(repeats=3):
    """Default, each change alone (2, 3, 4 and 5 times less) and all together (50 times less)."""
    rows = [_run(n, seconds=100.0 + n) for n in range(repeats)]
    for factor, change in zip((2.0, 3.0, 4.0, 5.0), CHANGES, strict=True):
        rows += [_run(n, 5, seconds=(100.0 + n) / factor, **change) for n in range(repeats)]
    return rows + [_run(n, RECOMMENDED_EPOCHS, seconds=(100.0 + n) / 50, **RECOMMENDED) for n in range(repeats)]


def test_the_product_of_the_single_factors_is_shown_with_all_together():
    card = savings(with_setting(pd.DataFrame(_parts()))).set_index("part")
    assert card.loc["alone", "time_factor"].tolist() == pytest.approx([2, 3, 4, 5])
    assert card.loc["product", "time_factor"] == pytest.approx(120)
    assert card.loc["product", "time_factor_low"] == pytest.approx(120), "equal in every repeat"
    assert card.loc["together", "energy_factor"] == pytest.approx(50)
    assert card.loc["excess", "energy_factor"] == pytest.approx(50 / 120)
    assert not card.loc["product", "time_at_least"]


def test_the_product_is_as_sure_as_its_factors():
    rows = _parts()
    at_least = [row | {"mean_rms_over_range": 0.001} if row["start"] == "pca" else row for row in rows]
    card = savings(with_setting(pd.DataFrame(at_least))).set_index("part")
    assert card.loc["product", "time_at_least"] and card.loc["excess", "time_reason"] == "the product is a lower limit"
    missed = [row | {"mean_rms_over_range": 0.1} if row["precision"] == "float32" else row for row in rows]
    product = savings(with_setting(pd.DataFrame(missed))).set_index("part").loc["product"]
    assert math.isnan(product["time_factor"]) and product["time_reason"] == "1 of 4 factors unknown"
    without = [row for row in rows if row["engine"] != "fast"]
    assert "product" not in set(savings(with_setting(pd.DataFrame(without)))["part"])


def test_settings_of_other_tables_are_compared_with_their_own_default():
    other = {"dataset": "muons"}
    rows = [_run(), _run(epochs=5, seconds=10.0, start="pca"), _run(seconds=8.0, **other)]
    rows += [_run(epochs=5, seconds=4.0, start="pca", **other), _run(start="pca", dataset="alone")]
    found = savings(with_setting(pd.DataFrame(rows))).set_index("dataset")
    assert found["time_factor"].to_dict() == {"jets": pytest.approx(10), "muons": pytest.approx(2)}


def test_other_threads_are_a_setting_that_is_compared_with_the_default_at_the_centre():
    rows = [_run(n, threads=1, at_reference=True) for n in (0, 1)]
    rows += [_run(n, seconds=50.0, joules=1500.0, threads=2) for n in (0, 1)]
    rows += [_run(n, 5, seconds=10.0, threads=2, start="pca") for n in (0, 1)]
    rows += [_run(n, seconds=80.0, threads=4) for n in (0, 1)]
    card = _card(rows)
    assert card["time_factor"].to_dict() == {
        "2 threads": pytest.approx(2), "2 threads, start pca": pytest.approx(10), "4 threads": pytest.approx(1.25)
    }  # fmt: skip
    assert card.loc["2 threads", "energy_factor"] == pytest.approx(4 / 3) and card.loc["2 threads", "threads"] == 2
    assert list(with_setting(pd.DataFrame(rows))["setting"].head(2)) == ["Baler's default"] * 2


def test_without_a_run_at_the_centre_the_default_has_the_most_frequent_threads_of_its_device():
    rows = [_run(n, threads=3) for n in (0, 1)] + [_run(0, seconds=50.0, threads=1)]
    rows += [_run(n, threads=8, device="cuda", at_reference=n == 0) for n in (0, 1)]
    assert set(_card(rows).index) == {"1 thread"}
    shared = [found for found, _ in comparisons(with_setting(pd.DataFrame(rows)))]
    assert [(found["device"], found["threads"]) for found in shared] == [("cpu", 3)]


def test_without_a_hundred_epochs_the_default_is_its_longest_training():
    rows = [_run(epochs=5, error=0.03), _run(epochs=25, error=0.02), _run(epochs=5, seconds=10.0, start="pca")]
    assert _card(rows).loc["start pca", "default_epochs"] == 25
    assert savings(with_setting(pd.DataFrame(rows[2:]))).empty


def test_settings_are_named_by_their_changes():
    assert setting_text(AXIS_DEFAULTS) == "Baler's default"
    assert setting_text({**AXIS_DEFAULTS, "batch_size": 128.0, "learning_rate": math.nan}) == "batch size 128"
    text = "engine fast, float32, start pca, learning rate 0.003, schedule one-cycle"
    assert setting_text({**AXIS_DEFAULTS, **RECOMMENDED}) == text
    assert {*FIXED, *SETTING, "epochs"} == set(Parameters.model_fields)


def test_the_recommended_setting_is_valid_and_changes_every_value():
    Parameters(dataset="jets", rows=1000, epochs=RECOMMENDED_EPOCHS, **RECOMMENDED)
    assert all(AXIS_DEFAULTS[name] != value for name, value in RECOMMENDED.items())
