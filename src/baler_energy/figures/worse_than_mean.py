"""What is no better than the trivial codec, in words: columns, codecs, and models that output a constant."""

import math
from collections.abc import Sequence

import pandas as pd

from baler_energy.analysis.error_measures import ALL, COMPRESSED, HELD_OUT_ROWS
from baler_energy.analysis.rate_distortion import CODEC, codec_name
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import interval_text, with_results
from baler_energy.figures.trivial import trivial_error

__all__ = ["compared_with_means"]

#: Most columns or codecs that are named.
_MOST = 8
#: Largest explained variance of a constant output, which is 0 up to rounding.
_CONSTANT = 1e-6
_UNSEEN = "on rows that were not trained on"


def compared_with_means(tables: Tables, here: pd.DataFrame) -> list[str]:
    """Compare a dataset's codecs with storing only each column's mean: the centre by column, the others as a whole.

    Parameters
    ----------
    tables
        The tables of one dataset.
    here
        Its runs at the centre.
    """
    trivial = trivial_error(here, "mean_rms_over_range")
    said = []
    if not math.isnan(trivial):
        said.append(
            f"Storing only each column's mean would be off by {interval_text(100 * trivial, math.nan)} % of its range. "
            "By definition, that is 100 % of its standard deviation."
        )
    return [*said, *_columns(tables["errors"], here), *_codecs(tables["runs"], here)]


def _columns(errors: pd.DataFrame, here: pd.DataFrame) -> list[str]:
    """Name the columns that the centre's codec stores worse than their mean, or as a constant."""
    own = errors[errors["run_id"].isin(here["run_id"]) & (errors["column"] != ALL)]
    said = []
    for rows, where in ((COMPRESSED, ""), (HELD_OUT_ROWS, f" {_UNSEEN}")):
        # The mean over repeats, on the worst device.
        means = own[own["on_rows"] == rows].groupby(["column", "device"], observed=True)["nrmse"].mean()
        nrmse = means.groupby("column", observed=True).max()
        if worse := [str(name) for name in nrmse.index[nrmse > 1]]:
            named = _listed(worse, ", ")
            said.append(f"WORSE THAN THEIR MEAN{where} are {len(worse)} of {len(nrmse)} columns: {named}.")
    varied = own[(own["on_rows"] == COMPRESSED) & own["nrmse"].notna()]
    constant = varied.loc[varied["explained_variance"].abs() <= _CONSTANT, "column"].astype(str).unique()
    if len(constant):
        named = _listed(sorted(constant), ", ")
        said.append(f"A CONSTANT COMES BACK for {len(constant)} of {varied['column'].nunique()} columns: {named}.")
    return said


def _codecs(runs: pd.DataFrame, here: pd.DataFrame) -> list[str]:
    """Name the codecs with a run that is worse than the means, or outputs a constant."""
    # The worst ones first, as not all may be named.
    known = with_results(runs).drop_duplicates("run_id").sort_values("mean_nrmse", ascending=False)
    over_range = known["mean_rms_over_range"] > known["trivial_mean_rms_over_range"]
    worse = over_range | (known["mean_nrmse"] > 1)
    some = (known["columns_worse_than_mean"] > 0) & ~known["run_id"].isin(here["run_id"])
    kinds = {
        "OUTPUT A CONSTANT for every column": known["mean_explained_variance"].abs() <= _CONSTANT,
        "WORSE THAN STORING THE MEANS, over all columns": worse,
        f"WORSE THAN STORING THE MEANS {_UNSEEN}": (known["held_out_mean_nrmse"] > 1) & ~worse,
        "SOME COLUMNS WORSE THAN THEIR MEAN": some & ~worse,
    }
    codec = known.groupby(CODEC, dropna=False, observed=True, sort=False).ngroup()
    return [
        f"{words}: {len(names)} of {codec.nunique()} codecs ({_listed(names, '; ')})."
        for words, chosen in kinds.items()
        if (names := _names(known, codec, chosen))
    ]


def _names(known: pd.DataFrame, codec: "pd.Series[int]", chosen: "pd.Series[bool]") -> list[str]:
    """Name the codecs of some runs, with the number of these runs unless it is all of the codec's."""
    names = []
    for number, part in known[chosen].groupby(codec[chosen], sort=False):
        of = int((codec == number).sum())
        names.append(codec_name(part.iloc[0]) + ("" if len(part) == of else f": {len(part)} of {of} runs"))
    return names


def _listed(names: Sequence[str], between: str) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{between.join(names[:_MOST])}{more}"
