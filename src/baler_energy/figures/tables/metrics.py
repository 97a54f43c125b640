"""Efficiency metrics of each run and operation."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis import efficiency
from baler_energy.analysis.glossary import GLOSSARY
from baler_energy.analysis.glossary_entry import Entry
from baler_energy.analysis.statistics import estimate, flag_words, flagged
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.selection import (
    AXES,
    OPERATIONS,
    estimate_text,
    interval_text,
    point_cells,
    scaled_unit,
)

__all__ = ["TABLE"]

#: Columns that are equal in rows that are averaged, so that energies are of one kind.
_GROUP = (*AXES, "source", "device", "operation", "energy_evidence", "energy_scope")
#: Units that read best without a prefix, as written after a number.
_PLAIN = {"h": "h", "1/J": "per J", "rows/s": "rows/s", "kg/GB": "kg/GB"}
#: Pure numbers that are shares.
_SHARES = frozenset({"fraction_of_peak", "cpu_utilisation", "gpu_utilisation", "idle_share"})
#: Metrics that do not come from the measured window, so that a flag says nothing about them.
_NOT_OF_WINDOW = frozenset({"parameters", "macs", "flops", "latency_p50_s", "latency_p99_s"})


def _count(frame: pd.DataFrame) -> int:
    """Count the points and operations of the table `metrics`."""
    return int(frame.groupby(list(_GROUP), observed=True, dropna=False).ngroups)


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Write means over the clean repeats of each point and operation, without metrics that have no values."""
    shown = [entry for entry in GLOSSARY if frame[entry.column].notna().any()]
    groups: list[tuple[dict[str, Any], pd.DataFrame]] = [
        (dict(zip(_GROUP, key, strict=True)), part)
        for key, part in frame.groupby(list(_GROUP), sort=True, observed=True, dropna=False)
    ]
    order = {operation.value: place for place, operation in enumerate(OPERATIONS)}
    groups.sort(key=lambda g: (*(g[0][axis] for axis in AXES), g[0]["device"], order.get(g[0]["operation"], 9)))
    return [_place(key, part) | _means(part, shown) for key, part in groups[:most]]


def _place(key: Mapping[str, Any], part: pd.DataFrame) -> dict[str, str]:
    bad = flagged(part)
    evidence = key["energy_evidence"]
    return {
        **point_cells(key),
        "n": f"{len(part) - len(bad)}" + (f" (+ {len(bad)} flagged: {flag_words(bad)})" if len(bad) else ""),
        "energy evidence": "none" if pd.isna(evidence) else f"{evidence}, {key['energy_scope']}",
    }


def _means(part: pd.DataFrame, shown: Iterable[Entry]) -> dict[str, str]:
    # A flag is about the window.
    every = part.assign(in_mean=True)
    return {entry.name: _mean(every if entry.column in _NOT_OF_WINDOW else part, entry) for entry in shown}


def _mean(part: pd.DataFrame, entry: Entry) -> str:
    """Write a metric's mean with the SI prefix that reads best, shares in percent."""
    found = estimate(part, entry.column)
    if entry.column in _SHARES:
        factor, unit = 100.0, "%"
    elif entry.unit in _PLAIN:
        factor, unit = 1.0, _PLAIN[entry.unit]
    else:
        factor, unit = scaled_unit([found.mean if found.n else found.high], "" if entry.unit == "1" else entry.unit)
    if entry.column in _NOT_OF_WINDOW and part[entry.column].nunique() == 1:
        # One number for all repeats, counted or measured once: rounding errors must not give it an interval.
        return f"{interval_text(found.mean, math.nan, factor=factor)} {unit}".strip()
    return estimate_text(found, unit, factor=factor, missing="none").strip()


def _absent(_frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Say which metrics no run of the study has, and why."""
    names = {entry.column: entry.name for entry in GLOSSARY}
    by_reason: dict[str, list[str]] = {}
    for column, reason in efficiency.absent(tables).items():
        by_reason.setdefault(reason, []).append(names[column])
    said = "; ".join(f"{', '.join(same)} ({reason})" for reason, same in by_reason.items())
    return [f"Left out, since no run has a value: {said}."] if said else []


TABLE = TableSpec(
    "metrics",
    "Efficiency metrics",
    "Means over n unflagged repeats with half widths of 95 % t intervals; a single run (n = 1) has no interval. "
    "Flagged runs are excluded from the means; if all are flagged, the range of their values is shown and marked as "
    "flagged. Counts do not depend on the flags. The row names the evidence and components of its energy. Batch "
    "latency is timed once at the profiled points; the peak comes from a long matrix product. Greenness and "
    "energy-precision ratio are for the whole run, in the row of its training. The CSV has a row per run and gives the "
    "reason for each missing value. The glossary defines each metric and says when it misleads.",
    make=efficiency.metrics,
    rows=_rows,
    count=_count,
    notes=_absent,
    averaged=True,
    main=("settings", "threads", "operation", "energy evidence", "Energy", "Energy per row", "Throughput"),
)
