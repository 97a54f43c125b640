"""Rows of the table ``hotspots`` that a figure shows: of one profiler, of one run."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from baler_energy.figures.base import Tables
from baler_energy.figures.selection import at_point, describe, device_name, reference_point

__all__ = ["absence", "one_run", "rows_of"]


def rows_of(tables: Tables, profiler: str, kinds: Iterable[str]) -> pd.DataFrame:
    """Rows of some kinds that a profiler gave."""
    hotspots = tables["hotspots"]
    return hotspots[(hotspots["profiler"] == profiler) & hotspots["kind"].isin(list(kinds))]


def absence(tables: Tables, profiler: str, otherwise: str) -> str:
    """Say why a profiler gave nothing: its own reason where it could not run, else `otherwise`."""
    reasons = rows_of(tables, profiler, ["absent"])["reason"].dropna().unique()
    return str(reasons[0]).rstrip(".") if len(reasons) else otherwise


def one_run(found: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Choose the profiled run: at the reference point where there is one, else the first; and words for it."""
    at_reference = found if runs.empty else at_point(found, reference_point(runs))
    chosen = found if at_reference.empty else at_reference
    others = found["run_id"].nunique() - 1
    chosen = chosen[chosen["run_id"] == chosen["run_id"].min()]
    first: Any = chosen.iloc[0].to_dict()
    more = f"; {others} more profiled {'run is' if others == 1 else 'runs are'} in the dataset" if others else ""
    return chosen, f"{describe(first)}, {device_name(str(first['device']))}{more}"
