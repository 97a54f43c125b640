"""The codecs that a study compares: they may differ from its centre in transform, packing, ratio and epochs."""

from functools import partial
from typing import Any

import pandas as pd

from baler_energy.analysis.rate_distortion import codec_points
from baler_energy.config.parameters import applies
from baler_energy.figures.base import NoData, Tables, require_rows
from baler_energy.figures.selection import AXES, at_point, centre_of, describe, first_device, with_results
from baler_energy.variants import TRANSFORMS

__all__ = ["around_centre", "codecs_at_centre", "where"]

#: Axes in which codecs may differ.
_FREE = ("transform", "engine", "packing", "compression_ratio", "epochs")
#: Axes that do not apply to every transform.
_OF_SOME = tuple(axis for axis in AXES if axis not in _FREE and not all(applies(axis, one) for one in TRANSFORMS))


def around_centre(runs: pd.DataFrame, *free: str) -> pd.DataFrame:
    """Rows of ``runs`` that differ from the study's centre only in the codec, and in the axes `free`."""
    centre = centre_of(runs)
    here = at_point(runs, {axis: centre[axis] for axis in AXES if axis not in (*_FREE, *_OF_SOME, *free)})
    for axis in (*_OF_SOME, "engine"):
        # Null: the transform does not have the axis, or the axis has no value at the centre either.
        alike = here[axis].isna() if pd.isna(centre[axis]) else here[axis] == centre[axis]
        here = here[alike | ~here["transform"].map(partial(applies, axis)).astype(bool)]
    return here


def codecs_at_centre(tables: Tables, *, least_families: int = 2) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the codecs at the study's centre.

    Returns
    -------
    tuple
        `codec_points`, the runs that they summarise, and the device, such as ``CPU run``.

    Raises
    ------
    NoData
        There are fewer families than `least_families`.
    """
    runs = tables["runs"]
    require_rows("there are no runs", runs)
    known = with_results(around_centre(runs))
    require_rows("no run at the study's centre has an error", known)
    mine, device = first_device(known)
    points = codec_points(mine)
    if points["family"].nunique() < least_families:
        raise NoData("only one family of codecs at the study's centre, so there is nothing to compare")
    return points, mine, device


def where(runs: pd.DataFrame) -> str:
    """Describe the parameters that all codecs share."""
    centre: dict[str, Any] = centre_of(runs)
    return describe(centre, without=_FREE)
