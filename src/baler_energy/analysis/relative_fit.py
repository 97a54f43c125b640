"""Non-negative sums of known terms, fitted so that runs of a millisecond and of an hour weigh alike."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from baler_energy.analysis.quantiles import t_quantile
from baler_energy.config.parameters import Config

__all__ = ["MOST_CONDITION", "Coefficient", "Fit", "fit"]

Floats = NDArray[np.floating[Any]]
Amount = Annotated[float, Field(ge=0)]

#: Condition number of the scaled matrix above which terms are merged (Belsley, Kuh, Welsch 1980, Regression
#: Diagnostics, chapter 3: above 30, collinearity is strong).
MOST_CONDITION = 30.0
#: Distinct points beyond the number of terms that a fit needs.
_SPARE = 2
_SEED = 25
_NORMAL_QUANTILE = 1.959964


class Coefficient(Config):
    """Coefficient of a term, per unit of its work."""

    term: str
    """The term; of merged ones the finest, which represents all of them."""
    merged: tuple[str, ...] = ()
    """Terms that the runs cannot distinguish from it: its coefficient includes theirs."""
    value: Amount
    """The coefficient."""
    low: Amount | None = None
    """Lower end of its 95 % interval; null without degrees of freedom."""
    high: Amount | None = None
    """Upper end of its 95 % interval."""


class Fit(Config):
    """A non-negative sum of terms."""

    coefficients: Annotated[tuple[Coefficient, ...], Field(min_length=1)]
    """The coefficients of the terms that were fitted."""
    condition: float | None
    """Condition number of the scaled matrix with all terms; null: it is singular."""
    condition_merged: float
    """The same after merging."""
    draws: tuple[tuple[Amount, ...], ...] = ()
    """Coefficients of bootstrap samples of the runs, in the same order."""
    ratios: Annotated[tuple[Amount, ...], Field(min_length=1)]
    """Value over fitted value of each run, their distance from 1 scaled up by the degrees of freedom."""

    @model_validator(mode="after")
    def _draws_match(self) -> Self:
        if any(len(draw) != len(self.coefficients) for draw in self.draws):
            raise ValueError("every draw needs a number for each coefficient")
        return self

    def predict(self, work: Any) -> Any:
        """Return the sum for some work, numbers or columns by term; NaN if a term is unknown."""
        return sum(one.value * work[one.term] for one in self.coefficients)

    def drawn(self, work: Mapping[str, float]) -> Floats:
        """Return the sum with the coefficients of each draw, shape (draws,)."""
        draws: Floats = np.array(self.draws).reshape(-1, len(self.coefficients))
        found: Floats = draws @ np.array([work[one.term] for one in self.coefficients])
        return found


def fit(work: Floats, values: Floats, names: Sequence[str], known: Floats | None = None, draws: int = 0) -> Fit:
    """Fit values by non-negative least squares of relative residuals.

    Parameters
    ----------
    work
        Amount of each term in each run, shape (runs, terms), the terms from coarse to fine. A term that is 0 in all
        runs, or NaN in one, is left out.
    values
        Positive, shape (runs,).
    names
        Names of the terms.
    known
        Part of each value that is known without a fit, shape (runs,); None: nothing.
    draws
        Number of bootstrap samples of the runs for the intervals.

    Raises
    ------
    ValueError
        No term is left, or a value is not positive.

    Notes
    -----
    Minimises ``sum((sum_k c_k w_ik + known_i) / y_i - 1)^2`` with ``c_k >= 0`` (`scipy.optimize.nnls`), so that each
    run weighs alike, however long it took. Columns are scaled to unit length; as long as the condition number is above
    `MOST_CONDITION`, or there are fewer than two points more than terms, the two most similar columns are merged, and
    the finer one stays. The intervals are quantiles of the bootstrap over runs. With few runs these are too narrow, as
    is the estimate HC0 of the variance, to which the bootstrap tends; so their distance from the coefficient is widened
    by the ratio of the standard errors HC3 and HC0 (MacKinnon, White 1985, J. Econometrics 29, 305) and by
    ``t(n - p) / z``.
    """
    if not (values > 0).all():
        raise ValueError("values must be positive")
    usable = [k for k in range(len(names)) if np.isfinite(work[:, k]).all() and (work[:, k] > 0).any()]
    if not usable:
        raise ValueError("no term is known in all runs")
    work, names = work[:, usable], [names[k] for k in usable]
    relative = work / values[:, None]
    lengths = np.linalg.norm(relative, axis=0)
    scaled = relative / lengths
    groups = _merged(scaled, max(1, len(np.unique(work, axis=0)) - _SPARE))
    kept = [group[0] for group in groups]
    known = np.zeros(len(values)) if known is None else known
    matrix, target = scaled[:, kept], 1 - known / values
    solution = _solved(matrix, target)
    found, drawn = solution / lengths[kept], _bootstrap(matrix, target, draws) / lengths[kept]
    freedom = len(values) - len(kept)
    widening = math.sqrt(len(values) / freedom) if freedom > 0 else 1.0
    intervals = _intervals(found, drawn, freedom, _hc3_over_hc0(matrix, target - matrix @ solution))
    ratios = values / np.maximum(work[:, kept] @ found + known, 1e-9 * values)  # a fit may be 0 at a run
    condition = _condition(scaled)
    merged = [tuple(names[k] for k in sorted(group[1:])) for group in groups]
    return Fit(
        coefficients=tuple(
            Coefficient(term=names[k], merged=others, value=float(value), **ends)
            for k, others, value, ends in zip(kept, merged, found, intervals, strict=True)
        ),
        condition=condition if math.isfinite(condition) else None,
        condition_merged=_condition(matrix),
        draws=tuple(map(tuple, drawn.tolist())),
        ratios=tuple(np.maximum(1 + (ratios - 1) * widening, 0.0).tolist()),
    )


def _solved(matrix: Floats, target: Floats) -> Floats:
    from scipy.optimize import nnls

    solution: Floats = nnls(matrix, target, maxiter=100 * matrix.shape[1])[0]
    return solution


def _bootstrap(matrix: Floats, target: Floats, draws: int) -> Floats:
    """Return the solutions for samples of the runs, drawn with replacement, shape (draws, terms)."""
    random = np.random.default_rng(_SEED)
    chosen = (random.integers(len(target), size=len(target)) for _ in range(draws))
    return np.array([_solved(matrix[rows], target[rows]) for rows in chosen]).reshape(-1, matrix.shape[1])


def _condition(scaled: Floats) -> float:
    return float(np.linalg.cond(scaled)) if len(scaled) >= scaled.shape[1] else math.inf


def _merged(scaled: Floats, most: int) -> list[list[int]]:
    """Group columns that cannot be distinguished; the first of a group is its finest, which represents it."""
    groups = [[k] for k in range(scaled.shape[1])]
    while len(groups) > 1:
        kept = scaled[:, [group[0] for group in groups]]
        if len(groups) <= most and _condition(kept) <= MOST_CONDITION:
            break
        likeness = np.where(np.triu(np.ones((len(groups), len(groups))), 1), kept.T @ kept, -1.0)
        coarse, fine = divmod(int(likeness.argmax()), len(groups))
        groups[fine] += groups[coarse]
        del groups[coarse]
    return groups


def _hc3_over_hc0(matrix: Floats, residuals: Floats) -> Floats:
    """Ratio of the two standard errors of each coefficient, from residuals of least squares."""
    inverse = np.linalg.pinv(matrix)
    leverage = np.clip((matrix * inverse.T).sum(axis=1), 0, 0.99)
    hc0, hc3 = (((inverse * one) ** 2).sum(axis=1) for one in (residuals, residuals / (1 - leverage)))
    ratio: Floats = np.sqrt(np.divide(hc3, hc0, out=np.ones(len(hc0)), where=hc0 > 0))
    return ratio


def _intervals(found: Floats, drawn: Floats, freedom: int, wider: Floats) -> list[dict[str, float]]:
    """95 % interval of each coefficient; empty without draws or degrees of freedom."""
    if not len(drawn) or freedom < 1:
        return [{} for _ in found]
    factor = float(t_quantile(freedom)) / _NORMAL_QUANTILE * wider
    low, high = found + factor * (np.quantile(drawn, (0.025, 0.975), axis=0) - found)
    low, high = np.clip(np.minimum(low, found), 0, None), np.maximum(high, found)
    return [{"low": one, "high": other} for one, other in zip(low.tolist(), high.tolist(), strict=True)]
