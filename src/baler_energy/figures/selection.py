"""Which rows a figure shows: the study's centre, sweeps along axes, and their descriptions."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import Estimate, clean, flag_words, flagged, of_simulated_machine
from baler_energy.config import parameters
from baler_energy.config.shown import column_type, number_text, phrase_of, shown
from baler_energy.errors import InputError
from baler_energy.variants import NOTICES
from baler_energy.vocabulary import OPERATIONS, Operation

__all__ = [
    "AXES",
    "OPERATIONS",
    "at_point",
    "axis_label",
    "centre_of",
    "count_flagged",
    "dataset_text",
    "datasets_of",
    "describe",
    "device_name",
    "estimate_text",
    "excluded_text",
    "first_clean",
    "first_device",
    "flagged_sentence",
    "interval_text",
    "notices",
    "other_settings",
    "parameter_text",
    "percent_text",
    "point_cells",
    "points",
    "scaled_text",
    "scaled_unit",
    "sweep",
    "variant",
    "with_error",
    "with_flags",
    "with_results",
]

#: Axes that a sweep keeps fixed. The device is not among them: each device is a separate series.
AXES = tuple(name for name in parameters.AXES if name != "device")

_INTEGERS = tuple(name for name in AXES if column_type(name) == "integer")
_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}

#: Parameters that are not among the settings in `point_cells`; the number of threads has no default.
_PLACES = ("dataset", "rows", "epochs", "threads", "device")

#: Prefixes of the columns of errors and ratios.
_ERRORS = ("mean_", "max_", "held_out_", "trivial_", "ratio_", "zeros_", "integers_", "columns_worse", "source_bytes")
#: Sizes in a run's record of compression.
_SIZES = ("native_bytes", "compressed_bytes", "latent_bytes", "stored_latent_bytes", "correction_bytes")


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Distinct points of a table, regardless of device and repeat: a row each, with columns `AXES`."""
    return table[list(AXES)].drop_duplicates().sort_values(list(AXES)).reset_index(drop=True)


def datasets_of(runs: pd.DataFrame) -> list[str]:
    """Names of the datasets that have a centre, in the order of the runs."""
    return [str(name) for name in runs.loc[runs["at_centre"].astype(bool), "dataset"].unique()]


