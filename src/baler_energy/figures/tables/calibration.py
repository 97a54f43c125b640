"""What the machine can resolve."""

import math
from operator import itemgetter

import pandas as pd

from baler_energy.analysis.effects import unless_hidden
from baler_energy.figures.base import TableSpec
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import interval_text, scaled_unit
from baler_energy.meters.calibration import EFFECTS
from baler_energy.variants import TIMED_ENGINE

__all__ = ["TABLE"]


def _row(row: Row) -> dict[str, str]:
    fraction = row["unit"] == "1"
    factor, unit = (100.0, "%") if fraction else scaled_unit([row["value"]], row["unit"])
    spread: float = row["spread"] if pd.notna(row["spread"]) else math.nan
    value = f"{interval_text(row['value'], spread, factor=factor)} {unit}"
    if row["quantity"] in EFFECTS:
        value = unless_hidden(value, factor * row["value"], factor * spread, unit)
    return {
        "machine": row["hostname"],
        "meter": row["meter"],
        "component": row["component"],
        "quantity": str(row["quantity"]).replace("_", " "),
        "value (± standard deviation)": unless_missing(value, row["value"], "not found"),
        "n": unless_missing(f"{row['n']:.0f}", row["n"], ""),
        "evidence": unless_missing(f"{row['evidence']}", row["evidence"], ""),
        "how": unless_missing(f"{row['detail']}", row["detail"], ""),
    }


TABLE = TableSpec(
    "calibration",
    "What this machine can resolve",
    "Idle power with its standard deviation, the time between a counter's changes (tick), the shortest window that "
    "resolves 1 % of the energy, the overhead of measuring in CPU time and duration, and the "
    f"{TIMED_ENGINE} engine's cost per row by number of threads.",
    make=itemgetter("calibration"),
    rows=each(_row),
    without_rows="The machine was not calibrated.",
)
