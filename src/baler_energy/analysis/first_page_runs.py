"""The column ``at_reference`` of ``runs``: the runs that the report's first page is about."""

from collections import Counter
from typing import Any

import pyarrow as pa

__all__ = ["mark_first_page_runs"]

_NAME = "at_reference"


def mark_first_page_runs(runs: pa.Table) -> pa.Table:
    """Fill in ``at_reference``, for which all runs have to be known.

    The runs are those at the study's centre (``at_centre``) that have the most frequent number of threads of these runs
    on the same dataset and device, the larger one of two: records state the number that was used, which differs between
    machines if the study leaves it open.

    Parameters
    ----------
    runs
        The table ``runs``, whatever its ``at_reference``.
    """
    central, threads = (runs[name].to_pylist() for name in ("at_centre", "threads"))
    places = list(zip(*(runs[name].to_pylist() for name in ("dataset", "device")), strict=True))
    rows = list(zip(places, threads, central, strict=True))
    counts = Counter((place, number) for place, number, is_central in rows if is_central)
    # The last one of a place stays.
    usual: dict[Any, Any] = dict(sorted(counts, key=lambda found: (counts[found], found[1] or 0)))
    chosen = [is_central and usual[place] == number for place, number, is_central in rows]
    return runs.set_column(runs.column_names.index(_NAME), runs.schema.field(_NAME), pa.array(chosen, pa.bool_()))
