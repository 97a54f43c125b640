"""The table of hardware counters."""

import pandas as pd

from baler_energy.figures.tables.counters import counters


def test_counters_of_each_operation_or_the_reason(build) -> None:
    tables = build()
    hotspots = tables["hotspots"]
    (absent,) = counters(tables).to_dict("records")
    assert absent["reason"] == "no counters." and pd.isna(absent["events"])
    rows = hotspots[hotspots["profiler"] == "perf"]
    events = {"instructions": (3_000_000, None), "cycles": (2_000_000, None), "cache-misses": (1000, 64_000)}
    counted = pd.concat(
        [rows.assign(kind="counter", name=n, calls=c, bytes=b, reason=None) for n, (c, b) in events.items()]
    )
    found = counters({**tables, "hotspots": counted}).set_index("event")
    assert found.loc["instructions", "per_cycle"] == 1.5 and pd.isna(found.loc["cycles", "per_cycle"])
    assert (found.loc["cache-misses", "events"], found.loc["cache-misses", "bytes"]) == (1000, 64_000)
    assert counters({**tables, "hotspots": hotspots.iloc[:0]}).empty
