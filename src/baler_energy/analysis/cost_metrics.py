"""Which single number is representative of the cost: how well each one alone predicts the energy of a study's runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.analysis.formulas import cpu_tdp_w
from baler_energy.analysis.law import usable
from baler_energy.analysis.powerlaw import fit_power_law
from baler_energy.analysis.relative_fit import fit
from baler_energy.analysis.statistics import typical_duration_s
from baler_energy.analysis.work import TERMS
from baler_energy.vocabulary import OPERATIONS, Evidence, MeterName, Quantity

__all__ = ["METRICS", "CostMetric", "advice", "cost_metrics"]

Floats = NDArray[np.floating[Any]]
Tables = Mapping[str, pd.DataFrame]

#: Runs with at least this many different values of a metric can show whether it predicts anything.
_LEAST_VALUES = 3
#: Parts of the points, each of which is predicted by a fit to the others, and the seed that draws them.
_FOLDS, _SEED = 10, 25
_GROUP = ("operation", "machine", "device", "energy_evidence", "energy_scope")


@dataclass(frozen=True)
class CostMetric:
    """A number that could represent the cost of a run.

    Parameters
    ----------
    label
        Its name in text.
    known_before
        Whether it is known before the run.
    has_time
        Whether it contains the measured time as a factor, so that it cannot be used to predict the time.
    has_power
        Whether it also contains the measured power, so that it cannot be used to predict the energy either.
    """

    label: str
    known_before: bool = False
    has_time: bool = False
    has_power: bool = False

    def refusal(self, quantity: str) -> str | None:
        """Return why it cannot be used to predict the energy or the time; None: it can."""
        if quantity == "energy":
            return "computed from the measured power, and so from the energy itself" if self.has_power else None
        return "computed from the measured time itself" if self.has_time else None


METRICS: Mapping[str, CostMetric] = {
    "parameters": CostMetric("parameters", known_before=True),
    "macs": CostMetric("MACs", known_before=True),
    "flop": CostMetric("FLOPs", known_before=True),
    "rows_passed": CostMetric("epochs x rows", known_before=True),
    "byte": CostMetric("bytes moved", known_before=True),
    "duration_s": CostMetric("wall time", has_time=True),
    "cpu_time_s": CostMetric("CPU time"),
    "cpu_hours": CostMetric("CPU hours"),
    "load_tdp_j": CostMetric("utilisation x TDP x time", has_time=True),
    "codecarbon_j": CostMetric("codecarbon's model", has_time=True),
    MeterName.STRUBELL.value: CostMetric("Strubell et al.", has_time=True, has_power=True),
    MeterName.GREEN_ALGORITHMS.value: CostMetric("Green Algorithms", has_time=True),
    MeterName.ML_CO2.value: CostMetric("ML Emissions Calculator", has_time=True),
}


def cost_metrics(tables: Tables) -> pd.DataFrame:
    """Score each metric as the only predictor of the measured energy or, where that is modelled, of the time.

    Parameters
    ----------
    tables
        ``runs``, ``measurements`` and ``peers`` of the dataset.

    Returns
    -------
    pandas.DataFrame
        A row per operation, machine, device, kind of energy and metric: ``quantity`` (energy or time), ``metric``,
        ``label``, ``known_before``, ``n`` runs; median relative deviation from a ``proportional`` law and from a
        ``power`` law, each run predicted by a fit without its point and some others (ten-fold cross-validation);
        ``exponent`` of a power law through all; ``rank_correlation`` (Spearman); and a ``reason`` without a score.
    """
    known = _with_metrics(usable(tables["runs"]), tables)
    rows: list[dict[str, Any]] = []
    for operation in OPERATIONS:
        here = known[known["operation"] == operation]
        for key, part in here.groupby(list(_GROUP), sort=True, observed=True, dropna=False):
            about = dict(zip(_GROUP, key, strict=True))
            measured = about["energy_evidence"] == Evidence.MEASURED
            quantity = "energy" if measured else "time"
            part = part[part["energy_j"] > 0] if measured else part
            values = (part["energy_j"] if measured else typical_duration_s(part)).astype(float)
            for name, metric in METRICS.items():
                row = about | {"quantity": quantity, "metric": name, "label": metric.label}
                row["known_before"] = metric.known_before
                if reason := metric.refusal(quantity):
                    rows.append(row | {"n": 0, "reason": reason})
                else:
                    rows.append(row | _score(part, part[name].astype(float), values))
    return pd.DataFrame(rows, columns=[*_GROUP, "quantity", "metric", "label", "known_before", *_SCORES])


_SCORES = ("n", "proportional", "power", "exponent", "rank_correlation", "reason")


def _with_metrics(runs: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add the columns of `METRICS`."""
    keys = ["run_id", "operation"]
    readings = tables["measurements"]
    loads = readings[readings["quantity"].eq(Quantity.UTILISATION_MEAN) & readings["component"].eq("machine")]
    # This metric is codecarbon's by definition, as those below are of their authors.
    of_model = readings["quantity"].eq(Quantity.ENERGY) & readings["meter"].eq(MeterName("codecarbon"))
    of_model &= readings["evidence"].eq(Evidence.MODELLED) & readings["component"].ne("machine")
    modelled = readings[of_model]
    # Where codecarbon reads the CPU's counter, nothing but memory is left of its model.
    modelled = modelled.merge(modelled.loc[modelled["component"].eq("cpu"), keys])
    load = loads.groupby(keys, observed=True)["value"].first()
    codecarbon_j = modelled.groupby(keys, observed=True)["value_per_iteration"].sum(min_count=1)
    tdp_w = runs["cpu_model"].map({name: cpu_tdp_w(name) for name in runs["cpu_model"].dropna().unique()})
    index = pd.MultiIndex.from_frame(runs[keys])
    busy = pd.Series(load.reindex(index).to_numpy(float), index=runs.index)
    parameters = runs["run_id"].map(tables["runs"].groupby("run_id", observed=True)["parameters"].first())
    added: dict[str, Any] = {
        "parameters": parameters,
        "macs": runs["flop"] / 2,
        "cpu_hours": runs["cpu_time_s"] / 3600,
        # One machine has one TDP: where it is unknown, 1 W gives the same scores.
        "load_tdp_j": busy * runs["duration_s"] * tdp_w.astype(float).fillna(1.0),
        "codecarbon_j": codecarbon_j.reindex(index).to_numpy(float),
    }
    formulas = tables["peers"]
    formulas = formulas[formulas["kind"].eq("formula") & formulas["quantity"].eq(Quantity.ENERGY)]
    for name in (MeterName.STRUBELL, MeterName.GREEN_ALGORITHMS, MeterName.ML_CO2):
        joules = formulas[formulas["tool"].eq(name)].groupby(keys, observed=True)["value"].first()
        added[name.value] = joules.reindex(index).to_numpy(float) / runs["iterations"]
    return runs.assign(**added)


