"""Quantities computed from columns, such as invariant masses, before and after compression: NumPy and vector.

A quantity is undefined in rows where it cannot be computed, such as a ratio to 0, or where a particle is unphysical
(its transverse momentum or mass is negative). Undefined rows are counted. They are in no distribution and no window, so
a window can lose entries to them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import vector
from numpy.typing import NDArray

from baler_energy.analysis.error_measures import column_errors
from baler_energy.analysis.mass_peaks import measure_peak
from baler_energy.config.derived import Derived

__all__ = ["compare", "derived_values", "histograms"]

Floats = NDArray[np.float64]

#: Seed of the bootstrap.
_SEED = 1
#: Number of rows whose four-vectors are in memory at once.
_ROWS = 1 << 18
#: Bins of the whole distribution and of a window.
_BINS, _WINDOW_BINS = 120, 40
#: Share of the rows at each end that the histogram of the whole distribution leaves out.
_LEFT_OUT = 5e-4
#: A positive quantity that spans more than this factor has logarithmic bins.
_SPANS = 30.0
#: Columns for the whole distribution only, and columns for windows only.
_OF_WHOLE = ("ks_distance", "wasserstein_over_deviation")
_OF_WINDOW = tuple(
    f"{what}_{when}{kind}"
    for what, change in (("entries", "change"), ("peak", "shift"), ("width", "change"))
    for when in ("before", "after", change)
    for kind in ("", "_uncertainty")
)
#: Quantiles whose distance is twice the half width. The half width of a Gaussian is its standard deviation.
_CENTRAL = (0.16, 0.84)


def derived_values(data: Floats, names: Sequence[str], derived: Derived) -> Floats:
    """Compute a quantity of each row.

    Parameters
    ----------
    data, names
        Shape (rows, columns), and the columns' names, which must include those of the quantity.
    derived
        The quantity.

    Returns
    -------
    ndarray
        Shape (rows,), NaN where the quantity is undefined.
    """
    columns = {name: names.index(name) for name in derived.columns}
    parts = [_values({name: rows[:, at] for name, at in columns.items()}, derived) for rows in _pieces(data)]
    values = np.concatenate([np.empty(0), *parts])
    return np.where(np.isfinite(values), values, math.nan)


def _pieces(data: Floats) -> Iterator[Floats]:
    for first in range(0, len(data), _ROWS):
        yield data[first : first + _ROWS]


def _values(columns: Mapping[str, Floats], derived: Derived) -> Floats:
    with np.errstate(all="ignore"):
        if derived.invariant_mass:
            return _mass(columns, derived.invariant_mass)
        if derived.ratio:
            above, below = (columns[name] for name in derived.ratio)
            ratio: Floats = above / below
            return ratio
        total: Floats = np.sum([columns[name] for name in derived.sum or ()], axis=0)
        return total


def _mass(columns: Mapping[str, Floats], particles: Sequence[tuple[str | float, ...]]) -> Floats:
    """Invariant mass of the sum of four-momenta, with the package vector; NaN if one of them is unphysical."""
    rows = len(next(iter(columns.values())))
    physical = np.ones(rows, np.bool_)
    momenta: list[Any] = []
    for particle in particles:
        values = [columns[part] if isinstance(part, str) else np.full(rows, part) for part in particle]
        pt, _, _, mass = values
        physical &= (pt >= 0) & (mass >= 0)
        momenta.append(vector.array(dict(zip(("pt", "eta", "phi", "mass"), values, strict=True))))
    # The mass of physical particles is only negative by rounding.
    found: Floats = np.where(physical, np.maximum(np.asarray(reduce(add, momenta).mass), 0.0), math.nan)
    return found


def compare(before: Floats, after: Floats, derived: Derived) -> list[dict[str, Any]]:
    """Compare a quantity before and after compression, over all rows and in each of its windows.

    Parameters
    ----------
    before, after
        Values in the same rows, shape (rows,), NaN where undefined.
    derived
        The quantity.

    Returns
    -------
    list of dict
        A row of the dataset's table ``derived``, without the point and the quantity's name, for the whole distribution
        (``window`` is null) and for each window. Residuals in a window are those of the rows that were in it before.
        The uncertainty of a number of entries is its square root. The uncertainty of its change is the square root of
        the number of rows that moved in or out, since the other rows are the same.
    """
    both = np.isfinite(before) & np.isfinite(after)
    rows: dict[str, Any] = {"definition": derived.definition, "unit": derived.unit_name}
    rows |= {"undefined_before": int(np.isnan(before).sum()), "undefined_after": int(np.isnan(after).sum())}
    rows |= {"window": None, "low": math.nan, "high": math.nan}
    rows |= dict.fromkeys((*_OF_WHOLE, *_OF_WINDOW), math.nan) | {"reason": None}
    found = [rows | _distances(before[both], after[both]) | _residuals(before, after, both)]
    for name, (low, high) in (derived.windows or {}).items():
        inside, back = (before >= low) & (before < high), (after >= low) & (after < high)
        row = rows | {"window": name, "low": low, "high": high} | _residuals(before, after, both & inside)
        found.append(row | _entries(inside, back) | measure_peak(before, after, low, high, _SEED))
    return found


def _distances(before: Floats, after: Floats) -> dict[str, float]:
    if not len(before):
        return {}
    errors = column_errors(before[:, None], after[:, None], ["derived"], ["float64"]).iloc[0]
    return {name: float(errors[name]) for name in _OF_WHOLE}


def _entries(inside: NDArray[np.bool_], back: NDArray[np.bool_]) -> dict[str, float]:
    before, after, moved = int(inside.sum()), int(back.sum()), int((inside != back).sum())
    counts = {"entries_before": before, "entries_after": after, "entries_change": after - before}
    uncertainties = zip(counts, (before, after, moved), strict=True)
    return counts | {f"{name}_uncertainty": math.sqrt(count) for name, count in uncertainties}


def _residuals(before: Floats, after: Floats, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Median and half width of the residuals (after minus before) and relative residuals of the chosen rows."""
    truth = before[chosen]
    residual = after[chosen] - truth
    with np.errstate(over="ignore"):
        relative = residual[truth != 0] / truth[truth != 0]
    return _residual_summary("residual", residual) | _residual_summary("relative_residual", relative)


