"""Numbers of the report's first page, and what is known where a mean cannot be stated (`analysis.headline`)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from baler_energy.analysis.headline import repeats_missing
from baler_energy.analysis.statistics import clean, estimate, interval
from baler_energy.config.texts import one_of
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import OPERATIONS, estimate_text, interval_text, scaled_unit
from baler_energy.foreign.own import constant_readings

__all__ = ["cell_text", "constant_words", "few_words", "headline_text", "more_repeats", "over_repeats"]


def headline_text(runs: pd.DataFrame, value: str, unit: str) -> str:
    """Write the mean of some repeats for a sentence, without its interval; or what is known, and what is missing.

    Parameters
    ----------
    runs
        The repeats, flagged ones included.
    value, unit
        Column to average, and its SI unit.

    Returns
    -------
    str
        Such as ``39.2 J``, or ``between 25 and 120 J (n = 2: at least 5 more repeats are needed)``.
    """
    found = estimate(runs, value)
    missing = repeats_missing(found.mean, found.half_width, found.n)
    if not found.n or not missing:
        factor, prefixed = scaled_unit([found.mean if found.n else found.high], unit)
        return estimate_text(replace(found, half_width=math.nan), prefixed, factor=factor)
    low, high, prefixed = _range(runs, value, unit)
    needed = f"n = {found.n}: {more_repeats(missing)}"
    if low == high:
        return f"an amount that is not known well enough ({low} {prefixed}; {needed})"
    return f"between {low} and {high} {prefixed} ({needed})"


def cell_text(runs: pd.DataFrame, value: str, unit: str) -> str:
    """Write the mean of some repeats with its interval; or their smallest and largest value if it cannot be stated."""
    found = estimate(runs, value)
    if found.n and repeats_missing(found.mean, found.half_width, found.n):
        low, high, prefixed = _range(runs, value, unit)
        return f"{low if low == high else f'{low} to {high}'} {prefixed}"
    factor, prefixed = scaled_unit([found.mean if found.n else found.high], unit)
    return estimate_text(found, prefixed, factor=factor)


def over_repeats(values: "pd.Series[Any]", write: Callable[[float, float], str]) -> str:
    """Write the mean of a result over all repeats; or its smallest and largest value if the mean cannot be stated.

    Parameters
    ----------
    values
        An error, ratio or size of each run, at least one. They do not depend on the window, so flagged runs count.
    write
        Writes a value, given with the half width of its interval or NaN.
    """
    mean, half_width, _ = _interval(values)
    if not _missing(values):
        return write(mean, half_width)
    return " to ".join(dict.fromkeys(write(float(end), math.nan) for end in (values.min(), values.max())))


def few_words(*results: "pd.Series[Any]") -> str:
    """Say how many repeats are missing until the means of all these results can be stated; empty if none are."""
    missing, n = max((_missing(values), len(values)) for values in results)
    return f"n = {n}: {more_repeats(missing)}" if missing else ""


def _missing(values: "pd.Series[Any]") -> int:
    return repeats_missing(*_interval(values))


def _interval(values: "pd.Series[Any]") -> tuple[float, float, int]:
    return interval(values.to_numpy("float64", na_value=math.nan))


def more_repeats(missing: int) -> str:
    """Say how many more repeats are needed."""
    return f"at least {missing:,} more {'repeat is' if missing == 1 else 'repeats are'} needed"


def _range(runs: pd.DataFrame, value: str, unit: str) -> tuple[str, str, str]:
    """Return the smallest and the largest value of the runs that count, and their unit."""
    known = clean(runs)[value].dropna()
    factor, prefixed = scaled_unit([float(known.max())], unit)
    low, high = (interval_text(float(one), math.nan, factor=factor) for one in (known.min(), known.max()))
    return low, high, prefixed


def constant_words(tables: Tables, here: pd.DataFrame) -> list[str]:
    """Say which part of the energies is a constant power times the duration; empty if no part is.

    Parameters
    ----------
    tables
        The dataset.
    here
        The runs that the first page is about.
    """
    known = here.dropna(subset=["energy_j"])
    counted = known if clean(known).empty else clean(known)  # like `headline_text`
    readings = constant_readings(tables["measurements"], tables["runs"])
    readings = readings[readings["primary"].astype(bool)].merge(
        counted[["run_id", "operation", "energy_evidence"]], on=["run_id", "operation"]
    )
    readings = readings[readings["evidence"] == readings["energy_evidence"]]
    if readings.empty:
        return []
    powers = readings.drop_duplicates(["component", "power_w"]).sort_values("power_w", ascending=False)
    parts = [f"{row['power_w']:.1f} W ({row['component'].upper()})" for row in powers.to_dict("records")]
    shares = []
    for operation in OPERATIONS:
        own_j = readings.loc[readings["operation"] == operation, "value_per_iteration"].sum()
        whole_j = counted.loc[counted["operation"] == operation, "energy_j"].sum()
        if own_j > 0:
            shares.append(f"{100 * own_j / whole_j:.0f} % of the energy to {operation.value}")
    return [
        f"A CONSTANT TIMES THE DURATION is {one_of(shares, 'and')}: {one_of(parts, 'and')}, in all windows alike. This "
        "part only reflects how long an operation takes, not what it does."
    ]
