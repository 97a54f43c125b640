"""Comparison of codecs: ratio and error of each, the best ones, and what each needs at the same error."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.analysis.statistics import clean, intervals
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.words import join_words, packing_words
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS
from baler_energy.config.shown import number_text, phrase_of, shown
from baler_energy.variants import NO_TRANSFORM
from baler_energy.vocabulary import Operation

__all__ = [
    "CODEC",
    "COSTS",
    "MEMORY",
    "NAMED",
    "TRAINING",
    "alike",
    "at_error",
    "codec_name",
    "codec_points",
    "family",
    "packing_family",
]

Floats = NDArray[np.floating[Any]]

#: Columns of energy and time per GB (10^9 bytes of the table in its recorded formats), by operation.
COSTS = {
    "train": ("train_j_per_gb", "train_s_per_gb"),
    "compress": ("compress_j_per_gb", "compress_s_per_gb"),
    "decompress": ("decompress_j_per_gb", "decompress_s_per_gb"),
}
#: Energy and time of one training on the table.
TRAINING = ("train_j", "train_s")
#: Largest resident memory, by operation.
MEMORY = {operation: f"{operation}_memory_b" for operation in COSTS}
_GB = 1e9
#: Parameters of a codec: what is stored depends on them. Codecs that differ in one of them are never averaged.
CODEC = [name for name in AXES if shown(name).codec]
#: Those that every name of a codec has; the others are named only if they are not the default.
NAMED = ("transform", "compression_ratio", "packing", "epochs")
_OTHERS = [name for name in CODEC if name not in NAMED]
#: Errors and sizes of a codec, and the columns of ``runs`` that are averaged.
_RESULTS = {
    "error": "mean_rms_over_range",
    "held_out_error": "held_out_mean_rms_over_range",
    "nrmse": "mean_nrmse",
    "max_over_range": "max_over_range",
    "relative_error": "mean_relative_error_median",
    "held_out_relative_error": "held_out_mean_relative_error_median",
    "ratio": "ratio_native_bytes",
}
_OF_RUNS = _RESULTS | {name: name for name in ("bytes_per_row", "model_bytes")}
#: Other columns of ``runs`` that `codec_points` reads.
_READ = (
    "run_id",
    "operation",
    "in_mean",
    "compressed_bytes",
    "energy_evidence",
    "energy_j",
    "duration_s",
    "memory_peak_b",
)


def packing_family(packing: str) -> str:
    """Name the family of a packing: its words without their error bounds; empty if it has no words."""
    # The level of a lossless coder stays: two levels have the same error.
    words = packing_words(packing)
    return join_words(*(word.text if Packing.parse(word.text).lossless else word.family for word in words))


def family(row: Mapping[Any, Any]) -> str:
    """Name the family of a codec. Its members differ in one number, so that they are on one curve.

    That number is the epochs if the codec trains in epochs, otherwise the error bound of its packing, otherwise the
    compression ratio. Everything else is the same and in the name.
    """
    bounds = packing_family(str(row["packing"]))
    if not pd.isna(row["epochs"]):
        return _joined(row, ratio=True, packing=str(row["packing"]))
    return _joined(row, ratio=bounds not in ("", row["packing"]), packing=bounds)


def codec_name(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    """Name a codec, such as ``baler 1/2, start pca, quantise-0.01+pcodec, 25 epochs``.

    `NAMED` are always in the name, all other parameters of `CODEC` only if their value is not the default.
    """
    epochs = "" if pd.isna(row["epochs"]) else phrase_of("epochs", row["epochs"])
    return _joined(row, ratio=True, packing=str(row["packing"]), epochs=epochs)


def _joined(row: "Mapping[Any, Any] | pd.Series[Any]", *, ratio: bool, packing: str, epochs: str = "") -> str:
    transform = "" if row["transform"] == NO_TRANSFORM else f"{row['transform']}"
    if ratio and not pd.isna(row["compression_ratio"]):
        transform += f" 1/{number_text(row['compression_ratio'])}"
    changed = [name for name in _OTHERS if not pd.isna(row[name]) and row[name] != AXIS_DEFAULTS[name]]
    words = [transform, *(phrase_of(name, row[name]) for name in changed)]
    return ", ".join(filter(None, [*words, packing if packing_words(packing) else "", epochs])) or "as recorded"


def codec_points(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise each codec of some runs over its repeats.

    Parameters
    ----------
    runs
        Rows of the table ``runs`` for one data table on one device. Every row needs the errors and ratios of its run
        (`figures.selection.with_error` adds those of the first operation).

    Returns
    -------
    pandas.DataFrame
        A row per codec, smallest error first: ``family``, `CODEC`, ``n`` (runs), ``trains`` (if it is trained),
        ``error`` (mean of mean_rms_over_range), ``held_out_error`` (the same on held-out rows; null without any),
        ``nrmse``, ``max_over_range``, ``relative_error`` (mean of mean_relative_error_median),
        ``held_out_relative_error``, ``ratio`` (over the recorded formats), ``bytes_per_row``, ``model_bytes``, `COSTS`
        and `TRAINING` (means over clean runs; null without any), `MEMORY` and ``evidence`` of the energies. Each mean
        has the half width of its 95 % t interval in ``..._half_width`` (null for one run) and its number of runs in
        ``..._n``.
    """
    # The two recorded ratios differ only by the model.
    with_model = runs["ratio_native_bytes"] / runs["ratio_native_bytes_with_model"]
    model_bytes = (with_model - 1) * runs["compressed_bytes"]
    used = runs[[*CODEC, *_RESULTS.values(), *_READ]]  # few columns, as each selection copies them
    used = used.assign(bytes_per_row=runs["compressed_bytes"] / runs["rows"], model_bytes=model_bytes)
    used = used.assign(codec=used.groupby(CODEC, dropna=False, observed=True, sort=False).ngroup())
    points = used.drop_duplicates("codec").set_index("codec")[CODEC].astype(object).infer_objects()
    points["trains"] = used["operation"].eq(Operation.TRAIN).groupby(used["codec"]).any()
    # All means at once: a study has hundreds of codecs, and each table compares them several times.
    points = points.join([_means(used.drop_duplicates("run_id"), _OF_RUNS), _costs(used)])
    points = points[points["error_n"] > 0].assign(n=points["error_n"])
    points["family"] = [family(row) for row in points.to_dict("records")]
    return points.sort_values(["error", "ratio"], ignore_index=True)