def centre_of(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the study's centre: the point around which figures vary, of the runs that `collect` marked.

    Of several datasets, each of which has its own, it is the first one's: see `base.by_dataset`. The number of threads
    may differ by device, for instance between nodes with different numbers of cores.

    Parameters
    ----------
    runs
        The table ``runs``, with at least one row.

    Returns
    -------
    dict
        Value by axis of `AXES`; ``threads`` is a mapping from device to number if devices differ.

    Raises
    ------
    InputError
        No run is at the centre, so the table is incomplete.
    """
    here = runs[runs["at_reference"]]
    if here.empty:
        raise InputError("runs.parquet: no run is at the study's centre (at_reference). Collect the whole study again.")
    first = _whole(here.iloc[[0]])
    devices = here.drop_duplicates("device")
    threads = dict(zip(devices["device"].astype(str), devices["threads"], strict=True))
    centre: dict[str, Any] = {axis: first[axis].iloc[0] for axis in AXES}
    return centre if len(set(threads.values())) == 1 else centre | {"threads": threads}


def at_point(table: pd.DataFrame, point: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a table that have the values of `point`; a mapping is a value for each device."""
    chosen = pd.Series(True, index=table.index)
    for axis, value in point.items():
        if isinstance(value, Mapping):
            chosen &= table[axis] == table["device"].map(value)
        else:
            # Parameters that do not apply are null, and nulls are equal.
            chosen &= table[axis].isna() if pd.isna(value) else table[axis] == value
    return _whole(table[chosen])


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Convert whole numbers to integers: a column is float if other codecs have no value in it."""
    floats = [name for name in _INTEGERS if name in table and table[name].dtype.kind == "f"]
    # Column by column: astype of the table makes a block of every column, and pandas warns of so many.
    return table.assign(**{name: table[name].astype("int64") for name in floats if table[name].notna().all()})


def sweep(table: pd.DataFrame, axes: str | tuple[str, ...], centre: Mapping[str, Any]) -> pd.DataFrame:
    """Rows in which all axes except `axes` have the centre's value."""
    free = (axes,) if isinstance(axes, str) else axes
    return at_point(table, {axis: value for axis, value in centre.items() if axis not in free})


def describe(point: Mapping[str, Any], without: str | tuple[str, ...] = ()) -> str:
    """Describe a point, such as ``jets, 30,000 rows, batch size 512, compression ratio 2, 5 epochs, ...``."""
    left_out = (without,) if isinstance(without, str) else without
    return ", ".join(_phrase(axis, point[axis]) for axis in AXES if axis not in left_out and _worth_a_word(axis, point))


def _worth_a_word(axis: str, point: Mapping[str, Any]) -> bool:
    """Whether a sentence names a parameter: it has to apply, and a quiet one has to differ from its default."""
    value = point[axis]
    if not isinstance(value, Mapping) and pd.isna(value):
        return False
    return not (shown(axis).quiet and value == parameters.AXIS_DEFAULTS.get(axis))


def _phrase(axis: str, value: Any) -> str:
    """Name a value in a sentence, or the value of each device."""
    if isinstance(value, Mapping):
        return f"{axis} {', '.join(f'{one} ({device_name(device)})' for device, one in value.items())}"
    return phrase_of(axis, value)


def notices(runs: pd.DataFrame) -> list[str]:
    """Return what every figure and table has to say: that data are not physics, or that energies are not real."""
    said = [notice for source, notice in NOTICES.items() if (runs["source"] == source).any()]
    simulated = of_simulated_machine(runs)
    if simulated.any():
        said.append(f"{'' if simulated.all() else 'some '}energies of a simulated machine")
    return said


def dataset_text(row: Mapping[str, Any]) -> str:
    """Return the name of a dataset, with its source if a notice has to be given."""
    return f"{row['dataset']} ({row['source']})" if row["source"] in NOTICES else f"{row['dataset']}"


def variant(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells that name codec and packing; a codec without engines is named by its transform."""
    engine = f"none ({row['transform']})" if pd.isna(row["engine"]) else f"{row['engine']}"
    return {"engine": engine, "model": parameter_text(row["model"]), "packing": f"{row['packing']}"}


def point_cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells that name a point and operation; ``settings`` are all parameters that are not the default."""
    return {
        "dataset": dataset_text(row),
        "rows": f"{row['rows']:,}",
        "epochs": parameter_text(row["epochs"]),
        "settings": other_settings(row, [axis for axis in parameters.AXES if axis not in _PLACES]) or "default",
        "batch size": parameter_text(row["batch_size"]),
        "requested ratio": parameter_text(row["compression_ratio"]),
        **variant(row),
        "precision": parameter_text(row["precision"]),
        "threads": f"{row['threads']}",
        "run on": device_name(row["device"]),
        "operation": row["operation"],
    }


def other_settings(row: Mapping[str, Any], axes: Iterable[str]) -> str:
    """Name the parameters among `axes` that differ from their defaults; empty if none does."""
    known = {axis: value for axis in axes if not pd.isna(value := row.get(axis))}
    changed = (axis for axis, value in known.items() if value != parameters.AXIS_DEFAULTS.get(axis))
    return ", ".join(phrase_of(axis, known[axis]) for axis in changed)


def parameter_text(value: Any) -> str:
    """Write a parameter in a cell: a dash where it does not apply, whole numbers without a point."""
    if pd.isna(value):
        return "-"
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() else number_text(value)
    return f"{value}"


def first_device(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the rows of the first device by name, so that a figure of one device never mixes two.

    Returns
    -------
    tuple
        The rows, and a description such as ``CPU run``.
    """
    device = str(table["device"].min())
    return table[table["device"] == device], f"{device_name(device)} run"


def first_clean(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of one run: of the first repeat without a defect or, if all have one, of the first repeat.

    If that repeat has several runs, keep the one with the most rows.

    Parameters
    ----------
    table
        Rows of some runs, at least one, with their ``in_mean``.
    """
    shown = table if clean(table).empty else clean(table)
    first = shown[shown["repeat"] == shown["repeat"].min()]
    return at_point(first, {"run_id": first["run_id"].value_counts().idxmax()})


def axis_label(axis: str) -> str:
    """Label of an axis of the grid, with its unit if it has one."""
    return shown(axis).label or axis.replace("_", " ").capitalize()


def device_name(device: str) -> str:
    """Return the name of a device in text: ``GPU`` for ``cuda``."""
    return {"cuda": "GPU"}.get(device, device.upper())


def interval_text(mean: float, half_width: float, *, factor: float = 1.0) -> str:
    """Write a mean with its half width to two significant digits of the latter, such as ``33.40 ± 0.87``.

    Parameters
    ----------
    mean, half_width
        As from `mean_interval`; without a half width (one run) only the mean is written.
    factor
        Factor to the unit that is written.
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
        In `unit`; non-positive and missing values are ignored. The middle of their range in decades decides.
    unit
        SI unit. For seconds the largest value decides, and there is no prefix above 1.

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


def scaled_text(value: float, unit: str, half_width: float = math.nan) -> str:
    """Write a value, with its half width if it has one, with the SI prefix in which it reads best; `unit` may be empty.

    Parameters
    ----------
    value, half_width
        As in `interval_text`, in `unit`.
    unit
        SI unit; without one there is no prefix.
    """
    factor, prefixed = scaled_unit([value], unit) if unit else (1.0, "")
    return f"{interval_text(value, half_width, factor=factor)} {prefixed}".strip()


def percent_text(share: float, half_width: float = math.nan) -> str:
    """Write a share in percent; arguments as for `interval_text`."""
    return f"{interval_text(share, half_width, factor=100.0)} %"


def count_flagged(runs: pd.DataFrame) -> str:
    """Say how many records are in a mean, and how many flagged ones are not: ``3`` or ``2 (+ 1 flagged)``."""
    bad = len(flagged(runs))
    return f"{len(runs) - bad} (+ {bad} flagged)" if bad else f"{len(runs)}"


def excluded_text(runs: pd.DataFrame, *, drawn: bool = True) -> list[str]:
    """Say how many flagged records a figure excludes from its means; empty if there are none.

    Parameters
    ----------
    runs
        The records that the figure shows, with their ``in_mean`` and ``run_flags``.
    drawn
        The flagged ones are drawn as open marks.
    """
    bad = flagged(runs)
    if bad.empty:
        return []
    marks = ", open marks" if drawn else ""
    if len(bad) == len(runs):
        return [f"All {len(runs)} runs flagged ({flag_words(bad)}): no means{marks.replace(',', ', only')}."]
    return [f"{len(bad)} flagged run{'' if len(bad) == 1 else 's'} excluded ({flag_words(bad)}){marks}."]


def flagged_sentence(runs: pd.DataFrame) -> list[str]:
    """Say how many records are excluded from means, and why; empty if none are."""
    bad = flagged(runs)
    if bad.empty:
        return []
    if len(bad) == len(runs):
        return [
            f"ALL {len(runs)} RECORDS ARE FLAGGED: {flag_words(bad)}. There are no means of energy or time; numbers "
            "shown in their place are the range of the flagged values."
        ]
    return [
        f"{len(bad)} of {len(runs)} records are flagged ({flag_words(bad)}) and excluded from means of energy and time."
    ]


def estimate_text(found: Estimate, unit: str = "", *, factor: float = 1.0, missing: str = "unknown") -> str:
    """Write an estimate: mean with half width, or the range of the flagged runs, labelled as such, or `missing`.

    Parameters
    ----------
    found
        Mean and flagged values.
    unit
        Written after the number.
    factor
        Factor to the unit that is written.
    missing
        Text if there is no value at all.
    """
    after = f" {unit}" if unit else ""
    if found.n:
        return f"{interval_text(found.mean, found.half_width, factor=factor)}{after}"
    if not found.flagged:
        return missing
    low, high = (interval_text(value, math.nan, factor=factor) for value in (found.low, found.high))
    return f"{low if low == high else f'{low} to {high}'}{after} (flagged)"


def with_flags(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of another table of the dataset, each with ``in_mean`` and ``run_flags`` of its record.

    A table without operations, such as ``history``, is about training.
    """
    keys = ["run_id", "operation"] if "operation" in table else ["run_id"]
    known = runs if "operation" in table else runs[runs["operation"] == Operation.TRAIN]
    return table.merge(known[[*keys, "in_mean", "run_flags"]], on=keys, how="left")


def with_error(runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of training, each with the error and ratios of its run, whichever operation recorded them.

    For a codec without training it is the row of the first operation.
    """
    turn = runs["operation"].map({operation: place for place, operation in enumerate(OPERATIONS)}).astype(float)
    first = runs["run_id"].loc[turn.dropna().sort_values(kind="stable").index].drop_duplicates()
    return with_results(runs).loc[first.index.sort_values()]


def with_results(runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of runs, each with the error and ratios of its run, whichever operation's row records them."""
    recorded = [name for name in map(str, runs.columns) if name.startswith(_ERRORS) or name in _SIZES]
    known = runs.groupby("run_id", observed=True)[recorded].first()
    return runs.drop(columns=recorded).join(known, on="run_id")
