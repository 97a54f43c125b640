"""Which runs count, means with intervals over repeats, and how many repeats are needed to detect a difference.

The column ``in_mean`` says which runs count: a mean or spread of energy, time or power is over these, and no run is
left out because of its value. A flag is about the measured window. Errors, ratios and losses do not depend on the
window, so they come from all runs.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.analysis.quantiles import chi_squared_quantile, t_quantile, two_sided_power
from baler_energy.analysis.schema import POINT
from baler_energy.vocabulary import Evidence, Flag, Operation

__all__ = [
    "DIFFERENCE",
    "Estimate",
    "clean",
    "estimate",
    "flag_words",
    "flagged",
    "interval",
    "intervals",
    "kind_of_energy",
    "mean_interval",
    "of_simulated_machine",
    "per_row",
    "point_variation",
    "repeats_to_detect",
    "typical_duration_s",
    "variation",
]

#: Difference of two means (fraction) that a study should be able to detect.
DIFFERENCE = 0.05
#: Columns that a point's repeats have in common.
_POINT = [column.name for column in POINT if column.name not in ("run_id", "repeat")]
#: Quantities of the table of variation: column of ``runs``, and its evidence (None: that of the run's energy).
_QUANTITIES: dict[str, tuple[str, str | None]] = {
    "duration": ("duration_s", Evidence.MEASURED),
    "median duration": ("duration_median_s", Evidence.MEASURED),
    "energy": ("energy_j", None),
    "dynamic energy": ("dynamic_energy_j", Evidence.MEASURED),
    "mean power": ("power_mean_w", None),
    "CPU time": ("cpu_time_s", Evidence.MEASURED),
    "error": ("mean_rms_over_range", Evidence.MEASURED),
}
_ERROR = "mean_rms_over_range"
_VARIATION = (
    *("device", "operation", "quantity", "evidence", "cv", "cv_low", "cv_high", "degrees_of_freedom"),
    *("cv_min", "cv_max", "points", "runs", "repeats", "repeats_low", "repeats_high"),
)
#: Above this noncentrality the test's power is 1 in double precision, and SciPy's distribution may fail.
_CERTAIN = 30.0


def clean(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are included in means, by its column ``in_mean``."""
    return table[table["in_mean"].astype(bool)]


def flagged(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are in no mean, by its column ``in_mean``."""
    return table[~table["in_mean"].astype(bool)]


def of_simulated_machine(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each run was measured on a simulated machine, by its column ``run_notes``."""
    found: pd.Series[bool] = runs["run_notes"].astype("string").str.contains(Flag.SIMULATED, na=False)
    return found


def typical_duration_s(runs: pd.DataFrame) -> "pd.Series[float]":
    """Return the median duration (s) of each run's iterations, which a single disturbed iteration does not affect.

    A resumed training has no median, as its window consists of several parts; its whole duration is used.
    """
    return runs["duration_median_s"].fillna(runs["duration_s"])


def kind_of_energy(runs: pd.DataFrame) -> tuple[Any, ...]:
    """Return evidence and components of the runs' energy; Nones if there are several kinds or none."""
    kinds = runs[["energy_evidence", "energy_scope"]].dropna().drop_duplicates()
    return tuple(kinds.iloc[0]) if len(kinds) == 1 else (None, None)


def per_row(runs: pd.DataFrame) -> pd.DataFrame:
    """Add energy (J), time (s) and compressed bytes per row of the table; a training includes all its epochs.

    Time is that of the window's median iteration, energy the mean over iterations.
    """
    return runs.assign(
        energy_per_row_j=runs["energy_j"].astype(float) / runs["rows"],
        time_per_row_s=typical_duration_s(runs) / runs["rows"],
        compressed_bytes_per_row=runs["compressed_bytes"].astype(float) / runs["rows"],
    )


def flag_words(table: pd.DataFrame) -> str:
    """List what is wrong with a table's rows, the most frequent first, such as ``contaminated, throttled``."""
    counts = Counter(word for flags in table["run_flags"].dropna() for word in flags.split(","))
    return ", ".join(word for word, _ in counts.most_common())


@dataclass(frozen=True)
class Estimate:
    """Mean of a group's clean runs with the half width of its 95 % t interval, and the range of its flagged runs.

    All numbers are in the unit of the column. Missing ones are NaN: the mean without a clean run, the half width with
    fewer than two, `low` and `high` (smallest and largest value of the flagged runs) without a flagged one.
    """

    mean: float
    half_width: float
    n: int
    flagged: int
    low: float
    high: float
    defects: str

    @property
    def verdict(self) -> str:
        """Explain a mean that is missing because all runs are flagged; empty if it exists, or there are no values."""
        if self.n or not self.flagged:
            return ""
        return f"{'all' if self.flagged > 1 else 'the only'} {_runs(self.flagged)} flagged: {self.defects}"


def _runs(count: int) -> str:
    return f"{count} runs" if count > 1 else "run"


def estimate(table: pd.DataFrame, value: str) -> Estimate:
    """Estimate a column's mean over one group of runs, with flagged ones separate.

    Parameters
    ----------
    table
        A row per run of the group, with ``in_mean`` and ``run_flags``; may be empty.
    value
        Column to average; nulls are left out.
    """
    # No intermediate data frames: tables have thousands of groups.
    values = table[value].to_numpy("float64", na_value=math.nan)
    is_flagged = ~table["in_mean"].to_numpy(dtype=bool)
    present = ~np.isnan(values)
    bad = values[present & is_flagged]
    low, high = (float(bad.min()), float(bad.max())) if len(bad) else (math.nan, math.nan)
    words = flag_words(table[present & is_flagged]) if len(bad) else ""
    return Estimate(*interval(values[~is_flagged]), flagged=len(bad), low=low, high=high, defects=words)


def interval(values: NDArray[np.float64]) -> tuple[float, float, int]:
    """Mean, half width of its 95 % t interval, and number of values; nulls (NaN) are left out.

    The half width is ``t(0.975, n - 1) * s / sqrt(n)`` with the sample standard deviation ``s`` (Student 1908). It is
    NaN for fewer than two values; without values the mean is also NaN, as are both of values too large to be squared.
    """
    known = values[~np.isnan(values)].tolist()
    n = len(known)
    if n < 2:
        return (known[0] if n else math.nan), math.nan, n
    try:
        # Relative to the first value, so that the spread of equal values is exactly 0.
        mean = known[0] + math.fsum(value - known[0] for value in known) / n
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (n - 1))
    except OverflowError:
        return math.nan, math.nan, n
    return mean, float(t_quantile(n - 1)) * deviation / math.sqrt(n), n


