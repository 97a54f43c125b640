"""Rows of the table ``hotspots`` that a figure shows: from one profiler and one run."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from baler_energy.figures.base import NoData, Tables
from baler_energy.figures.selection import at_point, centre_of, describe, device_name
from baler_energy.variants import PROFILERS
from baler_energy.vocabulary import Operation

__all__ = ["absence", "of_central_engine", "one_profile", "one_run", "profiler_of", "rows_of", "tool_of"]


def profiler_of(subject: str) -> str:
    """Name the profiler whose rows show a subject (`ProfilerKind.shows`)."""
    return {shown: name for name, kind in PROFILERS.items() for shown in kind.shows}[subject]


def tool_of(subject: str) -> str:
    """Name the profiler of a subject as its makers do."""
    name = profiler_of(subject)
    return PROFILERS[name].tool or name


def rows_of(tables: Tables, profiler: str, kinds: Iterable[str]) -> pd.DataFrame:
    """Rows of some kinds from one profiler."""
    hotspots = tables["hotspots"]
    return hotspots[(hotspots["profiler"] == profiler) & hotspots["kind"].isin(list(kinds))]


def absence(tables: Tables, profiler: str, otherwise: str) -> str:
    """Say why a profiler has no rows: its own reason if it could not run, else `otherwise`."""
    reasons = of_central_engine(rows_of(tables, profiler, ["absent"]), tables["runs"])["reason"].dropna().unique()
    return str(reasons[0]).rstrip(".") if len(reasons) else otherwise


def one_profile(
    tables: Tables, profiler: str, kinds: Iterable[str], otherwise: str, operation: Operation | None = None
) -> tuple[pd.DataFrame, str]:
    """Return the rows of some kinds (and of one operation) of the run that `one_run` chooses, and its description.

    Raises
    ------
    NoData
        The profiler has none; the message is that of `absence`.
    """
    found = rows_of(tables, profiler, kinds)
    if operation is not None:
        found = found[found["operation"] == operation]
    if found.empty:
        raise NoData(absence(tables, profiler, otherwise))
    return one_run(found, tables["runs"])


def of_central_engine(found: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of the centre's engine; the chapter on savings compares it with others."""
    return found if runs.empty else at_point(found, {"engine": centre_of(runs)["engine"]})


def one_run(found: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Choose and describe the profiled run: at the study's centre if there is one, else the first of its engine.

    Raises
    ------
    NoData
        No run of this engine was profiled.
    """
    of_engine = of_central_engine(found, runs)
    if of_engine.empty:
        raise NoData(f"no run of engine {centre_of(runs)['engine']} was profiled this way, only runs of other engines")
    at_centre = of_engine if runs.empty else at_point(of_engine, centre_of(runs))
    chosen = of_engine if at_centre.empty else at_centre
    others = of_engine["run_id"].nunique() - 1
    chosen = chosen[chosen["run_id"] == chosen["run_id"].min()]
    first: Any = chosen.iloc[0].to_dict()
    more = f"; {others} more profiled {'run is' if others == 1 else 'runs are'} in the dataset" if others else ""
    return chosen, f"{describe(first)}, {device_name(str(first['device']))}{more}"
