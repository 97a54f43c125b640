"""A law of cost: time and energy of each operation as a non-negative sum of the terms of its work.

Fitted for each machine, codec and number of threads; checked at points that the fit has not seen.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from baler_energy.analysis.relative_fit import Amount, Fit, fit
from baler_energy.analysis.statistics import clean, of_simulated_machine, typical_duration_s
from baler_energy.analysis.work import TERMS, with_work
from baler_energy.config.parameters import AXES, Config, matters
from baler_energy.vocabulary import OPERATIONS, Evidence

__all__ = [
    "ALIKE",
    "FORECAST_DRAWS",
    "LARGEST",
    "NO_LAW",
    "Costs",
    "Forecast",
    "Law",
    "drawn",
    "fitted",
    "interval",
    "largest_tenth",
    "laws",
    "usable",
    "with_machine",
    "withheld",
]

Floats = NDArray[np.floating[Any]]

#: Parameters in which the runs of a law may differ: the terms of the work describe them, or they do not change costs.
_FREE = ("dataset", "rows", "model", "batch_size", "compression_ratio", "epochs", "learning_rate")


def _alike(operation: str) -> tuple[str, ...]:
    """Parameters that all runs of a law share, those that matter to every operation first."""
    names = [axis for axis in AXES if axis not in _FREE and matters(axis, operation)]
    return tuple(sorted(names, key=lambda name: not all(matters(name, one) for one in OPERATIONS)))


#: Parameters that the runs of a law of some operation share.
ALIKE = tuple(dict.fromkeys(name for operation in OPERATIONS for name in _alike(operation)))
_ENERGY = ("energy_evidence", "energy_scope")
#: Distinct points of work that a law needs.
_LEAST_POINTS = 4
_DRAWS = 200
#: Draws of a forecast, and their seed.
FORECAST_DRAWS, _SEED = 10_000, 26
#: Kind of withheld points: the largest tenth, or those of one model.
LARGEST, _MODEL = "largest tenth", "one model"
#: Why a study has no law.
NO_LAW = "no operation has unflagged runs at four or more points that differ in rows, epochs, batch size or model"
#: Columns of a run that its prediction keeps.
_RUN = (
    *("run_id", "operation", "machine", "device", "transform", "engine", "model", "precision", "threads"),
    *("rows", "columns", "epochs", "batch_size", "size"),
)


class Forecast(NamedTuple):
    """A value with its 90 % interval."""

    value: float
    low: float
    high: float


class Costs(Config):
    """Fitted time and energy of an operation."""

    time: Fit
    """Time (s)."""
    energy: Fit | None
    """Energy (J), without idle power if that is known; null if there is no energy."""
    static_power_w: Amount | None
    """Measured idle power (W), which the energy contains for as long as it runs; null if it was not measured."""

    @model_validator(mode="after")
    def _as_many_draws(self) -> Self:
        if self.energy is not None and len(self.energy.draws) != len(self.time.draws):
            raise ValueError("time and energy need the same number of draws")
        return self

    def energy_j(self, work: Any) -> Any:
        """Return the energy (J) of some work, as `Fit.predict` does; the law must have one."""
        assert self.energy is not None
        dynamic = self.energy.predict(work)
        return dynamic if self.static_power_w is None else dynamic + self.static_power_w * self.time.predict(work)


class Law(Config):
    """The law of one operation on one machine."""

    about: dict[str, str | int | None]
    """What its runs have in common: machine, operation, codec, threads."""
    evidence: Literal["measured", "modelled"] | None
    """What the energies are."""
    scope: str | None
    """Components in the energies, such as ``cpu+dram``."""
    runs: Annotated[int, Field(ge=1)]
    """Number of runs."""
    points: Annotated[int, Field(ge=1)]
    """Number of different amounts of work."""
    largest: dict[str, Amount]
    """Largest work of the runs by term, ``rows_passed`` and ``size``."""
    costs: Costs
    """The fit to all runs."""
    factor: Amount | None
    """Size of the largest withheld run over that of the largest other one; null: no run could be withheld."""
    time_ratios: tuple[Amount, ...]
    """Time over prediction of the withheld runs, from a fit without them."""
    energy_ratios: tuple[Amount, ...]
    """The same for energy."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        """Check what a file from elsewhere may lack."""
        if missing := {"operation", "machine", "threads"} - self.about.keys():
            raise ValueError(f"'about' has no {', '.join(sorted(missing))}")
        if not self.largest.get("size"):
            raise ValueError("'largest' needs a positive 'size'")
        fits = [self.costs.time, *([self.costs.energy] if self.costs.energy else [])]
        if unknown := {one.term for found in fits for one in found.coefficients} - TERMS.keys():
            raise ValueError(f"{', '.join(sorted(unknown))}: not a term; terms are {', '.join(TERMS)}")
        return self


def laws(runs: pd.DataFrame) -> list[Law]:
    """Fit a law for each operation, machine, codec and number of threads that has enough unflagged runs.

    Parameters
    ----------
    runs
        The table ``runs``.
    """
    return [_law(about, part) for about, part in _groups(runs)]


def with_machine(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``machine``, the CPU and GPUs: nodes of one kind share a law, but a simulated one has its own."""
    cpu, gpu = runs["cpu_model"].fillna("unknown CPU"), runs["gpu_model"].fillna("")
    machine = cpu.where(gpu == "", cpu + ", " + gpu)
    return runs.assign(machine=machine.where(~of_simulated_machine(runs), machine + ", simulated"))


