"""The runs that a flag excludes from means."""

import pandas as pd

from baler_energy.analysis.statistics import defects, flagged
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, quantity_text, unless_missing

__all__ = ["TABLE"]


def flagged_runs(tables: Tables) -> pd.DataFrame:
    """Give the runs that a flag excludes from means, in the order in which they ran."""
    bad = flagged(tables["runs"]).sort_values("start")
    bad = bad.assign(flags=[", ".join(defects(flags)) for flags in bad["flags"]])
    return bad[["run_id", "operation", "flags", "contamination", "window_s", "iterations", "duration_s", "energy_j"]]


def _row(row: Row) -> dict[str, str]:
    return {
        "run": row["run_id"],
        "operation": row["operation"],
        "flags": row["flags"],
        "other processes": unless_missing(f"{100 * row['contamination']:.1f} %", row["contamination"]),
        "window": f"{row['window_s']:.2f} s",
        "energy (flagged)": unless_missing(quantity_text(row["energy_j"], "J"), row["energy_j"]),
    }


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    runs = tables["runs"]
    modelled = int(runs["flags"].str.contains("modelled_only").sum())
    return [f"{len(frame)} of {len(runs)} records are listed; {modelled} are modelled_only."]


TABLE = TableSpec(
    "flagged",
    "Flagged runs",
    "Runs with a flag that excludes them from all means of energy, time and power: all flags but modelled_only "
    "and resumed, which say what a run is rather than what is wrong with it. Figures draw them as single open "
    "marks.",
    make=flagged_runs,
    rows=each(_row),
    notes=_notes,
)
