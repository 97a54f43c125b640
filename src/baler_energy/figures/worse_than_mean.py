"""What is no better than the trivial codec, in words: columns, codecs, and models that output a constant."""

import math
from collections.abc import Sequence

import pandas as pd

from baler_energy.analysis.error_measures import ALL, COMPRESSED
from baler_energy.analysis.rate_distortion import CODEC, codec_name
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import percent_text, with_results
from baler_energy.figures.trivial import trivial_error

__all__ = ["compared_with_means"]

#: Most columns or codecs that are named.
_MOST = 8
#: Largest explained variance of a constant output, which is 0 up to rounding.
_CONSTANT = 1e-6
#: Relative residual that rounding may leave in a column of a single value.
_ROUNDING = 1e-6
_WORSE = "WORSE THAN THEIR MEAN"
#: Errors on held-out rows are relative to the training rows, so they are not compared with the means.
_UNSEEN = "OFF BY MORE THAN THE TRAINING ROWS' STANDARD DEVIATION on rows that were not trained on"


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
            f"Storing only each column's mean would be off by {percent_text(trivial)} of its range. "
            "By definition, that is 100 % of its standard deviation."
        )
    return [*said, *_columns(tables["errors"], here), *_codecs(tables["runs"], here)]


def _columns(errors: pd.DataFrame, here: pd.DataFrame) -> list[str]:
    """Name the columns that the centre's codec stores worse than their mean, or as a constant."""
    own = errors[errors["run_id"].isin(here["run_id"]) & (errors["column"] != ALL) & (errors["on_rows"] == COMPRESSED)]
    # The mean over repeats, on the worst device.
    means = own.assign(nrmse=_with_changed(own)).groupby(["column", "device"], observed=True)["nrmse"].mean()
    nrmse = means.groupby("column", observed=True).max()
    varied = own[own["nrmse"].notna()]
    constant = varied.loc[varied["explained_variance"].abs() <= _CONSTANT, "column"].astype(str).unique()
    found = [
        (f"{_WORSE} are", [str(name) for name in nrmse.index[nrmse > 1]], len(nrmse)),
        ("A CONSTANT COMES BACK for", sorted(constant), varied["column"].nunique()),
    ]
    return [f"{words} {len(names)} of {of} columns: {_listed(names, ', ')}." for words, names, of in found if names]


def _with_changed(errors: pd.DataFrame) -> "pd.Series[float]":
    """Return the NRMSE of each column, infinite for a column of a single value that comes back changed."""
    rounded = errors["relative_error_rms"] <= _ROUNDING
    changed = (errors["standard_deviation"] == 0) & (errors["rms_residual"] > 0) & ~rounded
    return errors["nrmse"].mask(changed, math.inf)


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
        _UNSEEN: (known["held_out_mean_nrmse"] > 1) & ~worse,
        f"SOME COLUMNS {_WORSE}": some & ~worse,
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