def _residual_summary(name: str, values: Floats) -> dict[str, float]:
    """Median and half the central 68 % of some values, with uncertainties.

    The standard deviation of a sample quantile is estimated as half the distance between the quantiles that are one
    standard deviation of its rank below and above it. Two quantiles p < q have the correlation
    sqrt(p (1 - q) / (q (1 - p))) for large samples (David and Nagaraja, Order Statistics).
    """
    keys = [f"{name}_{what}{kind}" for what in ("median", "half_width") for kind in ("", "_uncertainty")]
    if not len(values):
        return dict.fromkeys(keys, math.nan)
    found = {}
    for quantile in (0.5, *_CENTRAL):
        step = math.sqrt(quantile * (1 - quantile) / len(values))
        low, middle, high = np.quantile(values, np.clip([quantile - step, quantile, quantile + step], 0, 1))
        found[quantile] = float(middle), float(high - low) / 2
    (median, uncertainty), (lower, of_lower), (upper, of_upper) = found.values()
    correlation = _CENTRAL[0] / _CENTRAL[1]
    variance = of_lower**2 + of_upper**2 - 2 * correlation * of_lower * of_upper
    return dict(zip(keys, (median, uncertainty, (upper - lower) / 2, math.sqrt(max(variance, 0.0)) / 2), strict=True))


def histograms(before: Floats, after: Floats, derived: Derived) -> pd.DataFrame:
    """Histograms of a quantity before and after compression with the same bins, for all rows and for each window.

    For all rows, 0.05 % at each end of the original distribution are outside the bins, so that the rest can be seen.

    Returns
    -------
    pandas.DataFrame
        A row of the dataset's table ``derived_histograms``, without the point and the quantity's name, for each bin.
    """
    edges: dict[str | None, Floats] = {}
    defined = before[np.isfinite(before)]
    if len(defined):
        low, high = np.quantile(defined, [_LEFT_OUT, 1 - _LEFT_OUT])
        edges[None] = _edges(float(low), float(high))
    for name, (low, high) in (derived.windows or {}).items():
        edges[name] = np.linspace(low, high, _WINDOW_BINS + 1)
    parts = []
    for window, bins in edges.items():
        for kind, values in (("original", before), ("reconstructed", after)):
            counts, _ = np.histogram(values[np.isfinite(values)], bins)
            what = {"window": window, "unit": derived.unit_name, "kind": kind}
            parts.append(pd.DataFrame(what | {"low": bins[:-1], "high": bins[1:], "count": counts}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _edges(low: float, high: float) -> Floats:
    if low > 0 and high > _SPANS * low:
        return np.geomspace(low, high, _BINS + 1)
    margin = 0.0 if high > low else max(abs(low), 1.0) / 2
    return np.linspace(low - margin, high + margin, _BINS + 1)
