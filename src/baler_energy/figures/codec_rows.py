"""The codecs that a study compares: transforms, packings, compression ratios and epochs at the rest of its centre."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from baler_energy.analysis.rate_distortion import codec_points
from baler_energy.config.parameters import applies
from baler_energy.figures.base import NoData, Tables, require_rows
from baler_energy.figures.selection import AXES, at_point, centre_of, describe, first_device, with_results
from baler_energy.variants import TRANSFORMS

__all__ = ["around_centre", "codec_name", "codecs_at_centre", "where"]

#: Axes in which codecs may differ.
_FREE = ("transform", "engine", "packing", "compression_ratio", "epochs")
#: Axes that some transforms do not have.
_OF_SOME = tuple(axis for axis in AXES if axis not in _FREE and not all(applies(axis, one) for one in TRANSFORMS))


def codec_name(row: Mapping[Any, Any]) -> str:
    """Name a codec by its transform, packing and epochs, such as ``baler 1/2, quantise-0.01+pcodec, 25 epochs``."""
    transform = "" if row["transform"] == "identity" else f"{row['transform']}"
    if not pd.isna(row["compression_ratio"]):
        transform += f" 1/{row['compression_ratio']:g}"
    packing = "" if row["packing"] == "none" else f"{row['packing']}"
    epochs = "" if pd.isna(row["epochs"]) else f"{row['epochs']:g} epoch{'' if row['epochs'] == 1 else 's'}"
    return ", ".join(filter(None, [transform, packing, epochs])) or "as recorded"


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
    """Give the codecs at the study's centre.

    Returns
    -------
    tuple
        `codec_points`, the runs behind them, and words such as ``CPU run``.

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
        raise NoData("one family of codecs only at the study's centre, nothing to compare")
    return points, mine, device


def where(runs: pd.DataFrame) -> str:
    """Describe what the codecs have in common."""
    centre: dict[str, Any] = centre_of(runs)
    return describe(centre, without=_FREE)
