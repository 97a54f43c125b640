"""The tables of chapter trust: spread over repeats, other tools beside ours, imported files, calibration."""

from typing import Any

import pandas as pd

from baler_energy.analysis import statistics
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import AXES, at_point, reference_point

__all__ = ["calibration", "findings", "peers", "variation"]

#: What tells readings of other tools apart, besides the point.
_READING = [
    *("kind", "tool", "device", "operation", "component", "quantity", "evidence", "unit"),
    *("ours_scope", "ours_evidence"),
]


def variation(tables: Tables) -> pd.DataFrame:
    """Give coefficients of variation and repeats needed, as `analysis.statistics.variation` does."""
    return statistics.variation(tables["runs"])


def peers(tables: Tables) -> pd.DataFrame:
    """Give what other tools and formulas say beside our energy.

    Formulas are of every run; shown are those at the points where a tool ran, and at the reference point.

    Returns
    -------
    pandas.DataFrame
        A row per point, tool and kind of reading: medians of ``value``, ``duration_s``, ``ours_j`` and ``ratio`` over
        ``n`` values, smallest and largest ratio, ``runs`` tried, ``assumptions``, and ``reason`` where values are
        missing.
    """
    table, axes = tables["peers"], list(AXES)
    names = [*_READING, *_medians(table.iloc[:0]), *axes]
    if table.empty:
        return pd.DataFrame(columns=names)
    reference = reference_point(tables["runs"])
    at_reference = pd.Series(table.index.isin(at_point(table, reference).index), index=table.index)
    beside = table[axes].apply(tuple, axis=1).isin(set(table.loc[table["kind"] == "peer", axes].apply(tuple, axis=1)))
    kept = table[at_reference | beside]
    rows = [
        dict(zip([*axes, *_READING], key, strict=True)) | _medians(part)
        for key, part in kept.groupby([*axes, *_READING], sort=True, observed=True, dropna=False)
    ]
    rows.sort(
        key=lambda row: (row["kind"] != "peer", row["tool"], row["operation"] != "train", row["quantity"] != "energy")
    )
    return pd.DataFrame(rows, columns=names)


def _medians(part: pd.DataFrame) -> dict[str, Any]:
    present = part.dropna(subset=["value"])
    said = present["assumptions"].dropna()
    return {
        "value": present["value"].median(),
        "duration_s": present["duration_s"].median(),
        "ours_j": present["ours_j"].median(),
        "ratio": present["ratio"].median(),
        "ratio_low": present["ratio"].min(),
        "ratio_high": present["ratio"].max(),
        "n": len(present),
        "runs": len(part),
        "assumptions": said.iloc[0] if len(said) else None,
        "reason": "; ".join(part["reason"].dropna().unique()) or None,
    }


def findings(tables: Tables) -> pd.DataFrame:
    """Give what imported files tell by themselves, as the dataset has it."""
    return tables["findings"]


def calibration(tables: Tables) -> pd.DataFrame:
    """Give what the machine resolves, as the dataset has it."""
    return tables["calibration"]