def _score(part: pd.DataFrame, metric: "pd.Series[float]", values: "pd.Series[float]") -> dict[str, Any]:
    """Score a metric; the runs that have none are left out."""
    usable = np.isfinite(metric) & (metric > 0)
    if not usable.any():
        return {"n": 0, "reason": "no run has a value"}
    part, x, y = part[usable], metric[usable], values[usable]
    if x.nunique() < _LEAST_VALUES:
        return {"n": len(x), "reason": f"fewer than {_LEAST_VALUES} different values"}
    power = fit_power_law(x, y)
    return {
        "n": len(x),
        "rank_correlation": _rank_correlation(x, y),
        "exponent": None if power is None else power.exponent,
        **_deviations(x.to_numpy(float), y.to_numpy(float), _folds(part)),
    }


def _folds(part: pd.DataFrame) -> NDArray[np.intp]:
    """Draw the number of the fold of each run; runs of one point are in the same."""
    points = part.groupby(list(TERMS), dropna=False, sort=True).ngroup().to_numpy()
    places = np.random.default_rng(_SEED).permutation(points.max() + 1)
    folds: NDArray[np.intp] = places[points] % _FOLDS
    return folds


def _deviations(x: Floats, y: Floats, folds: NDArray[np.intp]) -> dict[str, float]:
    """Median relative deviation of the runs from both laws, each fitted without the run's fold."""
    found: dict[str, list[Floats]] = {"proportional": [], "power": []}
    for fold in np.unique(folds):
        out = folds == fold
        power = fit_power_law(x[~out], y[~out])
        if power is not None:
            proportional = fit(x[~out][:, None], y[~out], ["x"]).coefficients[0].value
            found["proportional"].append(np.abs(proportional * x[out] / y[out] - 1))
            found["power"].append(np.abs(power(x[out]) / y[out] - 1))
    return {name: float(np.median(np.concatenate(parts))) for name, parts in found.items() if parts}


def _rank_correlation(x: "pd.Series[float]", y: "pd.Series[float]") -> float:
    """Spearman's rank correlation; NaN if all values are the same."""
    ranks = np.array([x.rank().to_numpy(), y.rank().to_numpy()])
    return math.nan if (np.ptp(ranks, axis=1) == 0).any() else float(np.corrcoef(ranks)[0, 1])


def advice(scores: pd.DataFrame) -> list[str]:
    """Say which metric to use before a run, and which of those that are recorded; empty without scores.

    A metric counts with the better of its two laws, in the median over the operations, and only if it has a score in
    every operation that has any.
    """
    best = scores.assign(deviation=scores[["proportional", "power"]].astype(float).min(axis=1))
    said = []
    for quantity, same in best.dropna(subset=["deviation"]).groupby("quantity", observed=True):
        for known_before, part in same.groupby("known_before", sort=False, observed=True):
            ranking = _ranking(part, same["operation"].nunique())
            if ranking:
                said.append(_sentence(str(quantity), ranking, bool(known_before)))
    return said


def _ranking(part: pd.DataFrame, operations: int) -> Sequence[tuple[str, float, float]]:
    """Label, median deviation and smallest rank correlation of each metric, best first."""
    found = []
    for label, mine in part.groupby("label", sort=False, observed=True):
        if mine["operation"].nunique() == operations:
            found.append((str(label), float(mine["deviation"].median()), float(mine["rank_correlation"].min())))
    # Rounded, so that metrics with the same deviation, such as MACs and FLOPs, stay in their order.
    return sorted(found, key=lambda one: round(one[1], 9))


def _sentence(quantity: str, ranking: Iterable[tuple[str, float, float]], known_before: bool) -> str:
    (label, deviation, correlation), *others = ranking
    when = "Of what is known before a run" if known_before else "Of what is recorded during a run"
    words = f"{when}, {label} alone predicts the {quantity} best"
    words += f": median deviation {100 * deviation:.3g} %, rank correlation {correlation:.2f} or more"
    if others and others[-1][1] > 1.05 * deviation:  # CPU hours are CPU time in another unit
        worst, largest, _ = others[-1]
        words += f"; the worst is {worst}, with {100 * largest:.3g} %"
    return f"{words}."
