"""The table of hardware counters: what the CPU counted over an operation, by perf, or why it did not."""

from typing import Any

import pandas as pd

from baler_energy.figures.base import Tables
from baler_energy.figures.hotspot_rows import rows_of, told_of
from baler_energy.figures.selection import AXES

__all__ = ["counters"]

_KEYS = [*AXES, "device", "operation"]


def counters(tables: Tables) -> pd.DataFrame:
    """Give the events of one profiled operation (its capped batches), as perf counted them.

    Returns
    -------
    pandas.DataFrame
        Of the engine that costs are told of, a row per point, operation and ``event``: ``events`` and, of misses of the
        last cache, the ``bytes`` that came from memory for them; of instructions, ``per_cycle``; or the ``reason`` why
        there are none.
    """
    found = told_of(rows_of(tables, "perf", ["counter", "absent"]), tables["runs"])
    rows: list[dict[str, Any]] = []
    for key, part in found.groupby(_KEYS, sort=True, observed=True):
        events = part.dropna(subset=["calls"]).set_index("name")["calls"]
        for row in part.to_dict("records"):
            told = {"event": row["name"], "events": row["calls"], "bytes": row["bytes"], "reason": row["reason"]}
            cycles = str(row["name"]).replace("instructions", "cycles")
            if cycles != row["name"] and cycles in events:
                told["per_cycle"] = row["calls"] / events[cycles]
            rows.append(dict(zip(_KEYS, key, strict=True)) | told)
    return pd.DataFrame(rows, columns=[*_KEYS, "event", "events", "per_cycle", "bytes", "reason"])
