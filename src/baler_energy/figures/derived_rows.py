"""Effect of a study's codecs on derived quantities, and which codecs have about the same error."""

import pandas as pd

from baler_energy.analysis.rate_distortion import CODEC, codec_name
from baler_energy.analysis.statistics import interval
from baler_energy.figures.base import Tables, require_rows
from baler_energy.figures.codec_rows import codecs_at_centre
from baler_energy.figures.readable import Row

__all__ = ["CHANGES", "OVER_REPEATS", "QUANTITY", "VALUES", "at_error_of", "derived_at_centre", "trained_codecs"]

#: Columns that identify and define a quantity in a window.
QUANTITY = ["quantity", "definition", "unit", "window", "low", "high"]
CHANGES = ("peak_shift", "width_change", "entries_change")
#: What has a 95 % t interval over repeats.
OVER_REPEATS = ("peak_shift", "width_change", "ks_distance")
_KNOWN = ("residual_median", "residual_half_width", "peak_before", "width_before", "entries_before")
VALUES = [
    *(f"{name}{kind}" for name in (*_KNOWN, *CHANGES) for kind in ("", "_uncertainty")),
    *("relative_residual_half_width", "ks_distance", "undefined_before", "undefined_after"),
]


def derived_at_centre(tables: Tables) -> pd.DataFrame:
    """Return the effect of each codec at the study's centre on each derived quantity, over all rows and in windows.

    Returns
    -------
    pandas.DataFrame
        A row per quantity, window (null: the whole distribution) and codec, smallest error first: `QUANTITY`, ``codec``
        (its name), `CODEC`, ``family``, ``error``, ``ratio``, `VALUES` as means over ``n`` repeats, ``run_id`` of the
        first one, and ``reason``. Uncertainties are averaged as well: repeats have the same rows, so their mean is not
        known better. `OVER_REPEATS` also have the half width of the 95 % t interval over repeats in ``..._half_width``.

    Raises
    ------
    NoData
        The dataset at the centre has no derived quantities, or no run has an error.
    """
    points, runs, _ = codecs_at_centre(tables, least_families=1)
    derived = tables["derived"]
    here = derived[derived["run_id"].isin(runs["run_id"])].sort_values("repeat", kind="stable")
    require_rows("the dataset at the study's centre has no derived quantities (key 'derived' of a dataset)", here)
    parts = here.groupby(["quantity", "window", *CODEC], dropna=False, sort=False, observed=True)
    means = pd.DataFrame([_mean(rows) for _, rows in parts])
    codecs = points.drop(columns="n").merge(means, on=CODEC)
    return codecs.assign(codec=list(map(codec_name, codecs.to_dict("records"))))


def _mean(rows: pd.DataFrame) -> Row:
    """Average over the repeats of a codec."""
    said = rows[[*CODEC, *QUANTITY, "run_id"]].iloc[0].to_dict()
    reasons = rows["reason"].dropna()
    said |= {"n": len(rows), "reason": reasons.iloc[0] if len(reasons) else None}
    said |= {name: rows[name].mean(skipna=False) for name in VALUES}
    return said | {f"{name}_half_width": interval(rows[name].dropna().to_numpy())[1] for name in OVER_REPEATS}


def trained_codecs(codecs: pd.DataFrame, measure: str = "error") -> list[Row]:
    """Return the codecs that train in epochs and have an error, fewest epochs first; of one quantity and window."""
    trained = codecs[codecs["epochs"].notna() & (codecs[measure] > 0)]
    return trained.sort_values("epochs", kind="stable").to_dict("records")


def at_error_of(trained: Row, codecs: pd.DataFrame, measure: str = "error") -> pd.DataFrame:
    """Return a trained codec, and from each other family the codec with the nearest error that is not larger.

    Nothing is interpolated: every codec was run. The error of another codec can therefore be far below.

    Parameters
    ----------
    trained
        A row of `codecs`.
    codecs
        Rows of `derived_at_centre` with one quantity and window.
    measure
        A key of `matched_error.MEASURES`.

    Returns
    -------
    pandas.DataFrame
        The trained codec, then the others, largest ratio first, with ``measure``, ``at_codec``, ``at_error`` (the
        trained codec's) and ``below`` (1 minus the codec's error over ``at_error``).
    """
    others = codecs[(codecs["family"] != trained["family"]) & (codecs[measure] <= trained[measure])]
    nearest = others.sort_values([measure, "ratio"]).groupby("family", sort=False, observed=True).tail(1)
    itself = codecs[codecs["codec"] == trained["codec"]]
    both: pd.DataFrame = pd.concat([itself, nearest.sort_values("ratio", ascending=False)])
    at_error = trained[measure]
    below = 1 - both[measure] / at_error
    return both.assign(measure=measure, at_codec=trained["codec"], at_error=at_error, below=below)
