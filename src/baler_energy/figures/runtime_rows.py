"""Rows of several runtimes at the study's centre, and why some have none.

Other engines, which have programs of their own for the trained network, are compared like runtimes.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import clean, per_row
from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.figures.base import NoData, Tables, runs_and_centre
from baler_energy.figures.selection import sweep, with_results
from baler_energy.variants import ENGINES, RUNTIMES
from baler_energy.vocabulary import Operation

__all__ = ["APPLIED", "EAGER", "NAMES", "OUTSIDE_WINDOW", "absent", "fault_of", "is_deprecated", "runtimes_at_centre"]

#: Operations in which a runtime computes.
APPLIED = (Operation.COMPRESS, Operation.DECOMPRESS)
#: PyTorch itself, with which runtimes are compared.
EAGER = AXIS_DEFAULTS["runtime"]
#: Names of the rows, in order.
NAMES = (EAGER, *filter(None, ENGINES), *(name for name in RUNTIMES if name != EAGER))
#: Quantities that do not depend on the window, so that they come from all runs: a flag is about the window.
OUTSIDE_WINDOW = ("startup_s", "runtime_deviation", "mean_rms_over_range")
#: Parameters in which the rows may differ.
_FREE = ("runtime", "precision", "engine")


def runtimes_at_centre(tables: Tables) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of compression and decompression of each runtime and precision at the study's centre, in order.

    Returns
    -------
    pandas.DataFrame
        Rows of ``runs``, those of the first device by name first, with costs per row (`per_row`), ``rows_per_s`` and
        the errors. For another engine than the centre's, ``runtime`` is its name.
    dict
        The centre.

    Raises
    ------
    NoData
        Only one runtime ran at the study's centre, and none is missing.
    """
    runs, centre = runs_and_centre(tables)
    rows = sweep(per_row(with_results(runs)), _FREE, centre)
    rows = rows[rows["operation"].isin(list(APPLIED))]
    own = rows[rows["engine"] == centre["engine"]]
    if own["runtime"].nunique() < 2 and not len(_left_out(tables)):
        raise NoData("only one runtime at the study's centre, so there is nothing to compare")
    others = rows[(rows["engine"] != centre["engine"]) & rows["precision"].isin(own["precision"])]
    # As a copy, whose columns lie together again: many have been joined one by one, of which pandas warns.
    rows = pd.concat([own, others.assign(runtime=others["engine"])]).copy()
    order = rows["runtime"].map(NAMES.index).astype(int)
    other = rows["precision"] != centre["precision"]
    rows = rows.assign(rows_per_s=1 / rows["time_per_row_s"], _other=other, _order=order)
    return rows.sort_values(["device", "_other", "precision", "_order"], kind="stable"), centre


def is_deprecated(name: str) -> bool:
    """Whether the makers of a runtime advise against it."""
    return name in RUNTIMES and RUNTIMES[name].deprecated


def absent(tables: Tables, rows: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield runtime, precision and reason of each that the study named but has no rows of, in the order of `rows`."""
    left_out = _left_out(tables)
    missing = dict(zip(left_out["value"], left_out["reason"], strict=True))
    ran = set(zip(rows["runtime"], rows["precision"], strict=True))
    named = {*missing, *rows["runtime"]}
    for precision in dict.fromkeys(rows["precision"]):
        for name in (name for name in RUNTIMES if name in named and (name, precision) not in ran):
            if reason := RUNTIMES[name].refused.get(precision) or missing.get(name):
                yield name, precision, reason


def fault_of(runs: pd.DataFrame) -> str | None:
    """Return why a runtime's runs do not count, if none of them does and one had a fault; otherwise None."""
    reasons = runs["runtime_reason"].dropna()
    return None if len(clean(runs)) or reasons.empty else str(reasons.iloc[0])


def _left_out(tables: Tables) -> pd.DataFrame:
    left_out = tables["left_out"]
    return left_out[left_out["axis"] == "runtime"]
