"""Energy, duration, CO2e, cost of electricity, SCI and error of every point and operation."""

import pandas as pd

from baler_energy.analysis.schema_summary import OF_WINDOW
from baler_energy.analysis.statistics import Estimate
from baler_energy.analysis.summary import summary
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.rates import rate_words
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import (
    estimate_text,
    interval_text,
    point_cells,
)
from baler_energy.figures.trivial import trivial_words

__all__ = ["TABLE"]


def _row(row: Row) -> dict[str, str]:
    n = f"{row['n']}" + (f" (+ {row['flagged_runs']} flagged: {row['run_flags']})" if row["flagged_runs"] else "")
    return {
        **point_cells(row),
        "n": n,
        "energy (J)": _windowed(row, "energy_j", missing="not measured"),
        "evidence": unless_missing(f"{row['energy_evidence']}, {row['energy_scope']}", row["energy_evidence"], "none"),
        "duration (s)": _windowed(row, "duration_s"),
        "CO2e (mg)": _windowed(row, "co2e_kg", factor=1e6),
        _money(row): _windowed(row, "electricity_cost", factor=1e6),
        "SCI, modelled (g/GB)": _windowed(row, "sci_kg_per_gb", factor=1e3),
        "mean RMS / range": _error(row, "mean_rms_over_range"),
        "NRMSE": _error(row, "mean_nrmse"),
    }


def _error(row: Row, measure: str) -> str:
    return unless_missing(interval_text(row[measure], row[f"{measure}_half_width"]), row[measure])


def _windowed(row: Row, name: str, *, factor: float = 1.0, missing: str = "not known") -> str:
    """Write the mean of clean runs, or the range of flagged ones."""
    half_width, low, high = (
        row[OF_WINDOW[name][1].format(end)] for end in ("half_width", "flagged_low", "flagged_high")
    )
    counts = (0 if pd.isna(row[name]) else 1, 0 if pd.isna(low) else 1)
    found = Estimate(row[name], half_width, *counts, low, high, row["run_flags"])
    return estimate_text(found, factor=factor, missing=missing)


def _money(row: Row) -> str:
    return f"electricity (µ{row['currency']})"


#: Beginnings of headings that are left out if no row has a value, and the column.
_OPTIONAL = {"CO2e": "co2e_kg", "electricity": "electricity_cost", "SCI": "sci_kg_per_gb"}


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Write the rows, without CO2e, money or SCI if there is none."""
    absent = tuple(
        head
        for head, name in _OPTIONAL.items()
        if frame[[name, OF_WINDOW[name][1].format("flagged_low")]].isna().all(axis=None)
    )
    return [
        {name: text for name, text in row.items() if not name.startswith(absent)} for row in each(_row)(frame, most)
    ]


def _notes(_frame: pd.DataFrame, tables: Tables) -> list[str]:
    runs = tables["runs"]
    return [*(f"{line}." for line in rate_words(runs)), *trivial_words(runs)]


TABLE = TableSpec(
    "summary",
    "Every point",
    "Energy, duration, CO2e, cost of electricity, Software Carbon Intensity (SCI) and error of each point and "
    "operation: means over n unflagged repeats with half widths of 95 % t intervals. A single run (n = 1) has no "
    "interval. Means of energy, duration, CO2e, cost and SCI exclude flagged runs; if all are flagged, the range of "
    "their values is shown and marked as flagged. Errors do not depend on the flags and include all runs.",
    make=lambda tables: summary(tables["runs"]),
    rows=_rows,
    notes=_notes,
    averaged=True,
    main=("settings", "threads", "operation", "energy (J)", "evidence", "duration (s)", "mean RMS / range"),
)
