"""Types of columns, from facts of each column in the table ``errors``, and the errors of codecs by type."""

import math

import pandas as pd

from baler_energy.analysis.error_measures import ALL

__all__ = ["MEANINGS", "column_types", "errors_by_type"]

#: Share of exact zeros from which a column is one of many zeros.
_MANY_ZEROS = 0.1
#: Range over standard deviation from which a column has heavy tails. A normal distribution of a million values spans
#: 10 standard deviations, a uniform one 3.5; a steeply falling spectrum spans 15 and more.
_HEAVY = 12.0

#: Types in the order in which a column is assigned to the first that fits.
MEANINGS = {
    "integers and flags": "recorded as integers",
    "many zeros": f"at least {100 * _MANY_ZEROS:g} % exact zeros",
    "heavy tails": f"a range of at least {_HEAVY:g} standard deviations",
    "other": "none of these",
}


def column_types(errors: pd.DataFrame) -> "pd.Series[str]":
    """Give the type of the column that each row of ``errors`` is about; null for constant columns and for all columns.

    Parameters
    ----------
    errors
        Rows of the table ``errors``. Names of columns have no influence.
    """
    integers, zeros, heavy, other = MEANINGS
    counted = errors["zero_count"] + errors["nonzero_count"]
    found = pd.Series(other, index=errors.index, dtype=object)
    # The trivial codec's RMS error over the range is the standard deviation over the range.
    found[errors["trivial_rms_over_range"] <= 1 / _HEAVY] = heavy
    found[errors["zero_count"] >= _MANY_ZEROS * counted.where(counted > 0, math.nan)] = zeros
    found[errors["integer_count"] > 0] = integers
    found[(errors["column"] == ALL) | ~(errors["trivial_rms_over_range"] > 0)] = None
    return found


def errors_by_type(errors: pd.DataFrame) -> pd.DataFrame:
    """Average the NRMSE of each run over the columns of each type.

    Returns
    -------
    pandas.DataFrame
        A row per run and type: ``run_id``, ``type``, ``nrmse`` and ``columns``, the number of columns.
    """
    known = errors.assign(type=column_types(errors)).dropna(subset=["type", "nrmse"])
    grouped = known.groupby(["run_id", "type"], sort=True, observed=True)["nrmse"]
    return grouped.agg(nrmse="mean", columns="count").reset_index()
