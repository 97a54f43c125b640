"""The Pareto front: the points that no other one beats in two quantities."""

import math

import pandas as pd

__all__ = ["on_front"]


def on_front(first: "pd.Series[float]", second: "pd.Series[float]") -> "pd.Series[bool]":
    """Return which points are on the Pareto front.

    A point is on it if no other one has a smaller value of one quantity without a larger value of the other. Of equal
    points, only one is on it; a point that lacks a value is not.

    Parameters
    ----------
    first, second
        The two quantities of each point, with the same index without duplicates; smaller is better. Pass the negative
        of a quantity of which more is better.
    """
    known = pd.DataFrame({"first": first, "second": second}).dropna().astype("float64")
    ordered = known.sort_values(["first", "second"])
    before = ordered["second"].cummin().shift(fill_value=math.inf)
    return (ordered["second"] < before).reindex(first.index, fill_value=False)
