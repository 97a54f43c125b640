"""Energy, duration, CO2e, cost of electricity and error of every point and operation."""

import math
from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import Estimate, estimate, flag_words, flagged, interval
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import (
    AXES,
    OPERATIONS,
    carbon_words,
    dataset_text,
    device_name,
    estimate_text,
    interval_text,
    parameter_text,
    price_words,
    variant,
    with_error,
)
from baler_energy.figures.trivial import trivial_words

__all__ = ["TABLE"]

#: Columns that `summary` averages: over the clean runs, and over all runs.
_OF_WINDOW = ("energy_j", "duration_s", "co2e_kg", "electricity_cost")
_ERRORS = ("mean_rms_over_range", "max_over_range", "mean_nrmse")


def summary(tables: Tables) -> pd.DataFrame:
    """Return energy, duration, CO2e, cost of electricity and error of each point and operation.

    Returns
    -------
    pandas.DataFrame
        A row per point, device, operation, evidence and scope. Energy, duration, CO2e, cost: means over the ``n`` clean
        runs, with half widths of 95 % t intervals (null for one run), and smallest and largest value of the
        ``flagged_runs`` (``..._flagged_low_...``, ``..._flagged_high_...``), which are in no mean; ``flags`` are their
        flags. Errors: means over all runs.
    """
    runs = tables["runs"]
    errors = with_error(runs).set_index("run_id")[list(_ERRORS)]
    order = {operation.value: place for place, operation in enumerate(OPERATIONS)}
    keys = [*AXES, "source", "columns", "device", "operation", "energy_evidence", "energy_scope", "currency"]
    own = [*_OF_WINDOW, "flags", "contamination"]
    joined = runs[["run_id", *keys, *own]].join(errors, on="run_id")
    rows: list[dict[str, Any]] = []
    # Each of thousands of groups copies its columns, so only the needed ones are selected.
    for key, part in joined.groupby(keys, sort=True, observed=True, dropna=False)[[*own, *_ERRORS]]:
        bad = flagged(part)
        row = dict(zip(keys, key, strict=True)) | {"n": len(part) - len(bad), "flagged_runs": len(bad)}
        row["flags"] = flag_words(bad)
        for value in _OF_WINDOW:
            row |= _of_window(part, value)
        for value in _ERRORS:
            row[value], row[f"{value}_half_width"], _ = interval(part[value].to_numpy("float64", na_value=math.nan))
        rows.append(row | {"contamination_max": part["contamination"].max()})
    rows.sort(key=lambda row: (*(row[axis] for axis in AXES), row["device"], order.get(row["operation"], 9)))
    return pd.DataFrame(rows)


def _of_window(part: pd.DataFrame, value: str) -> dict[str, float]:
    """Return a quantity of the window: mean and half width of clean runs, range of flagged ones."""
    found, (stem, _, unit) = estimate(part, value), value.rpartition("_")
    return {
        value: found.mean,
        f"{stem}_half_width_{unit}": found.half_width,
        f"{stem}_flagged_low_{unit}": found.low,
        f"{stem}_flagged_high_{unit}": found.high,
    }


def _row(row: Row) -> dict[str, str]:
    n = f"{row['n']}" + (f" (+ {row['flagged_runs']} flagged: {row['flags']})" if row["flagged_runs"] else "")
    return {
        "dataset": dataset_text(row),
        "rows": f"{row['rows']:,}",
        "epochs": parameter_text(row["epochs"]),
        "batch size": parameter_text(row["batch_size"]),
        "requested ratio": parameter_text(row["compression_ratio"]),
        **variant(row),
        "precision": parameter_text(row["precision"]),
        "threads": f"{row['threads']}",
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "n": n,
        "energy (J)": _windowed(row, "energy", "j", missing="not measured"),
        "evidence": unless_missing(f"{row['energy_evidence']}, {row['energy_scope']}", row["energy_evidence"], "none"),
        "duration (s)": _windowed(row, "duration", "s"),
        "CO2e (mg)": _windowed(row, "co2e", "kg", factor=1e6),
        _money(row): _windowed(row, "electricity", "cost", factor=1e6),
        "mean RMS / range": _error(row, "mean_rms_over_range"),
        "NRMSE": _error(row, "mean_nrmse"),
    }


def _error(row: Row, measure: str) -> str:
    return unless_missing(interval_text(row[measure], row[f"{measure}_half_width"]), row[measure])


def _windowed(row: Row, stem: str, unit: str, *, factor: float = 1.0, missing: str = "not known") -> str:
    """Write the mean of clean runs, or the range of flagged ones."""
    mean, low, high = row[f"{stem}_{unit}"], row[f"{stem}_flagged_low_{unit}"], row[f"{stem}_flagged_high_{unit}"]
    counts = (0 if pd.isna(mean) else 1, 0 if pd.isna(low) else 1)
    found = Estimate(mean, row[f"{stem}_half_width_{unit}"], *counts, low, high, row["flags"])
    return estimate_text(found, factor=factor, missing=missing)


def _money(row: Row) -> str:
    return f"electricity (µ{row['currency']})"


#: Beginnings of headings that are left out if no row has a value, and what names the columns.
_OPTIONAL = {"CO2e": ("co2e", "kg"), "electricity": ("electricity", "cost")}


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Write the rows, without CO2e or money if there is none."""
    absent = tuple(
        head
        for head, (stem, unit) in _OPTIONAL.items()
        if frame[f"{stem}_{unit}"].isna().all() and frame[f"{stem}_flagged_low_{unit}"].isna().all()
    )
    return [
        {name: text for name, text in row.items() if not name.startswith(absent)} for row in each(_row)(frame, most)
    ]


def _notes(_frame: pd.DataFrame, tables: Tables) -> list[str]:
    runs = tables["runs"]
    return [*(f"{line}." for line in [*carbon_words(runs), *price_words(runs)]), *trivial_words(runs)]


TABLE = TableSpec(
    "summary",
    "Every point",
    "Energy, duration, CO2e, cost of electricity and error of each point and operation: means over n unflagged "
    "repeats with half widths of 95 % t intervals. A single run (n = 1) has no interval. Flagged runs are in no mean "
    "of energy, duration, CO2e and cost; if all are flagged, the range of their values is shown and marked as "
    "flagged. Errors do not depend on the flags and are of all runs.",
    make=summary,
    rows=_rows,
    notes=_notes,
    averaged=True,
    varied=True,
)
