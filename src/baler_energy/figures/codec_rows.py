"""The codecs that a study compares: they may differ from its centre in what names a codec, and in nothing else."""

from functools import partial
from typing import Any

import pandas as pd

from baler_energy.analysis.parallel import speed_up
from baler_energy.analysis.rate_distortion import CODEC, NAMED, codec_name, codec_points, packing_family
from baler_energy.analysis.statistics import clean
from baler_energy.config.parameters import AXIS_DEFAULTS, applies
from baler_energy.figures.base import NoData, Tables, require_rows
from baler_energy.figures.selection import (
    AXES,
    at_point,
    centre_of,
    describe,
    first_device,
    interval_text,
    with_results,
)
from baler_energy.variants import TRANSFORMS
from baler_energy.vocabulary import Operation

__all__ = ["around_centre", "codecs_at_centre", "on_other_threads", "startup_words", "threads_words", "where"]


def around_centre(runs: pd.DataFrame, *free: str) -> pd.DataFrame:
    """Rows of ``runs`` that differ from the study's centre only in `CODEC`, and in the axes `free`.

    All other parameters have the centre's value, so that nothing but repeats is averaged. Codecs that do not have a
    parameter, such as the engine, are kept.
    """
    centre = centre_of(runs)
    held = {axis: centre[axis] for axis in AXES if axis not in (*CODEC, *free)}
    of_all = {axis: value for axis, value in held.items() if all(applies(axis, one) for one in TRANSFORMS)}
    here = at_point(runs, of_all)
    for axis in held.keys() - of_all.keys():
        # If the centre's transform does not have the axis, the others have its default.
        value = AXIS_DEFAULTS[axis] if pd.isna(held[axis]) else held[axis]
        here = here[(here[axis] == value) | ~here["transform"].map(partial(applies, axis)).astype(bool)]
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


def on_other_threads(tables: Tables, points: pd.DataFrame, shown: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the codecs at the study's centre on other numbers of threads than the centre's.

    Parameters
    ----------
    tables
        The dataset.
    points, shown
        From `codecs_at_centre`.

    Returns
    -------
    tuple
        `codec_points` with their ``threads``, a row for each codec of `points` and number of threads, and the runs that
        they summarise, none of which is in `shown`.
    """
    known = with_results(around_centre(tables["runs"], "threads"))
    others = known[known["device"].isin(shown["device"]) & ~known["run_id"].isin(shown["run_id"])]
    names = set(points.apply(codec_name, axis=1))
    same = pd.Series([codec_name(row) in names for row in others.to_dict("records")], others.index, dtype=bool)
    others = others[same]
    parts = [codec_points(part).assign(threads=threads) for threads, part in others.groupby("threads")]
    return pd.concat(parts, ignore_index=True) if parts else points.iloc[:0].assign(threads=0), others


def threads_words(tables: Tables) -> list[str]:
    """Say how much faster each codec is on more threads, a sentence for each; empty if none ran on more."""
    try:
        points, shown, _ = codecs_at_centre(tables)
    except NoData:
        return []
    others = on_other_threads(tables, points, shown)[1]
    names = {codec_name(row) for row in others.to_dict("records")}
    every = clean(pd.concat([shown, others]))
    every = every.assign(codec=[codec_name(row) for row in every.to_dict("records")])
    sentences = []
    for name, part in every[every["codec"].isin(names)].groupby("codec", sort=False):
        said = [_speed_up_words(part, operation) for operation in (Operation.COMPRESS, Operation.DECOMPRESS)]
        if any(said):
            sentences.append(f"{name}: {', '.join(filter(None, said))}.")
    return [f"On more threads (not part of any other number here): {' '.join(sentences)}"] if sentences else []


def _speed_up_words(runs: pd.DataFrame, operation: str) -> str:
    """Say how much faster an operation is on the most threads than on the fewest; empty if there is one number only."""
    mine = runs[runs["operation"] == operation]
    if mine["threads"].nunique() < 2:
        return ""
    found = speed_up(mine["threads"], mine["duration_s"])
    last = found.iloc[-1]
    times = interval_text(last["speed_up"], last["half_width"])
    return (
        f"{operation} {times} times as fast on {last['threads']:.0f} as on {found['threads'].iloc[0]:.0f} "
        f"(n = {last['n']:.0f})"
    )


def startup_words(tables: Tables) -> list[str]:
    """Say how long the coders take to start, longest first, in a sentence; empty if it is not known."""
    try:
        _, shown, _ = codecs_at_centre(tables)
    except NoData:
        return []
    # Decompression runs in the same process, which has loaded the coder then. A flag is about the window.
    known = shown[shown["operation"] == Operation.COMPRESS].dropna(subset="coder_startup_s")
    if known.empty:
        return []
    families = known["packing"].map(packing_family)
    means = known.groupby(families)["coder_startup_s"].mean().sort_values(ascending=False, kind="stable")
    listed = ", ".join(f"{name} {1000 * mean:.3g} ms" for name, mean in means.items())
    return [f"Start-up, before the windows of compression (loading the coder, and a first small array): {listed}."]


def where(runs: pd.DataFrame) -> str:
    """Describe the parameters that all compared codecs share."""
    centre: dict[str, Any] = centre_of(runs)
    codecs = around_centre(runs)
    varied = [axis for axis in CODEC if codecs[axis].nunique() > 1]
    return describe(centre, without=("engine", *NAMED, *varied))