def intervals(table: pd.DataFrame, groups: "pd.Series[Any]") -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return `interval` of each column in each group: means, half widths and numbers, with a row per group.

    Parameters
    ----------
    table
        Numbers; nulls are left out.
    groups
        Group of each row.
    """
    numbers = table.astype("float64")
    grouped = numbers.groupby(groups)
    n = grouped.count()
    mean = grouped.first() + (numbers - grouped.transform("first")).groupby(groups).sum() / n
    squares = (numbers - mean.loc[groups].set_axis(numbers.index)) ** 2
    deviation = np.sqrt(squares.groupby(groups).sum() / (n - 1).where(n > 1))
    return mean, n.sub(1).where(n > 1).apply(t_quantile) * deviation / np.sqrt(n), n


def mean_interval(table: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """Mean and 95 % t interval of a column over the repeats of each group.

    Parameters
    ----------
    table
        A row per run; for energy, time or power only the `clean` ones.
    by
        Columns that identify a group.
    value
        Column to average; nulls are left out, and a group with nulls only is absent from the result.

    Returns
    -------
    pandas.DataFrame
        A row per group: `by`, ``mean``, ``half_width`` (null if n = 1) in the unit of `value`, and ``n``.

    Notes
    -----
    The half width is ``t(0.975, n - 1) * s / sqrt(n)`` with the sample standard deviation ``s`` (Student 1908).
    """
    present = table.dropna(subset=[value])
    grouped = present.groupby(by, sort=True, observed=True, dropna=False)[value]
    result = grouped.agg(mean="mean", sem="sem", n="count").reset_index()
    quantile = t_quantile((result["n"] - 1).where(result["n"] > 1))
    result["half_width"] = result.pop("sem") * quantile
    return result


def point_variation(runs: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Coefficient of variation over the repeats of each point: sample standard deviation over mean.

    Parameters
    ----------
    runs
        The table ``runs``. Flagged runs are left out, except for the error, which does not depend on the window.
        Energies with different evidence or scope are different points.
    quantity
        Quantity in the table of `variation`, such as ``energy``.

    Returns
    -------
    pandas.DataFrame
        A row per point with two runs or more and a positive mean: ``device``, ``operation``, ``evidence``, ``cv``
        (fraction), ``n``.
    """
    value, evidence = _QUANTITIES[quantity]
    # The error belongs to the run, although several operations repeat it; its spread comes from the training's seeds.
    known = runs.dropna(subset=[value])
    table = known.drop_duplicates("run_id").assign(operation=Operation.TRAIN.value) if value == _ERROR else clean(known)
    table = table.assign(evidence=table["energy_evidence"] if evidence is None else str(evidence))
    keys = [*_POINT, "operation", "evidence", *(["energy_scope"] if evidence is None else [])]
    variation = table.groupby(keys, sort=True, observed=True, dropna=False)[value].agg(["mean", "std", "count"])
    variation = variation[(variation["count"] > 1) & (variation["mean"] > 0)].reset_index()
    variation = variation.assign(cv=variation["std"] / variation["mean"], n=variation["count"])
    return variation[["device", "operation", "evidence", "cv", "n"]]


