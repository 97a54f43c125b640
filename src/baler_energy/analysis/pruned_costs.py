"""What pruned networks cost in compression and decompression, compared with the same network unpruned."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.comparison import ratio_of_means
from baler_energy.analysis.savings import FIXED, SETTING
from baler_energy.analysis.statistics import clean, interval, kind_of_energy, per_row
from baler_energy.config.parameters import AXIS_DEFAULTS, matters
from baler_energy.vocabulary import Operation

__all__ = ["ALIKE", "pruned_costs"]

#: Parameters besides the pruning on which the cost of applying a trained network depends.
ALIKE = (*FIXED, *(axis for axis in SETTING if matters(axis, Operation.COMPRESS) and axis != "pruning"))
_OPERATIONS = (Operation.COMPRESS, Operation.DECOMPRESS)
#: Parameters of the training that made a network, besides the pruning, on which its error depends.
_TRAINING = [*(axis for axis in SETTING if axis not in (*ALIKE, "pruning")), "epochs"]
_ERROR = "mean_rms_over_range"
#: Costs: name, and column of ``runs`` per row of the table.
_COSTS = {"time": "time_per_row_s", "energy": "energy_per_row_j"}


def pruned_costs(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the cost per row of pruned networks with that of unpruned ones which are applied in the same way.

    Parameters
    ----------
    runs
        The table ``runs``; every row needs the error of its run (`figures.selection.with_results`).

    Returns
    -------
    pandas.DataFrame
        A row per group of runs with the same `ALIKE`, operation (compress, decompress) and pruning, the unpruned
        network first: ``n`` clean runs of any training, ``evidence`` of the energy, ``time_per_row_s`` and
        ``energy_per_row_j`` (means, with ``..._half_width``: 95 % t interval), and for pruned networks ``time_ratio``
        and ``energy_ratio``: their mean over that of the unpruned network, with ``..._low`` and ``..._high`` (95 %
        interval), ``error`` (mean of mean_rms_over_range) and ``unpruned_error``, that of the unpruned networks from
        the same training (null: there are none), both with ``..._half_width``. Energies with other evidence or
        components have no ratio. Groups without both kinds of networks have no rows.
    """
    applied = per_row(clean(runs[runs["operation"].isin(list(_OPERATIONS)) & runs["pruning"].notna()]))
    keys = [*ALIKE, "operation"]
    groups = applied.groupby(keys, dropna=False, observed=True)
    return pd.DataFrame([row for key, part in groups for row in _rows(dict(zip(keys, key, strict=True)), part)])


def _rows(about: Mapping[str, Any], part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    unpruned = part["pruning"] == AXIS_DEFAULTS["pruning"]
    whole = part[unpruned]
    if whole.empty or unpruned.all():
        return
    yield {**about, **_summary(whole)}
    for _, mine in part[~unpruned].groupby("pruning", observed=True):
        row = {**about, **_summary(mine)}
        for name, column in _COSTS.items():
            pair = [one[column].dropna().tolist() for one in (mine, whole)]
            if name == "energy" and (kind_of_energy(mine) != kind_of_energy(whole) or row["evidence"] is None):
                pair = [[], []]
            row |= ratio_of_means(*pair).columns(f"{name}_ratio")
        alike = whole.merge(mine[_TRAINING].drop_duplicates(), on=_TRAINING)
        for name, networks in (("error", mine), ("unpruned_error", alike)):
            row[name], row[f"{name}_half_width"], _ = interval(networks[_ERROR].dropna().to_numpy("float64"))
        yield row


def _summary(mine: pd.DataFrame) -> dict[str, Any]:
    evidence = kind_of_energy(mine)[0]
    row: dict[str, Any] = {"pruning": mine["pruning"].iloc[0], "n": len(mine), "evidence": evidence}
    for name, column in _COSTS.items():
        values = mine[column].to_numpy("float64")
        known = values[:0] if name == "energy" and evidence is None else values
        row[column], row[f"{column}_half_width"], _ = interval(known)
    return row