def usable(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the unflagged runs that have a duration, with their work and machine."""
    return with_machine(
        with_work(clean(runs[(typical_duration_s(runs) > 0) & runs["operation"].isin(list(OPERATIONS))]))
    )


def _groups(runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the runs of each law with their work, and what they have in common."""
    known = usable(runs)
    for operation in OPERATIONS:
        keys = ["operation", "machine", *_alike(operation), *_ENERGY]
        here = known[known["operation"] == operation]
        for key, part in here.groupby(keys, sort=True, observed=True, dropna=False):
            if _points(part) >= _LEAST_POINTS:
                yield dict(zip(keys, map(_plain, key), strict=True)), part


def _plain(value: Any) -> str | int | None:
    """Return a key as Python's own type; a whole number in a column with missing values is a float."""
    if pd.isna(value):
        return None
    return value if isinstance(value, str) else int(value)


def _points(part: pd.DataFrame) -> int:
    return len(part[list(TERMS)].drop_duplicates())


def _law(about: dict[str, Any], part: pd.DataFrame) -> Law:
    evidence, scope = (about.pop(name) for name in _ENERGY)
    far = largest_tenth(part)
    checked = _compared(LARGEST, part[~far], part[far])
    checked = checked[checked["law"] > 0]
    ratios = {
        name: tuple((mine["value"] / mine["law"]).tolist()) for name, mine in checked.groupby("quantity", observed=True)
    }
    return Law(
        about=about,
        evidence=evidence,
        scope=scope,
        runs=len(part),
        points=_points(part),
        largest={name: float(part[name].max()) for name in (*TERMS, "rows_passed", "size") if part[name].notna().any()},
        costs=_costs(part, _DRAWS),
        factor=None if checked.empty else float(checked["factor"].max()),
        time_ratios=ratios.get("time", ()),
        energy_ratios=ratios.get("energy", ()),
    )


def _costs(part: pd.DataFrame, draws: int = 0) -> Costs:
    names = list(TERMS)
    time = fit(part[names].to_numpy(float), typical_duration_s(part).to_numpy(float), names, draws=draws)
    some = _with_energy(part)
    if _points(some) < _LEAST_POINTS:
        return Costs(time=time, energy=None, static_power_w=None)
    # A model's idle power is not a part of its energy.
    idle = some[some["idle_power_w"].notna() & some["energy_evidence"].eq(Evidence.MEASURED)]
    static_w = None
    if _points(idle) >= _LEAST_POINTS:
        some, static_w = idle, float(idle["idle_power_w"].mean())
    known = None if static_w is None else (some["idle_power_w"] * some["duration_s"]).to_numpy(float)
    energy = fit(some[names].to_numpy(float), some["energy_j"].to_numpy(float), names, known, draws)
    return Costs(time=time, energy=energy, static_power_w=static_w)


def _with_energy(part: pd.DataFrame) -> pd.DataFrame:
    return part[part["energy_j"].notna() & (part["energy_j"] > 0)]


def largest_tenth(part: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each run is in the largest tenth of the points by ``size``; never all of them."""
    sizes = np.unique(part["size"].to_numpy(float))
    of_points = part.drop_duplicates(list(TERMS))["size"].to_numpy(float)
    limit = max(float(np.quantile(of_points, 0.9, method="higher")), float(sizes[:2].max()))
    found: pd.Series[bool] = (part["size"] >= limit) & (part["size"] > sizes[0])
    return found


def withheld(runs: pd.DataFrame) -> pd.DataFrame:
    """Predict runs from fits without them: without the largest tenth, and without each model in turn.

    A model with more than half of the points is not withheld.

    Parameters
    ----------
    runs
        The table ``runs``.

    Returns
    -------
    pandas.DataFrame
        A row per withheld run, kind of withheld points (``case``) and ``quantity`` (time, energy): what identifies the
        run, ``evidence``, its ``value`` (s, J), the predictions of the ``law``, of a value ``proportional`` to rows
        times epochs and of the nearest ``neighbour`` in the logarithms of the work, and ``factor``: its size over that
        of the largest run in the fit.
    """
    compared = (_compared(case, part[~far], part[far]) for _, part in _groups(runs) for case, far in _cases(part))
    found = [one for one in compared if len(one)]
    return pd.concat(found, ignore_index=True) if found else _NOTHING


def fitted(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare runs with the law that was fitted to them; columns as of `withheld`, without the other predictions."""
    found = [_rows("", part, _costs(part)) for _, part in _groups(runs)]
    return pd.concat(found, ignore_index=True) if found else _NOTHING


def _cases(part: pd.DataFrame) -> Iterator[tuple[str, "pd.Series[bool]"]]:
    yield LARGEST, largest_tenth(part)
    for model in part["model"].dropna().unique():
        mine = part["model"] == model
        if 2 * _points(part[mine]) <= _points(part):  # without the main model, too little is left
            yield _MODEL, mine


_NOTHING = pd.DataFrame(
    columns=[*_RUN, "case", "quantity", "evidence", "value", "law", "proportional", "neighbour", "factor"]
)


def _compared(case: str, rest: pd.DataFrame, far: pd.DataFrame) -> pd.DataFrame:
    """Predict `far` from a law of `rest` and two simpler ones; empty if there is too little."""
    if far.empty or _points(rest) < _LEAST_POINTS:
        return _NOTHING
    rows = _rows(case, far, _costs(rest))
    found = []
    for quantity, part in rows.groupby("quantity", sort=False, observed=True):
        known = rest if quantity == "time" else _with_energy(rest)
        values = (typical_duration_s(known) if quantity == "time" else known["energy_j"]).to_numpy(float)
        asked = far.loc[part.index]
        simple = fit(known[["rows_passed"]].to_numpy(float), values, ["rows_passed"])
        near = _neighbours(known, values, asked)
        found.append(part.assign(proportional=simple.predict(asked), neighbour=near))
    return pd.concat(found).assign(factor=lambda found: found["size"] / rest["size"].max())


def _rows(case: str, part: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """Rows of `withheld` for time and energy, with the index of `part`."""
    about = part[list(_RUN)].assign(case=case)
    rows = [about.assign(quantity="time", evidence="measured", value=typical_duration_s(part))]
    rows[0]["law"] = costs.time.predict(part)
    some = _with_energy(part)
    if costs.energy is not None and len(some):
        more = about.loc[some.index].assign(quantity="energy", evidence=some["energy_evidence"], value=some["energy_j"])
        rows.append(more.assign(law=costs.energy_j(some)))
    return pd.concat(rows)


def _neighbours(known: pd.DataFrame, values: Floats, asked: pd.DataFrame) -> Floats:
    """Return the mean value of the runs with the nearest work, by the logarithms of its terms."""
    names = [name for name in TERMS if known[name].gt(0).all() and asked[name].gt(0).all()]
    places = np.log(known[names].to_numpy(float))
    found = []
    for place in np.log(asked[names].to_numpy(float)):
        distances = np.linalg.norm(places - place, axis=1)
        found.append(values[distances <= distances.min() + 1e-9].mean())
    return np.array(found)


def drawn(law: Law, work: Mapping[str, float]) -> tuple[Floats, Floats | None]:
    """Draw the time (s) and the energy (J; None without one) of some work; the first value of each is the forecast.

    A draw combines the coefficients of a bootstrap sample with the deviation of a single run from the law; beyond the
    largest run it is that of a withheld run from the law without it. Time and energy share samples and runs.

    Parameters
    ----------
    law
        The law of the operation.
    work
        From `work.work`.
    """
    costs, beyond = law.costs, work["size"] > law.largest["size"]
    random = np.random.default_rng([_SEED, *str(law.about["operation"]).encode()])
    sample, run = random.random((2, FORECAST_DRAWS))
    seconds = costs.time.drawn(work)
    time = law.time_ratios if beyond and law.time_ratios else costs.time.ratios
    found = _values(float(costs.time.predict(work)), seconds, sample, time, run)
    if costs.energy is None:
        return found, None
    joules = costs.energy.drawn(work)
    if costs.static_power_w is not None:
        # Fits of time and energy to the same runs draw the same samples.
        joules = joules + costs.static_power_w * seconds
    energy = law.energy_ratios if beyond and law.energy_ratios else costs.energy.ratios
    return found, _values(float(costs.energy_j(work)), joules, sample, energy, run)


def _values(value: float, samples: Floats, sample: Floats, ratios: tuple[float, ...], run: Floats) -> Floats:
    """Return a forecast, followed by its draws: shares `sample` of the samples times shares `run` of the ratios."""
    if not len(samples):
        return np.full(1 + FORECAST_DRAWS, value)
    deviations = np.array(ratios)
    draws = samples[(sample * len(samples)).astype(int)] * deviations[(run * len(deviations)).astype(int)]
    return np.concatenate(([value], draws))


def interval(values: Floats) -> Forecast:
    """Return the first of some values, with the central 90 % of the others, which are its draws (NaN: none)."""
    low, high = np.nanquantile(values[1:], (0.05, 0.95))
    return Forecast(float(values[0]), min(float(values[0]), float(low)), max(float(values[0]), float(high)))
