"""Which rows a figure shows: the reference point, sweeps along one axis, and words for both."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from baler_energy.vocabulary import Flag, Operation

__all__ = [
    "AXES",
    "OPERATIONS",
    "at_point",
    "axis_label",
    "count_flagged",
    "defects",
    "describe",
    "device_name",
    "first_device",
    "flagged",
    "points",
    "reference_point",
    "scaled_unit",
    "spread_text",
    "sweep",
    "with_error",
]

#: Operations that figures and tables show, in their order.
OPERATIONS = (Operation.TRAIN, Operation.COMPRESS, Operation.DECOMPRESS)

#: Axes that a sweep holds fixed. The device is not among them: devices are series of their own.
AXES = ("dataset", "rows", "engine", "model", "precision", "batch_size", "compression_ratio", "epochs")

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}

_LABELS = {"rows": "Rows", "batch_size": "Batch size (rows)", "epochs": "Epochs"}


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Distinct points of a table, devices and repeats apart; a row each, columns `AXES`."""
    return table[list(AXES)].drop_duplicates().sort_values(list(AXES)).reset_index(drop=True)


def reference_point(runs: pd.DataFrame) -> dict[str, Any]:
    """Find the point that the figures vary around.

    It is the point with the most neighbours, points that differ from it in one axis only: the centre of a
    one-at-a-time design. In a factorial design, where all have as many, it is the one whose values are nearest to the
    middle of each axis.

    Parameters
    ----------
    runs
        The table ``runs``, with at least one row.

    Returns
    -------
    dict
        Value by axis of `AXES`.
    """
    grid = points(runs)
    ranks = grid.rank(method="dense").to_numpy()
    differing = (ranks[:, None, :] != ranks[None, :, :]).sum(axis=2)
    neighbours = (differing == 1).sum(axis=1)
    off_centre = abs(ranks - (ranks.max(axis=0) + 1) / 2).sum(axis=1)
    best = min(range(len(grid)), key=lambda n: (-neighbours[n], off_centre[n], n))
    return {axis: grid[axis].iloc[best] for axis in AXES}


def at_point(table: pd.DataFrame, point: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a table that have the values of `point`."""
    chosen = pd.Series(True, index=table.index)
    for axis, value in point.items():
        chosen &= table[axis] == value
    return table[chosen]


def sweep(table: pd.DataFrame, axis: str, reference: Mapping[str, Any]) -> pd.DataFrame:
    """Rows in which all axes but `axis` stand at the reference."""
    return at_point(table, {name: value for name, value in reference.items() if name != axis})


def describe(point: Mapping[str, Any], without: str | tuple[str, ...] = ()) -> str:
    """Say where a point stands, such as ``jets, 30,000 rows, batch size 512, compression ratio 2, 5 epochs, ...``."""
    words = {
        "dataset": f"{point['dataset']}",
        "rows": f"{point['rows']:,} rows",
        "batch_size": f"batch size {point['batch_size']}",
        "compression_ratio": f"compression ratio {point['compression_ratio']:g}",
        "epochs": f"{point['epochs']} epoch{'' if point['epochs'] == 1 else 's'}",
        "precision": f"{point['precision']}",
        "engine": f"engine {point['engine']}",
        "model": f"model {point['model']}",
    }
    left_out = (without,) if isinstance(without, str) else without
    return ", ".join(text for axis, text in words.items() if axis not in left_out)


def first_device(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the rows of one device, the first by name: what is drawn from one device never mixes two.

    Returns
    -------
    tuple
        The rows, and words such as ``CPU run``.
    """
    device = str(table["device"].min())
    return table[table["device"] == device], f"{device_name(device)} run"


def axis_label(axis: str) -> str:
    """Words for an axis of the grid, with the unit where it has one."""
    return _LABELS.get(axis, axis.replace("_", " ").capitalize())


def device_name(device: str) -> str:
    """Give the word for a device: ``GPU`` for ``cuda``."""
    return {"cuda": "GPU"}.get(device, device.upper())


def spread_text(mean: float, half_width: float, *, factor: float = 1.0) -> str:
    """Write a mean with its half width to two significant digits of the latter, such as ``33.40 ± 0.87``.

    Parameters
    ----------
    mean, half_width
        As of `mean_interval`; without a half width (one run) the mean alone is written.
    factor
        To the unit that is written.
    """
    mean, half_width = mean * factor, half_width * factor
    if not math.isfinite(half_width) or half_width <= 0:
        return f"{mean:.3g}" if abs(mean) < 1000 else f"{mean:,.0f}"
    digits = max(0, 1 - math.floor(math.log10(half_width)))
    if digits > 6:
        return f"{mean:.3g} ± {half_width:.2g}"
    return f"{mean:,.{digits}f} ± {half_width:,.{digits}f}"


def scaled_unit(values: Iterable[float], unit: str) -> tuple[float, str]:
    """Choose the SI prefix in which values read best.

    Parameters
    ----------
    values
        In `unit`; non-positive and missing ones are passed over. The middle of their decades decides.
    unit
        SI unit. Seconds get no prefix above 1, and their largest value decides.

    Returns
    -------
    tuple
        The factor to multiply by, and the prefixed unit.
    """
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    if not positive:
        return 1.0, unit
    low, high = math.log10(min(positive)), math.log10(max(positive))
    exponent = 3 * math.floor((high if unit == "s" else (low + high) / 2) / 3)
    exponent = max(min(_PREFIXES), min(exponent, 0 if unit == "s" else max(_PREFIXES)))
    return 10.0**-exponent, f"{_PREFIXES[exponent]}{unit}"


def defects(flags: Any) -> tuple[str, ...]:
    """Give the flags of a run that say what is wrong or special; ``modelled_only`` says what its energy is instead."""
    words = (flag.strip() for flag in (flags if isinstance(flags, str) else "").split(","))
    return tuple(word for word in words if word and word != Flag.MODELLED_ONLY)


def flagged(flags: Iterable[Any]) -> bool:
    """Whether any of these ``flags`` values names a defect."""
    return any(defects(value) for value in flags)


def count_flagged(runs: pd.DataFrame) -> str:
    """Say how many records there are and how many of them carry a defect: ``3`` or ``3 (1 flagged)``."""
    bad = sum(bool(defects(flags)) for flags in runs["flags"])
    return f"{len(runs)} ({bad} flagged)" if bad else f"{len(runs)}"


def with_error(runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of training, each with the error and ratios of its run, whichever operation's row records them."""
    recorded = [
        name
        for name in map(str, runs.columns)
        if name.startswith(("mean_rms", "max_over", "ratio_")) or name == "compressed_bytes"
    ]
    known = runs.groupby("run_id", observed=True)[recorded].first()
    trained = runs[runs["operation"] == Operation.TRAIN].drop(columns=recorded)
    return trained.join(known, on="run_id")
