"""Non-negative sums of terms: known coefficients come back, intervals cover them, merged terms are named."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baler_energy.analysis.relative_fit import MOST_CONDITION, Fit, fit

NAMES = ("job", "step", "flop")
TRUE = np.array([2.0, 0.5, 1.0])


def design(seed: int = 0, runs: int = 40, terms: int = 3) -> np.ndarray:
    """Amounts that differ by four decades, independently of each other."""
    return 10 ** np.random.default_rng(seed).uniform(0, 4, (runs, terms))


def values_of(found: Fit) -> dict[str, float]:
    return {one.term: one.value for one in found.coefficients}


@given(st.integers(0, 1000), st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(1e-12, 1e12))
def test_known_coefficients_come_back(seed: int, exponents: list[float], unit: float) -> None:
    true, work = unit * 10 ** np.array(exponents), design(seed)
    found = fit(work, work @ true, NAMES)
    assume(not any(one.merged for one in found.coefficients))
    assert list(values_of(found).values()) == pytest.approx(true.tolist(), rel=1e-6)
    assert found.ratios == pytest.approx([1.0] * 40)
    assert found.predict(dict(zip(NAMES, (1.0, 2.0, 3.0), strict=True))) == pytest.approx(true @ [1, 2, 3])


def test_a_part_that_is_known_is_not_fitted_again() -> None:
    work = design()
    known = np.linspace(1, 1e4, len(work))
    found = fit(work, work @ TRUE + known, NAMES, known)
    assert list(values_of(found).values()) == pytest.approx(TRUE.tolist())


def test_runs_weigh_alike_over_decades() -> None:
    work = 10 ** np.linspace(0, 8, 9)[:, None]
    wrong = np.ones(9)
    wrong[0] = 1.5  # the shortest run
    (found,) = fit(work, work[:, 0] * wrong, ["flop"]).coefficients
    inverse = 1 / wrong
    assert found.value == pytest.approx(inverse.sum() / (inverse**2).sum())


def test_intervals_cover_the_coefficients() -> None:
    covered = np.zeros(3)
    for seed in range(100):
        random, work = np.random.default_rng(seed), design(seed)
        values = work @ TRUE * np.exp(0.05 * random.standard_normal(len(work)))
        found = fit(work, values, NAMES, draws=100)
        inside = {one.term: one.low <= true <= one.high for one, true in zip(found.coefficients, TRUE, strict=True)}
        covered += [inside[name] for name in NAMES]
        assert all(one.low <= one.value <= one.high for one in found.coefficients)
    assert (covered >= 90).all(), covered


def test_terms_that_cannot_be_distinguished_are_merged_and_named() -> None:
    work = design(terms=2)
    twin = np.column_stack([work, 3 * work[:, 1] * np.linspace(0.999, 1.001, len(work))])
    found = fit(twin, work @ [2.0, 0.5] + 0.1 * twin[:, 2], ("job", "step", "flop"))
    job, flop = found.coefficients
    assert (job.term, job.merged, flop.term, flop.merged) == ("job", (), "flop", ("step",))
    assert flop.value == pytest.approx(0.1 + 0.5 / 3, rel=0.01)  # both, in units of the finer one
    assert found.condition is not None and found.condition > MOST_CONDITION >= found.condition_merged


def test_proportional_terms_have_a_singular_matrix() -> None:
    work = design(terms=1)
    found = fit(np.column_stack([work, 2 * work, np.ones(len(work))]), 5 * work[:, 0] + 3, ("a", "b", "c"))
    assert {one.term: one.merged for one in found.coefficients} == {"b": ("a",), "c": ()}
    assert found.condition is None or found.condition > 1e6


def test_few_points_have_few_terms() -> None:
    work = np.repeat(design(runs=4), 3, axis=0)
    found = fit(work, work @ TRUE, NAMES, draws=10)
    assert len(found.coefficients) == 2 and sum(len(one.merged) for one in found.coefficients) == 1


def test_terms_without_amounts_are_left_out() -> None:
    work = design()
    work[:, 0], work[3, 1] = 0.0, np.nan
    found = fit(work, work[:, 2], NAMES)
    assert values_of(found) == pytest.approx({"flop": 1.0})
    with pytest.raises(ValueError, match="no term"):
        fit(work[:, :2], work[:, 2], NAMES[:2])


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_values_that_are_not_positive_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        fit(design(runs=2), np.array([1.0, value]), NAMES)


def test_without_degrees_of_freedom_there_is_no_interval() -> None:
    (found,) = fit(np.ones((1, 1)), np.array([3.0]), ["job"], draws=5).coefficients
    assert (found.value, found.low, found.high) == (pytest.approx(3.0), None, None)


def test_a_fit_reads_back_from_json() -> None:
    found = fit(design(), design() @ TRUE, NAMES, draws=3)
    assert Fit.model_validate_json(found.model_dump_json()) == found
    broken = found.model_dump(mode="json") | {"draws": [[1.0]]}
    with pytest.raises(ValueError, match="for each coefficient"):
        Fit.model_validate(broken)


def test_terms_of_separate_runs_are_merged_one_by_one() -> None:
    found = fit(np.eye(3) * 5 + 0.0, np.array([1.0, 2.0, 3.0]), NAMES)
    assert [(one.term, one.merged) for one in found.coefficients] == [("flop", ("job", "step"))]
