"""Which runs count, spread over repeats, and the repeats needed to detect a difference."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis import statistics
from baler_energy.analysis.statistics import (
    estimate,
    interval,
    intervals,
    mean_interval,
    point_variation,
    repeats_to_detect,
    typical_duration_s,
    variation,
)
from baler_energy.config.parameters import AXIS_DEFAULTS

POINT = AXIS_DEFAULTS | {"dataset": "d", "source": "toy", "columns": 4, "engine": "e", "model": "m", "device": "cpu"}
POINT |= {"batch_size": 1, "latent_columns": 2, "threads": 1, "epochs": 1}
#: Columns of a run that does not count.
BAD = {"in_mean": False, "run_flags": "throttled"}


def runs(*rows: dict[str, object]) -> pd.DataFrame:
    """Return runs with energy and duration 1, distinct ids and no flags, unless given otherwise."""
    base = {"operation": "train", "energy_evidence": "measured", "energy_scope": "cpu", "rows": 10}
    base |= {"in_mean": True, "run_flags": None}
    base |= dict.fromkeys(
        ("energy_j", "duration_s", "duration_median_s", "power_mean_w", "cpu_time_s", "mean_rms_over_range"), 1.0
    )
    return pd.DataFrame([POINT | base | {"dynamic_energy_j": None, "run_id": str(n)} | r for n, r in enumerate(rows)])


def test_a_typical_duration_is_the_windows_median_or_a_resumed_trainings_duration():
    table = runs({"duration_s": 3.0, "duration_median_s": 2.0}, {"duration_s": 5.0, "duration_median_s": None})
    assert typical_duration_s(table).to_list() == [2.0, 5.0]


def test_the_column_says_which_runs_count_and_the_flags_why_not() -> None:
    table = runs(BAD, {}, BAD | {"run_flags": "contaminated,throttled"})
    assert statistics.clean(table)["run_id"].tolist() == ["1"]
    assert statistics.flagged(table)["run_id"].tolist() == ["0", "2"]
    assert statistics.flag_words(table) == "throttled, contaminated"


def test_an_empty_table_has_no_clean_and_no_flagged_rows() -> None:
    empty = runs({}).iloc[:0]
    assert statistics.clean(empty).empty and statistics.flagged(empty).empty and statistics.flag_words(empty) == ""
    assert list(statistics.clean(empty).columns) == list(empty.columns)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.booleans()), min_size=1, max_size=8))
def test_the_mean_is_over_all_clean_runs_and_only_these(values: list[tuple[float, bool]]) -> None:
    table = runs(*({"energy_j": v} | (BAD if bad else {}) for v, bad in values))
    found, good = estimate(table, "energy_j"), [v for v, bad in values if not bad]
    assert (found.n, found.flagged) == (len(good), len(values) - len(good))
    if good:
        assert found.mean == pytest.approx(np.mean(good)) and found.verdict == ""
    else:
        assert math.isnan(found.mean) and (found.low, found.high) == (min(values)[0], max(values)[0])
        count = f"all {len(values)} runs" if len(values) > 1 else "the only run"
        assert found.verdict == f"{count} flagged: throttled"


def test_an_outlier_stays() -> None:
    assert estimate(runs({}, {}, {}, {}, {"energy_j": 1e6}), "energy_j").n == 5


def test_without_values_the_estimate_is_nan_and_not_zero() -> None:
    found = estimate(runs({"energy_j": None}, {"energy_j": None} | BAD), "energy_j")
    assert (found.n, found.flagged, found.verdict) == (0, 0, "") and math.isnan(found.mean) and math.isnan(found.low)


def test_the_interval_is_students_and_one_run_has_no_interval() -> None:
    table = pd.DataFrame({"g": ["a"] * 3 + ["b"], "x": [1.0, 2.0, 3.0, 5.0]})
    result = mean_interval(table, ["g"], "x").set_index("g")
    assert result.loc["a", "half_width"] == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)  # t(0.975, 2)
    assert result.loc["b", "n"] == 1 and np.isnan(result.loc["b", "half_width"])


def test_variation_is_pooled_by_degrees_of_freedom() -> None:
    first = [{"rows": 10, "energy_j": v} for v in (9.0, 10.0, 11.0)]  # CV 0.1, two degrees of freedom
    second = [
        {"rows": 20, "energy_j": v} for v in (100.0 - 20 / math.sqrt(2), 100.0 + 20 / math.sqrt(2))
    ]  # CV 0.2, one
    excluded = {"rows": 20, "energy_j": 1e5} | BAD
    lone = {"rows": 30, "energy_j": 5.0}
    found = variation(runs(*first, *second, excluded, lone)).set_index("quantity").loc["energy"]
    assert found["cv"] == pytest.approx(math.sqrt((2 * 0.01 + 0.04) / 3))
    assert (found["cv_min"], found["cv_max"]) == pytest.approx((0.1, 0.2))
    assert (found["degrees_of_freedom"], found["points"], found["runs"]) == (3, 2, 5)
    # Chi-squared quantiles for three degrees of freedom: 0.2158 and 9.3484.
    assert found["cv_low"] == pytest.approx(found["cv"] * math.sqrt(3 / 9.3484), rel=1e-4)
    assert found["cv_high"] == pytest.approx(found["cv"] * math.sqrt(3 / 0.2158), rel=1e-3)
    assert found["repeats_low"] < found["repeats"] == repeats_to_detect(found["cv"]) < found["repeats_high"]


def test_energies_of_other_evidence_or_scope_are_not_pooled_within_a_point() -> None:
    kinds = ({}, {"energy_evidence": "modelled"}, {"energy_scope": "cpu+gpu"})
    rows = [{"energy_j": 10.0**place * v} | kind for place, kind in enumerate(kinds) for v in (9.0, 11.0)]
    found = point_variation(runs(*rows), "energy")
    assert len(found) == 3 and found["cv"].max() == pytest.approx(0.1 * math.sqrt(2))
    table = variation(runs(*rows))
    assert set(table.loc[table["quantity"] == "energy", "evidence"]) == {"measured", "modelled"}


def test_errors_do_not_depend_on_flags_and_count_once_for_a_run() -> None:
    rows = [
        {"run_id": str(n), "operation": operation, "mean_rms_over_range": v} | BAD
        for n, v in enumerate((0.9, 1.1))
        for operation in ("train", "compress", "decompress")
    ]
    found = variation(runs(*rows))
    assert found["quantity"].tolist() == ["error"] and found["runs"].tolist() == [2]
    assert found["cv"].iloc[0] == pytest.approx(0.1 * math.sqrt(2))


def test_a_mean_that_is_not_positive_has_no_coefficient() -> None:
    assert point_variation(runs({"energy_j": -1.0}, {"energy_j": 1.0}), "energy").empty
    assert variation(runs({})).empty and "cv" in variation(runs({})).columns


@pytest.mark.parametrize(("effect", "n"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)])
def test_repeats_are_those_of_cohens_tables(effect: float, n: int) -> None:
    """Cohen 1988, table 2.4.1: n for each group at alpha 0.05 (two-sided) and power 0.8 (393, 64, 26, 17, 12).

    The table's 393 for 0.2 is the rounded 393.4, at which the power falls short of 0.8 in the fourth digit.
    """
    assert repeats_to_detect(1 / effect, difference=1.0) == n


@given(st.floats(1e-4, 2), st.floats(1e-3, 1), st.floats(1.01, 3))
def test_repeats_rise_with_the_spread_and_fall_with_the_difference(cv: float, difference: float, factor: float) -> None:
    n = repeats_to_detect(cv, difference)
    assert 2 <= n <= repeats_to_detect(cv * factor, difference)
    assert n >= repeats_to_detect(cv, difference * factor)
    assert n <= repeats_to_detect(cv, difference, power=0.9)
    assert n <= repeats_to_detect(cv, difference, alpha=0.01)


@settings(max_examples=5)
@given(st.floats(0.02, 0.12))
def test_the_simulated_power_is_reached_and_one_repeat_less_falls_short(cv: float) -> None:
    from scipy import stats

    random, n = np.random.default_rng(3), repeats_to_detect(cv)

    def share_found(repeats: int) -> float:
        one, other = random.normal(1.0, cv, (20_000, repeats)), random.normal(1.05, cv, (20_000, repeats))
        return float((stats.ttest_ind(one, other, axis=1).pvalue < 0.05).mean())

    noise = 4 * math.sqrt(0.8 * 0.2 / 20_000)
    assert share_found(n) > 0.8 - noise
    if n > 2:
        assert share_found(n - 1) < 0.8 + noise


def test_both_tails_count() -> None:
    """Without an effect the power is alpha, half of it in each tail: slightly more takes few repeats."""
    assert repeats_to_detect(1.0, difference=0.1, power=0.0504) == 2


def test_no_spread_needs_two_repeats_and_a_huge_spread_terminates() -> None:
    assert repeats_to_detect(0.0) == repeats_to_detect(1e-12) == 2
    assert repeats_to_detect(10.0) == pytest.approx(2 * (1.959964 + 0.841621) ** 2 * 200**2, rel=1e-4)


@pytest.mark.parametrize("wrong", [(-0.1, 0.05), (math.nan, 0.05), (math.inf, 0.05), (0.1, 0.0), (0.1, -1.0)])
def test_values_out_of_range_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="cannot compute repeats for cv"):
        repeats_to_detect(*wrong)
    with pytest.raises(ValueError, match="cannot compute repeats for cv"):
        repeats_to_detect(0.1, power=0.01)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_an_interval_of_values_is_that_of_a_group(values):
    table = pd.DataFrame({"all": 0, "value": values})
    expected = mean_interval(table, ["all"], "value").iloc[0]
    mean, half_width, n = interval(np.array([*values, math.nan]))
    assert n == expected["n"] == len(values)
    scale = 1e-9 * max(map(abs, values)) + 1e-12
    assert mean == pytest.approx(expected["mean"], rel=1e-9, abs=scale)
    assert half_width == pytest.approx(expected["half_width"], rel=1e-6, abs=1e4 * scale, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.floats(-1e6, 1e6)))))
def test_intervals_of_groups_are_those_of_each_group(pairs: list[tuple[int, float | None]]) -> None:
    groups = pd.Series([group for group, _ in pairs], dtype="int64")
    table = pd.DataFrame({"a": pd.Series([value for _, value in pairs], dtype="float64"), "b": 0.3})
    found = [part.sort_index() for part in intervals(table, groups)]
    assert [list(part.index) for part in found] == [sorted(set(groups))] * 3
    for group in set(groups):
        for name in table:
            expected = interval(table.loc[groups == group, name].to_numpy())
            mine = [part.loc[group, name] for part in found]
            assert mine == pytest.approx(expected, rel=1e-9, abs=1e-3, nan_ok=True)
    assert (found[1]["b"].dropna() == 0).all()


def test_an_interval_of_equal_values_has_no_width_and_of_none_no_mean():
    assert interval(np.array([0.4, 0.4, 0.4])) == (0.4, 0.0, 3)
    mean, half_width, n = interval(np.array([math.nan]))
    assert math.isnan(mean) and math.isnan(half_width) and n == 0
