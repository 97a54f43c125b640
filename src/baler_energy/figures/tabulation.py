"""The report's tables, pure functions of the dataset's tables."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.carbon import JOULES_PER_KWH
from baler_energy.analysis.statistics import defects, estimate, flag_words, flagged, interval
from baler_energy.codecs.packing import Packing
from baler_energy.figures.base import NoData, Tables
from baler_energy.figures.selection import (
    AXES,
    OPERATIONS,
    at_point,
    count_flagged,
    describe,
    estimate_text,
    reference_point,
    with_error,
    with_flags,
)
from baler_energy.vocabulary import Quantity

__all__ = [
    "FORMAT",
    "GAINS",
    "RATIOS",
    "flagged_runs",
    "original_layout",
    "original_point",
    "original_words",
    "ratios",
    "saving",
    "summary",
]

#: Components of the original study's slides, in their order.
_COMPONENTS = ("ram", "cpu", "gpu")
_ORIGINAL_EPOCHS = 5
#: Ratios by column, each named for what it is.
RATIOS = {
    "ratio_float64_bytes": "float64 table / compressed file",
    "ratio_native_bytes": "table in recorded formats / compressed file",
    "ratio_source_bytes": "source file / compressed file",
    "ratio_float64_bytes_with_model": "float64 table / (compressed file + model)",
    "ratio_native_bytes_with_model": "table in recorded formats / (compressed file + model)",
    "ratio_source_bytes_with_model": "source file / (compressed file + model)",
}
#: What of a ratio the autoencoder gained, and what the packing.
GAINS = {
    "ratio_autoencoder_float64_bytes": "float64 table / latents (autoencoder)",
    "ratio_autoencoder_native_bytes": "table in recorded formats / latents (autoencoder)",
    "ratio_packing": "latents / stored and corrections (packing)",
}
#: What `summary` averages: over the clean runs, and over all.
_OF_WINDOW = ("energy_j", "duration_s", "co2e_kg")
_ERRORS = ("mean_rms_over_range", "max_over_range")
_PARTS = ("latent_bytes", "stored_latent_bytes", "correction_bytes")
#: What the size of a compressed file depends on.
FORMAT = (
    "dataset",
    "source",
    "rows",
    "columns",
    "latent_columns",
    "transform",
    "engine",
    "model",
    "precision",
    "packing",
)


def original_point(runs: pd.DataFrame) -> dict[str, Any]:
    """Give the reference point with the original study's 5 epochs, or with its own where none ran for 5."""
    reference = reference_point(runs)
    original = {**reference, "epochs": _ORIGINAL_EPOCHS}
    return reference if at_point(runs, original).empty else original


def original_layout(tables: Tables) -> pd.DataFrame:
    """Give codecarbon's energy by operation and component, as the original study's slides have it.

    Returns
    -------
    pandas.DataFrame
        A row per device, operation, component (ram, cpu, gpu, and a total for each evidence) and evidence:
        ``energy_kwh``, ``energy_j``, ``half_width_j`` (95 % t interval), ``n`` clean runs, ``flagged`` ones (in no
        mean), ``evidence``, ``reason``. What was not measured is null, with the reason, and so is what has flagged
        runs only, with their values; a total holds what has a value, and names it.

    Raises
    ------
    NoData
        There are no runs.
    """
    runs, measurements = tables["runs"], tables["measurements"]
    if runs.empty:
        raise NoData("there are no runs")
    point = original_point(runs)
    chosen = measurements["quantity"].eq(Quantity.ENERGY) & measurements["component"].isin(_COMPONENTS)
    energy = with_flags(at_point(measurements[chosen], point), runs)
    rows: list[dict[str, Any]] = []
    for device in sorted(at_point(runs, point)["device"].unique()):
        for operation in OPERATIONS:
            part = energy[(energy["device"] == device) & (energy["operation"] == operation)]
            head = {"device": device, "operation": operation.value}
            for component in _COMPONENTS:
                rows += [head | {"component": component} | cell for cell in _cells(part, component)]
            rows += [head | total for total in _totals(part)]
    return pd.DataFrame(rows)


