"""Types of columns, from properties of each column in the table ``errors``, and the errors of codecs by type."""

import math

import pandas as pd

from baler_energy.analysis.error_measures import ALL

__all__ = ["MEANINGS", "column_types", "errors_by_type"]

#: Minimum share of exact zeros in a column with many zeros.
_MANY_ZEROS = 0.1
#: Minimum range over standard deviation of a column with heavy tails. A million normally distributed values span
#: 10 standard deviations, a uniform distribution 3.5, and a steeply falling spectrum 15 or more.
_HEAVY = 12.0

#: Types of columns; a column has the first type that fits.
MEANINGS = {
    "integers and flags": "recorded as integers",
    "many zeros": f"at least {100 * _MANY_ZEROS:g} % exact zeros",
    "heavy tails": f"a range of at least {_HEAVY:g} standard deviations",
    "other": "none of these",
}


def column_types(errors: pd.DataFrame) -> "pd.Series[str]":
    """Return the type of the column in each row of ``errors``; null for constant columns and the row ``all``.

    Parameters
    ----------
    errors
        Rows of the table ``errors``. The names of the columns do not matter.
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