def alike(points: pd.DataFrame, codec: Mapping[Any, Any], names: Sequence[str] = CODEC) -> "pd.Series[bool]":
    """Return the rows that have the parameters `names` of a codec; two nulls count as equal."""
    chosen = pd.Series(True, index=points.index)
    for name in names:
        chosen &= points[name].isna() if pd.isna(codec[name]) else points[name] == codec[name]
    return chosen


def _means(rows: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Average columns over the rows of each codec: a row per ``codec``, and columns by their new names."""
    mean, half_width, n = intervals(rows[[*columns.values()]].set_axis([*columns], axis=1), rows["codec"])
    return mean.join([half_width.add_suffix("_half_width"), n.add_suffix("_n")])


def _costs(runs: pd.DataFrame) -> pd.DataFrame:
    """Average energies, times and memory of each codec, by operation; energies only if all have the same evidence."""
    native = runs["ratio_native_bytes"] * runs["compressed_bytes"] / _GB
    evidences = runs.groupby("codec")["energy_evidence"]
    energy = runs["energy_j"].where(evidences.transform("nunique") == 1)
    runs = runs.assign(j=energy, j_per_gb=energy / native, s_per_gb=runs["duration_s"] / native)
    found: list[pd.Series[Any] | pd.DataFrame] = [evidences.first().where(evidences.nunique() == 1).rename("evidence")]
    for operation, (joules, seconds) in COSTS.items():
        every = runs[runs["operation"] == operation]
        columns = {joules: "j_per_gb", seconds: "s_per_gb"}
        if operation == Operation.TRAIN:
            columns |= {TRAINING[0]: "j", TRAINING[1]: "duration_s"}
        found += [_means(clean(every), columns), _means(every, {MEMORY[operation]: "memory_peak_b"})]
    return pd.concat(found, axis=1)


def at_error(points: pd.DataFrame, error: float, names: Iterable[str], measure: str = "error") -> pd.DataFrame:
    """Interpolate what each family needs at an error.

    Between the family's two points next to the error, the logarithm of each quantity is interpolated linearly in the
    logarithm of the error. Nothing is extrapolated: a family whose errors are all larger or all smaller has no row. A
    quantity that is 0 or missing at one of the two points is null.

    Parameters
    ----------
    points
        From `codec_points`.
    error
        The error, above 0.
    names
        Columns to interpolate.
    measure
        Column of the error.

    Returns
    -------
    pandas.DataFrame
        A row per family with ``family``, each of `names`, and ``..._deviation``: by how much the logarithm of each may
        deviate from the family's curve, which is only known at its points.

    Notes
    -----
    How far a curve is from straight shows in the points next to the error, each compared with an interpolation between
    its own two neighbours. The deviation is the larger of these differences times ``4 s (1 - s)``, which is 0 at the
    points and 1 half-way between them, as for any straight line through a curve of constant curvature; such a curve
    deviates a quarter as much, since the neighbours are twice as far apart. In a family of two points nothing shows;
    the deviation is then the distance to the farther one, as if the curve could be anywhere between the two.
    """
    columns, rows = list(names), []
    known = points[points[measure] > 0].sort_values(measure)
    places, families = pd.factorize(known["family"])
    all_errors, all_values = known[measure].to_numpy(float), known[columns].to_numpy(float)
    for place, name in enumerate(families):
        errors, values = all_errors[places == place], all_values[places == place]
        if errors[0] > error or errors[-1] < error:
            continue
        high = int(np.searchsorted(errors, error))
        read: tuple[Floats, Floats] = values[high], np.zeros(len(columns))
        if errors[high] != error:
            read = _between(np.log(errors), _logarithms(values), math.log(error), high)
        deviations = (f"{column}_deviation" for column in columns)
        rows.append({"family": name} | dict(zip([*columns, *deviations], np.concatenate(read), strict=True)))
        if measure in columns:
            rows[-1][f"{measure}_deviation"] = 0.0
    return pd.DataFrame(rows)


def _logarithms(values: Floats) -> Floats:
    return np.log(np.where(values > 0, values, np.nan))


def _between(places: Floats, curves: Floats, place: float, high: int) -> tuple[Floats, Floats]:
    """Return values between two points of some curves, in logarithms, and how far these may be from the curves."""
    low = high - 1
    share = (place - places[low]) / (places[high] - places[low])
    found = (1 - share) * curves[low] + share * curves[high]
    farther = np.maximum(np.abs(found - curves[low]), np.abs(found - curves[high]))
    bends = [_bend(places, curves, point) for point in (low, high) if 0 < point < len(places) - 1]
    bend = np.fmax.reduce([np.full(len(found), np.nan), *bends])
    return np.exp(found), np.where(np.isnan(bend), farther, 4 * share * (1 - share) * bend)


def _bend(places: Floats, curves: Floats, point: int) -> Floats:
    """Return the distance of a point from the straight line between its neighbours."""
    left, right = places[point - 1], places[point + 1]
    share = (places[point] - left) / (right - left)
    bend: Floats = np.abs(curves[point] - (1 - share) * curves[point - 1] - share * curves[point + 1])
    return bend
