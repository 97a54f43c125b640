"""Hardware counters: events that were counted on the CPU during an operation, or why not."""

from typing import Any

import pandas as pd

from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.profiled import of_central_engine, profiler_of, rows_of, tool_of
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import AXES, device_name, scaled_unit

__all__ = ["TABLE", "counters"]

_PROFILER, _TOOL = profiler_of("counters"), tool_of("counters")
_KEYS = [*AXES, "device", "operation"]


def counters(tables: Tables) -> pd.DataFrame:
    """Return the events that were counted in profiled operations (a limited number of batches).

    Returns
    -------
    pandas.DataFrame
        For the centre's engine, a row per point, operation and ``event``: ``events``, ``bytes`` loaded from memory (for
        last-level cache misses), ``per_cycle`` (for instructions), or the ``reason`` why there are none.
    """
    found = of_central_engine(rows_of(tables, _PROFILER, ["counter", "absent"]), tables["runs"])
    rows: list[dict[str, Any]] = []
    for key, part in found.groupby(_KEYS, sort=True, dropna=False, observed=True):
        events = part.dropna(subset=["calls"]).set_index("name")["calls"]
        for row in part.to_dict("records"):
            counted = {"event": row["name"], "events": row["calls"], "bytes": row["bytes"], "reason": row["reason"]}
            cycles = str(row["name"]).replace("instructions", "cycles")
            if cycles != row["name"] and cycles in events:
                counted["per_cycle"] = row["calls"] / events[cycles]
            rows.append(dict(zip(_KEYS, key, strict=True)) | counted)
    return pd.DataFrame(rows, columns=[*_KEYS, "event", "events", "per_cycle", "bytes", "reason"])


def _row(row: Row) -> dict[str, str]:
    factor, unit = scaled_unit([row["bytes"]], "B")
    absent = pd.isna(row["events"])
    return {
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "event": "none" if absent else row["event"],
        "events": f"{row['reason']}" if absent else f"{row['events']:,.0f}",
        "per cycle": unless_missing(f"{row['per_cycle']:.2f}", row["per_cycle"], ""),
        "bytes from memory": unless_missing(f"{row['bytes'] * factor:.3g} {unit}", row["bytes"], ""),
    }


TABLE = TableSpec(
    "counters",
    f"Hardware counters of the CPU ({_TOOL})",
    f"Events of one operation on the profiled batches, counted by Linux's {_TOOL} in a separate run, n = 1. Bytes are "
    "the last-level cache misses times the size of a cache line. Most virtual machines have no counters; the table "
    "then says so.",
    make=counters,
    rows=each(_row),
    without_rows=f"No run was profiled with {_PROFILER} (profile.profilers).",
)
