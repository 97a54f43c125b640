"""The runtimes side by side at the study's centre, with the reasons of those that could not run."""

from typing import Any

import pandas as pd

from baler_energy.analysis.comparison import Ratio, ratio_of_means
from baler_energy.analysis.statistics import clean, estimate, flag_words, flagged
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.captions import STARTUP_AND_DEVIATION, TYPICAL_TIMES
from baler_energy.figures.readable import Row, each
from baler_energy.figures.runtime_rows import (
    APPLIED,
    EAGER,
    OUTSIDE_WINDOW,
    absent,
    fault_of,
    is_deprecated,
    runtimes_at_centre,
)
from baler_energy.figures.selection import device_name, scaled_text
from baler_energy.figures.trivial import note_trivial

__all__ = ["TABLE", "runtimes"]

_MEANS = {
    "rows_per_s": "",
    "energy_per_row_j": "J",
    "memory_peak_b": "B",
    "startup_s": "s",
    "runtime_deviation": "",
    "mean_rms_over_range": "",
}
_KEYS = [
    *("runtime", "device", "precision", "operation"),
    *("n", "flagged_runs", "run_flags", "energy_evidence", "energy_scope"),
]


def runtimes(tables: Tables) -> pd.DataFrame:
    """Return costs and deviation of each runtime at the study's centre.

    Returns
    -------
    pandas.DataFrame
        A row per runtime, device, precision and operation: rows per second, energy per row (J), peak memory (B), start-
        up (s), largest deviation from eager over the range of its results, and error, as means over ``n`` clean runs
        with ``..._half_width`` (95 % t interval); ``rows_per_s_ratio`` to eager in the same precision with ``..._low``
        and ``..._high``. A runtime that could not run has a row with ``reason`` and no values; one whose
        runs do not count has its deviation, too.
    """
    columns = [*_KEYS, *(f"{name}{end}" for name in _MEANS for end in ("", "_half_width"))]
    columns += ["rows_per_s_ratio", "rows_per_s_ratio_low", "rows_per_s_ratio_high", "reason"]
    try:
        rows, _ = runtimes_at_centre(tables)
    except NoData:
        return pd.DataFrame(columns=columns)
    found = [
        _summary(mine, part)
        for _, part in rows.groupby(["device", "precision"], sort=False, observed=True)
        for (_, _), mine in part.groupby(["runtime", "operation"], sort=False, observed=True)
    ]
    found += [
        {"runtime": name, "precision": precision, "n": 0, "flagged_runs": 0, "run_flags": "", "reason": reason}
        for name, precision, reason in absent(tables, rows)
    ]
    return pd.DataFrame(found, columns=columns)


def _summary(mine: pd.DataFrame, part: pd.DataFrame) -> dict[str, Any]:
    """Summarise the runs of one runtime in one operation; `part` has all in the same precision on the same device."""
    bad = flagged(mine)
    row = {name: mine[name].iloc[0] for name in _KEYS if name in mine and name != "run_flags"}
    row |= {"n": len(mine) - len(bad), "flagged_runs": len(bad), "run_flags": flag_words(bad)}
    row["reason"] = fault = fault_of(mine)
    for name in [*_MEANS] if fault is None else ["runtime_deviation"]:
        mean = estimate((mine if name in OUTSIDE_WINDOW else clean(mine)).assign(in_mean=True), name)
        row |= {name: mean.mean, f"{name}_half_width": mean.half_width}
    eager = part[(part["runtime"] == EAGER) & (part["operation"] == row["operation"])]
    if row["runtime"] != EAGER:
        ratio = ratio_of_means(*(list(clean(one)["rows_per_s"]) for one in (mine, eager)))
        row |= ratio.columns("rows_per_s_ratio")
    return row


def _row(row: Row) -> dict[str, str]:
    note = " (deprecated)" if is_deprecated(row["runtime"]) else ""
    device: str = "-" if pd.isna(row["device"]) else device_name(row["device"])
    head = {"runtime": f"{row['runtime']}{note}", "run on": device, "precision": f"{row['precision']}"}
    deviation: str = "" if pd.isna(row["runtime_deviation"]) else f"{row['runtime_deviation']:.1e}"
    if isinstance(row["reason"], str):
        operation: str = "not run" if pd.isna(row["operation"]) else f"{row['operation']}"
        return {**head, "operation": operation, "rows/s": row["reason"], "deviation from eager": deviation}
    ratio = Ratio.of_row(row, "rows_per_s_ratio")
    interval = "" if pd.isna(ratio.low) else f" ({ratio.low:.2f} to {ratio.high:.2f})"
    flags = f" (+ {row['flagged_runs']} flagged: {row['run_flags']})" if row["flagged_runs"] else ""
    return {
        **head,
        "operation": f"{row['operation']}",
        "n": f"{row['n']}{flags}",
        "rows/s": _cell(row, "rows_per_s"),
        "rows/s over eager": "" if pd.isna(ratio.value) else f"{ratio.value:.2f}{interval}",
        "energy per row": _cell(row, "energy_per_row_j"),
        "evidence": "none" if pd.isna(row["energy_evidence"]) else f"{row['energy_evidence']}, {row['energy_scope']}",
        "peak memory": _cell(row, "memory_peak_b"),
        "start-up": _cell(row, "startup_s", missing=""),
        "deviation from eager": deviation,
        "mean RMS / range": _cell(row, "mean_rms_over_range"),
    }


def _cell(row: Row, name: str, *, missing: str = "not known") -> str:
    return missing if pd.isna(row[name]) else scaled_text(row[name], _MEANS[name], row[f"{name}_half_width"])


TABLE = TableSpec(
    "runtimes",
    "The runtimes side by side",
    f"Runtimes of the trained network in {' and '.join(APPLIED)}, at the study's centre: means over n unflagged "
    "repeats with half widths of 95 % t intervals. Rows per second of the whole operation, which also scales, packs "
    "and writes or reads the file's content; the ratio is that to eager (PyTorch itself) in the same precision on the "
    "same device. Other engines are separate programs, which may also read and write the table, and trained "
    f"their own network. Peak memory includes all libraries. {STARTUP_AND_DEVIATION} A runtime that "
    f"could not run, or whose runs do not count, has the reason instead. {TYPICAL_TIMES}",
    make=runtimes,
    rows=each(_row),
    notes=note_trivial,
    averaged=True,
    main=("runtime", "operation", "rows/s", "energy per row", "evidence"),
    without_rows="Only one runtime ran, so there is nothing to compare.",
    by_dataset=True,
)
