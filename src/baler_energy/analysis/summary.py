"""The table ``summary``: means of each point and operation over its repeats."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.schema import TABLES
from baler_energy.analysis.schema_summary import ERRORS, OF_WINDOW
from baler_energy.analysis.statistics import estimate, flag_words, flagged, interval
from baler_energy.config.parameters import AXES
from baler_energy.vocabulary import OPERATIONS

__all__ = ["summary"]

_COLUMNS = [column.name for column in TABLES["summary"][1]]
#: Columns that the averaged runs have in common.
_KEYS = _COLUMNS[: _COLUMNS.index("at_reference")]
#: Results of a run, whichever operation records them.
_OF_RUN = [name for name in (*ERRORS, "native_bytes") if name != "loss_per_value"]
#: Other columns of ``runs`` that are read.
_READ = [*OF_WINDOW, "in_mean", "run_flags", "at_reference", "contamination", "loss_per_value"]
_ORDER = {operation.value: place for place, operation in enumerate(OPERATIONS)}


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Average the runs of each point and operation.

    Parameters
    ----------
    runs
        The table ``runs``.

    Returns
    -------
    pandas.DataFrame
        The table ``summary``: a row per point, device, operation, evidence and scope. Energy, duration and CO2e: means
        over the ``n`` runs that count, with half widths of 95 % t intervals (null for one run), and smallest and
        largest value of the others. Errors: means over all runs.
    """
    results = runs.groupby("run_id", observed=True)[_OF_RUN].first()
    # Each of thousands of groups copies its columns, so only the needed ones are selected.
    joined = runs[["run_id", *_KEYS, *_READ]].join(results, on="run_id")
    groups = joined.groupby(_KEYS, sort=True, observed=True, dropna=False)[[*_READ, *_OF_RUN]]
    rows = [dict(zip(_KEYS, key, strict=True)) | _means(part) for key, part in groups]
    rows.sort(key=_place)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    points = (row[axis] for axis in AXES if axis != "device")
    return (*points, row["device"], _ORDER.get(row["operation"], len(_ORDER)))


def _means(part: pd.DataFrame) -> dict[str, Any]:
    bad, sizes = flagged(part), part["native_bytes"].dropna()
    row: dict[str, Any] = {
        "at_reference": bool(part["at_reference"].any()),
        "n": len(part) - len(bad),
        "flagged_runs": len(bad),
        "run_flags": flag_words(bad) or None,
        "native_bytes": sizes.iloc[0] if len(sizes) else math.nan,
    }
    for value, (_, pattern) in OF_WINDOW.items():
        found = estimate(part, value)
        row |= {value: found.mean, pattern.format("half_width"): found.half_width}
        row |= {pattern.format("flagged_low"): found.low, pattern.format("flagged_high"): found.high}
    for value in ERRORS:
        row[value], row[f"{value}_half_width"], _ = interval(part[value].to_numpy("float64", na_value=math.nan))
    return row | {"contamination_max": part["contamination"].max()}