def _cells(part: pd.DataFrame, component: str) -> list[dict[str, Any]]:
    """Average a component's energy, apart for each evidence, or say why there is none."""
    all_meters = part[part["component"] == component]
    mine = all_meters[all_meters["meter"] == "codecarbon"]
    present = mine.dropna(subset=["value_per_iteration"])
    if len(present):
        return [_cell(same, str(evidence)) for evidence, same in present.groupby("evidence", sort=True, observed=True)]
    reason = "; ".join(mine["reason"].dropna().unique()[:1])
    if not reason:
        others = all_meters.dropna(subset=["reason"]).drop_duplicates("meter")
        said = [f"{meter}: {why}" for meter, why in zip(others["meter"], others["reason"], strict=True)]
        reason = "; ".join(["codecarbon gave no reading", *said])
    nothing = {"energy_kwh": None, "energy_j": None, "half_width_j": None, "n": 0, "flagged": 0}
    return [nothing | {"evidence": None, "reason": reason}]


def _cell(same: pd.DataFrame, evidence: str) -> dict[str, Any]:
    found = estimate(same, "value_per_iteration")
    return {
        "energy_kwh": found.mean / JOULES_PER_KWH,
        "energy_j": found.mean,
        "half_width_j": found.half_width,
        "n": found.n,
        "flagged": found.flagged,
        "evidence": evidence,
        "reason": f"{found.verdict}; {estimate_text(found, 'J')}" if found.verdict else None,
    }


def _totals(part: pd.DataFrame) -> list[dict[str, Any]]:
    """Sum the components run by run, apart for each evidence, and average."""
    present = part[part["meter"] == "codecarbon"].dropna(subset=["value_per_iteration"])
    totals = []
    for evidence, same in present.groupby("evidence", sort=True, observed=True):
        names = [name for name in _COMPONENTS if (same["component"] == name).any()]
        grouped = same.groupby(["run_id", "flags"], observed=True, dropna=False)["value_per_iteration"]
        totals.append(
            {"component": f"total of {' + '.join(names)}"} | _cell(grouped.sum().reset_index(), str(evidence))
        )
    return totals


def summary(tables: Tables) -> pd.DataFrame:
    """Give energy, duration, CO2e and error of each point and operation.

    Returns
    -------
    pandas.DataFrame
        A row per point, device, operation, evidence and scope. Energy, duration and CO2e: means over the ``n`` clean
        runs, with half widths of 95 % t intervals (null for one run), and smallest and largest value of the
        ``flagged_runs`` (``..._flagged_low_...``, ``..._flagged_high_...``), which are in no mean; ``flags`` names
        theirs. Errors: means over all runs.
    """
    runs = tables["runs"]
    errors = with_error(runs).set_index("run_id")[list(_ERRORS)]
    order = {operation.value: place for place, operation in enumerate(OPERATIONS)}
    keys = [*AXES, "source", "columns", "device", "operation", "energy_evidence", "energy_scope"]
    own = [*_OF_WINDOW, "flags", "contamination"]
    joined = runs[["run_id", *keys, *own]].join(errors, on="run_id")
    rows: list[dict[str, Any]] = []
    # Each of thousands of groups makes a copy of its columns: of those that it needs.
    for key, part in joined.groupby(keys, sort=True, observed=True, dropna=False)[[*own, *_ERRORS]]:
        bad = flagged(part)
        row = dict(zip(keys, key, strict=True)) | {"n": len(part) - len(bad), "flagged_runs": len(bad)}
        row["flags"] = flag_words(bad)
        for value in _OF_WINDOW:
            row |= _windowed(part, value)
        for value in _ERRORS:
            row[value], row[f"{value}_half_width"], _ = interval(part[value].to_numpy("float64", na_value=math.nan))
        rows.append(row | {"contamination_max": part["contamination"].max()})
    rows.sort(key=lambda row: (*(row[axis] for axis in AXES), row["device"], order.get(row["operation"], 9)))
    return pd.DataFrame(rows)


def _windowed(part: pd.DataFrame, value: str) -> dict[str, float]:
    """Give a quantity of the window: mean and half width of clean runs, span of flagged ones."""
    found, (stem, _, unit) = estimate(part, value), value.rpartition("_")
    return {
        value: found.mean,
        f"{stem}_half_width_{unit}": found.half_width,
        f"{stem}_flagged_low_{unit}": found.low,
        f"{stem}_flagged_high_{unit}": found.high,
    }


