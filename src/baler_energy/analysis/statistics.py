"""Spread over repeats."""

import pandas as pd

__all__ = ["mean_interval"]


def mean_interval(table: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """Mean and 95 % t interval of a column over the repeats of each group.

    Parameters
    ----------
    table
        A row per run.
    by
        Columns that name a group.
    value
        Column to average; nulls are left out, and a group with nulls only is absent from the result.

    Returns
    -------
    pandas.DataFrame
        A row per group: `by`, ``mean``, ``half_width`` (null where n = 1, since one run has no spread) in the unit of
        `value`, and ``n``.

    Notes
    -----
    The half width is ``t(0.975, n - 1) * s / sqrt(n)`` with the sample standard deviation ``s`` (Student 1908).
    """
    from scipy import stats

    present = table.dropna(subset=[value])
    grouped = present.groupby(by, sort=True, observed=True, dropna=False)[value]
    result = grouped.agg(mean="mean", sem="sem", n="count").reset_index()
    quantile = stats.t.ppf(0.975, (result["n"] - 1).where(result["n"] > 1))
    result["half_width"] = result.pop("sem") * quantile
    return result
