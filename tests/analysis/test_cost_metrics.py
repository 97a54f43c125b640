"""Which metric is representative: scores of metrics on runs whose energy is known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from known_law import known_tables

from baler_energy.analysis.cost_metrics import METRICS, advice, cost_metrics

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def measured() -> Tables:
    return known_tables()


def scored(tables: Tables, operation: str = "train") -> dict[str, dict[Any, Any]]:
    found = cost_metrics(tables)
    rows: dict[str, dict[Any, Any]] = found[found["operation"] == operation].set_index("metric").to_dict("index")
    return rows


def test_every_metric_is_scored_or_says_why_not(measured: Tables) -> None:
    found = cost_metrics(measured)
    assert found["metric"].tolist() == [*METRICS] * 3 and set(found["quantity"]) == {"energy"}
    assert (found["proportional"].isna() == found["reason"].notna()).all()
    train = scored(measured)
    assert train["codecarbon_j"]["reason"] == train["green_algorithms"]["reason"] == "no run has a value"
    assert train["flop"]["n"] == 81


def test_a_metric_that_is_the_energy_predicts_it_exactly() -> None:
    tables = known_tables()
    runs = tables["runs"]
    cpu_time_s = runs["cpu_time_s"] * (1 + 0.2 * (np.arange(len(runs)) % 5))  # not proportional to the wall time
    tables["runs"] = runs.assign(cpu_time_s=cpu_time_s, energy_j=5.0 * cpu_time_s)
    for operation in ("train", "compress", "decompress"):
        row = scored(tables, operation)["cpu_time_s"]
        assert row["proportional"] == pytest.approx(0, abs=1e-9) and row["power"] == pytest.approx(0, abs=1e-9)
        assert row["exponent"] == pytest.approx(1) and row["rank_correlation"] == pytest.approx(1)
    assert any(
        "CPU time alone predicts the energy best: median deviation" in line for line in advice(cost_metrics(tables))
    )


def test_a_power_of_the_metric_is_found_by_the_power_law_only() -> None:
    tables = known_tables(noise=0.0)
    runs = tables["runs"]
    tables["runs"] = runs.assign(energy_j=runs["cpu_time_s"] ** 0.5)
    row = scored(tables)["cpu_time_s"]
    assert row["exponent"] == pytest.approx(0.5) and row["power"] < 1e-9 < 0.5 < row["proportional"]
    assert row["rank_correlation"] == pytest.approx(1)


def test_where_energy_is_modelled_the_time_is_predicted_and_what_contains_it_is_not_used() -> None:
    found = cost_metrics(known_tables(measured=False))
    assert set(found["quantity"]) == {"time"}
    for name, row in found[found["operation"] == "train"].set_index("metric").iterrows():
        assert (row["reason"] == "computed from the measured time itself") == METRICS[str(name)].has_time
    assert all("the time best" in line for line in advice(found))


def test_the_measured_energy_is_not_predicted_from_the_measured_power(measured: Tables) -> None:
    runs = measured["runs"]
    formula = runs[["run_id", "operation"]].assign(kind="formula", quantity="energy", tool="strubell")
    row = scored(measured | {"peers": formula.assign(value=1.58 * runs["energy_j"])})["strubell"]
    assert row["n"] == 0 and row["reason"] == "computed from the measured power, and so from the energy itself"


def test_codecarbons_model_has_no_value_where_it_read_the_counter(measured: Tables) -> None:
    keys = measured["runs"][["run_id", "operation"]]
    memory = keys.assign(quantity="energy", component="ram", meter="codecarbon", evidence="modelled", value=1.0)
    memory["value_per_iteration"] = measured["runs"]["duration_s"]
    counter = memory.assign(component="cpu", evidence="measured")
    row = scored(measured | {"measurements": pd.concat([memory, counter], ignore_index=True)})["codecarbon_j"]
    assert row["reason"] == "no run has a value"


def test_readings_and_formulas_count_per_iteration(measured: Tables) -> None:
    runs = measured["runs"].assign(iterations=4)
    keys = runs[["run_id", "operation"]]
    load = keys.assign(quantity="utilisation_mean", component="machine", meter="sampler", value=0.5)
    model = keys.assign(quantity="energy", component="cpu", meter="codecarbon", evidence="modelled")
    model["value_per_iteration"] = 3 * runs["energy_j"]
    memory = model.assign(component="ram", value_per_iteration=runs["energy_j"])
    formula = keys.assign(kind="formula", quantity="energy", tool="ml_co2", value=4 * 7 * runs["energy_j"])
    tables = measured | {
        "runs": runs,
        "measurements": pd.concat([load, model, memory], ignore_index=True),
        "peers": formula[formula["operation"] == "train"],
    }
    train = scored(tables)
    for name in ("codecarbon_j", "ml_co2"):
        assert train[name]["proportional"] == pytest.approx(0, abs=1e-9)
    # Half of the time as load is as good as the time.
    assert train["load_tdp_j"]["proportional"] == pytest.approx(train["duration_s"]["proportional"])
    assert scored(tables, "compress")["ml_co2"]["reason"] == "no run has a value"


def test_a_metric_that_hardly_varies_has_no_score() -> None:
    tables = known_tables(grid={"rows": (200, 3_000, 30_000), "batch_size": (64, 512)})
    assert scored(tables)["parameters"]["reason"] == "fewer than 3 different values"


def test_flagged_runs_are_left_out_and_no_runs_give_no_rows(measured: Tables) -> None:
    bad = measured["runs"]["rows"] == 200
    runs = measured["runs"].assign(in_mean=~bad)
    assert scored(measured | {"runs": runs})["flop"]["n"] == 54
    nothing = cost_metrics(measured | {"runs": runs.iloc[:0]})
    assert nothing.empty and advice(nothing) == []


def test_ranks_are_spearmans() -> None:
    from scipy.stats import spearmanr

    from baler_energy.analysis.cost_metrics import _rank_correlation

    random = np.random.default_rng(1)
    x, y = (pd.Series(random.integers(0, 9, 40).astype(float)) for _ in range(2))
    assert _rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(_rank_correlation(x, y * 0))


def test_every_run_is_predicted_without_its_own_point() -> None:
    tables = known_tables(grid={"rows": (200, 3_000, 30_000, 100_000)})
    runs = tables["runs"]
    # A proportional law through three points with 1 J per s of CPU time misses the fourth, which has 3.
    joules = runs["cpu_time_s"] * runs["rows"].map({200: 1.0, 3_000: 1.0, 30_000: 1.0, 100_000: 3.0})
    row = scored(tables | {"runs": runs.assign(energy_j=joules)})["cpu_time_s"]
    fits = [(2 + 1 / 3) / (2 + 1 / 9) - 1] * 3 + [1 - 1 / 3]
    assert row["proportional"] == pytest.approx(np.median(fits))