def ratios(tables: Tables) -> pd.DataFrame:
    """Give the compression ratios, and what of them the autoencoder and what the packing gained.

    They do not depend on how long or on what the network was trained, but for packings without loss and with a bound of
    the error: of these, each number of epochs has a row.

    Returns
    -------
    pandas.DataFrame
        A row per values of `FORMAT` and ``epochs`` (null: any): mean ``compressed_bytes``, ``..._bytes_per_row`` of the
        compressed file, of the original in its recorded formats and as float64, of the latents as computed and as
        stored, and of corrections; the ratios of `RATIOS` and `GAINS` (null where a size is not known), and ``n`` runs.
    """
    known = with_error(tables["runs"]).dropna(subset=["compressed_bytes"])
    varies = [_depends_on_training(str(packing)) for packing in known["packing"]]
    known = known.assign(epochs=known["epochs"].astype("Int64").where(pd.Series(varies, index=known.index, dtype=bool)))
    grouped = known.groupby([*FORMAT, "epochs"], sort=True, observed=True, dropna=False)
    table = grouped[["compressed_bytes", *_PARTS, *RATIOS, *GAINS]].mean()
    table.insert(0, "n", grouped.size())
    table = table.reset_index()
    per_row = table["compressed_bytes"] / table["rows"]
    sizes = {"compressed": per_row, "native": per_row * table["ratio_native_bytes"]}
    sizes |= {"float64": per_row * table["ratio_float64_bytes"]}
    sizes |= {name.removesuffix("_bytes"): table.pop(name) / table["rows"] for name in _PARTS}
    place = table.columns.get_loc("compressed_bytes")
    assert isinstance(place, int)
    for number, (name, values) in enumerate(sizes.items(), start=place + 1):
        table.insert(number, f"{name}_bytes_per_row", values)
    return table


def _depends_on_training(packing: str) -> bool:
    """Whether the size of what is stored depends on the values of the latents or on the errors."""
    asked = Packing.parse(packing)
    return asked.coder is not None or asked.error_bound is not None


def saving(row: Mapping[Any, Any]) -> str:
    """Say in numbers what a row of `ratios` saves against the recorded formats, and what it does not."""
    ratio, with_model = row["ratio_native_bytes"], row["ratio_native_bytes_with_model"]
    if pd.isna(ratio):
        return f"{_where(row)}: the size in recorded formats is not known."
    said = (
        f"{_where(row)}: {row['latent_columns']} latent columns take "
        f"{row['compressed_bytes_per_row']:.1f} B per row in the compressed file; the {row['columns']} columns take "
        f"{row['native_bytes_per_row']:.1f} B per row in their recorded formats (ratio {ratio:.3f}; with the model's "
        f"own bytes {with_model:.3f}) and {row['float64_bytes_per_row']:.1f} B as float64 (ratio "
        f"{row['ratio_float64_bytes']:.3f})."
    )
    share = 100 * (1 - 1 / ratio)
    if share <= 0:
        return f"{said} Against the recorded formats nothing is saved: the file is {-share:.1f} % larger."
    verdict = "next to nothing is saved" if share < 2 else "the file is smaller"
    return f"{said} Against the recorded formats {verdict}: {share:.1f} %."


def _where(row: Mapping[Any, Any]) -> str:
    epochs = row.get("epochs")
    words = [f"{row['rows']:,} rows", f"packing {row['packing']}" if row["packing"] != "none" else ""]
    words.append("" if epochs is None or pd.isna(epochs) else f"{epochs} epoch{'' if epochs == 1 else 's'}")
    return ", ".join([row["dataset"], *filter(None, words)])


def flagged_runs(tables: Tables) -> pd.DataFrame:
    """Give the runs that a flag excludes from means, in the order in which they ran."""
    bad = flagged(tables["runs"]).sort_values("start")
    bad = bad.assign(flags=[", ".join(defects(flags)) for flags in bad["flags"]])
    return bad[["run_id", "operation", "flags", "contamination", "window_s", "iterations", "duration_s", "energy_j"]]


def original_words(tables: Tables) -> str:
    """Say where the original layout's table stands, and how many of its records are in no mean."""
    point = original_point(tables["runs"])
    return f"At {describe(point)}; records: {count_flagged(at_point(tables['runs'], point))}."