def variation(runs: pd.DataFrame) -> pd.DataFrame:
    """Coefficient of variation (CV) of each quantity, and the repeats needed to detect a difference of 5 %.

    Parameters
    ----------
    runs
        The table ``runs``.

    Returns
    -------
    pandas.DataFrame
        A row per ``device``, ``operation``, ``quantity`` and ``evidence`` that has a point with two runs or more:
        ``cv`` (fraction, pooled over the points), ``cv_low`` and ``cv_high`` (its 95 % interval),
        ``degrees_of_freedom``, ``cv_min`` and ``cv_max`` over the points, ``points``, ``runs``, and ``repeats`` with
        ``repeats_low`` and ``repeats_high`` from `repeats_to_detect`.

    Notes
    -----
    Pooled: ``cv^2 = sum(f_i cv_i^2) / sum(f_i)`` with ``f_i = n_i - 1`` degrees of freedom. The interval assumes that
    ``f cv^2 / CV^2`` is chi-squared with ``f = sum(f_i)``, as for a variance. For normal values this holds if the CV is
    small, below about 0.3 (McKay 1932, J. R. Stat. Soc. 95, 695; Vangel 1996, Am. Stat. 50, 21). If ``f`` is below ten,
    the CV and the number of repeats are uncertain by a factor.
    """
    rows = [
        {"device": device, "operation": operation, "quantity": quantity, "evidence": evidence} | _pooled(part)
        for quantity in _QUANTITIES
        for (device, operation, evidence), part in point_variation(runs, quantity).groupby(
            ["device", "operation", "evidence"], sort=True, observed=True
        )
    ]
    order = {operation.value: place for place, operation in enumerate(Operation)}
    rows.sort(key=lambda row: (row["device"], order[row["operation"]]))
    return pd.DataFrame(rows, columns=list(_VARIATION))


def _pooled(part: pd.DataFrame) -> dict[str, Any]:
    """Pool the CVs of points."""
    freedom = int((part["n"] - 1).sum())
    cv = math.sqrt(float(((part["n"] - 1) * part["cv"] ** 2).sum()) / freedom)
    low, high = (cv * math.sqrt(freedom / chi_squared_quantile(freedom, q)) for q in (0.975, 0.025))
    return {
        "cv": cv,
        "cv_low": low,
        "cv_high": high,
        "degrees_of_freedom": freedom,
        "cv_min": float(part["cv"].min()),
        "cv_max": float(part["cv"].max()),
        "points": len(part),
        "runs": int(part["n"].sum()),
        "repeats": repeats_to_detect(cv),
        "repeats_low": repeats_to_detect(low),
        "repeats_high": repeats_to_detect(high),
    }


@cache
def repeats_to_detect(cv: float, difference: float = DIFFERENCE, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many repeats of each of two points are needed to detect a difference of their means.

    Parameters
    ----------
    cv
        Coefficient of variation of single runs (fraction), the same at both points.
    difference
        Difference of the two true means over the mean (fraction).
    alpha
        Probability of finding a difference that does not exist.
    power
        Probability of finding a difference that exists.

    Returns
    -------
    int
        The smallest n for each point, at least 2.

    Raises
    ------
    ValueError
        A value is out of its range.

    Notes
    -----
    Two-sided t test of two independent samples of normal values, with equal size n and equal variance: with
    ``d = difference / cv`` the statistic follows the noncentral t distribution with ``2 n - 2`` degrees of freedom and
    noncentrality ``d sqrt(n / 2)`` (Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2).
    """
    if not (math.isfinite(cv) and cv >= 0 and difference > 0 and 0 < alpha < power < 1):
        raise ValueError(f"cannot compute repeats for cv {cv}, difference {difference}, alpha {alpha}, power {power}")
    if cv == 0:
        return 2
    high = 2
    while _power_of(high, difference / cv, alpha) < power:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power_of(middle, difference / cv, alpha) >= power else (middle, high)
    return high


def _power_of(n: int, effect: float, alpha: float) -> float:
    """Probability that the test of `repeats_to_detect` finds an effect (difference over standard deviation)."""
    shift, freedom = effect * math.sqrt(n / 2), 2 * n - 2
    if shift > _CERTAIN:
        return 1.0
    return two_sided_power(freedom, shift, alpha)
