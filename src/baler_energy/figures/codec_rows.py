"""The codecs that a study compares: transforms, packings, compression ratios and epochs at the rest of its centre."""

from typing import Any

import pandas as pd

from baler_energy.analysis.rate_distortion import codec_points
from baler_energy.figures.base import NoData, Tables, require_rows
from baler_energy.figures.selection import AXES, at_point, centre_of, describe, first_device, with_results

__all__ = ["codecs_at_centre", "where"]

#: Axes in which codecs may differ.
_FREE = ("transform", "engine", "packing", "compression_ratio", "epochs")
#: Axes that some transforms do not have.
_OF_SOME = ("model", "precision", "batch_size")


def codecs_at_centre(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the codecs at the study's centre.

    Returns
    -------
    tuple
        `codec_points`, the runs behind them, and words such as ``CPU run``.

    Raises
    ------
    NoData
        There is one codec only.
    """
    runs = tables["runs"]
    require_rows("there are no runs", runs)
    centre = centre_of(runs)
    here = at_point(runs, {axis: centre[axis] for axis in AXES if axis not in (*_FREE, *_OF_SOME)})
    for axis in (*_OF_SOME, "engine"):
        here = here[here[axis].isna() | (here[axis] == centre[axis])]
    known = with_results(here)
    require_rows("no run at the study's centre has an error", known)
    mine, device = first_device(known)
    points = codec_points(mine)
    if points["family"].nunique() < 2:
        raise NoData("one family of codecs only at the study's centre, nothing to compare")
    return points, mine, device


def where(runs: pd.DataFrame) -> str:
    """Describe what the codecs have in common."""
    centre: dict[str, Any] = centre_of(runs)
    return describe(centre, without=_FREE)
