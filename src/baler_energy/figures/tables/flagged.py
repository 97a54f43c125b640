"""The runs that are excluded from means by a flag."""

import pandas as pd

from baler_energy.analysis.statistics import flagged
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, quantity_text, unless_missing
from baler_energy.vocabulary import Flag

__all__ = ["TABLE"]


def flagged_runs(tables: Tables) -> pd.DataFrame:
    """Return the runs that are excluded from means by a flag, in the order in which they ran."""
    bad = flagged(tables["runs"]).sort_values("window_start")
    names = ["run_id", "operation", "run_flags", "contamination", "window_s", "iterations", "duration_s", "energy_j"]
    return bad[names]


def _row(row: Row) -> dict[str, str]:
    return {
        "run": row["run_id"],
        "operation": row["operation"],
        "flags": f"{row['run_flags']}".replace(",", ", "),
        "other processes": unless_missing(f"{100 * row['contamination']:.1f} %", row["contamination"]),
        "window": f"{row['window_s']:.2f} s",
        "energy (flagged)": unless_missing(quantity_text(row["energy_j"], "J"), row["energy_j"]),
    }


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    runs = tables["runs"]
    modelled = int(runs["run_notes"].str.contains(Flag.MODELLED_ONLY, na=False).sum())
    return [f"{len(frame)} of {len(runs)} records are listed; {modelled} are modelled_only."]


TABLE = TableSpec(
    "flagged",
    "Flagged runs",
    "Runs that are excluded from all means of energy, time and power by a flag, since something is wrong with them. A "
    "run that is special, but not wrong (a resumed one, for instance), is not excluded. Figures draw flagged runs "
    "as open marks.",
    make=flagged_runs,
    rows=each(_row),
    notes=_notes,
    without_rows="No run has a flag that excludes it.",
)
