"""Codecs at the same error: what each needs to reach that of every trained one."""

import math
from typing import Any

import pandas as pd

from baler_energy.analysis.rate_distortion import COSTS, at_error
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.codec_rows import codecs_at_centre
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import parameter_text, scaled_unit, spread_text

__all__ = ["TABLE", "codecs"]

#: Measures of the error in which codecs are matched: the ranking differs.
MEASURES = {"error": "RMS residual / range", "relative_error": "median relative error"}
_COSTS = [name for pair in COSTS.values() for name in pair]
_WHAT = ["nrmse", "max_over_range", "ratio", "bytes_per_row", *_COSTS]


def codecs(tables: Tables) -> pd.DataFrame:
    """Return what each family of codecs needs at the error of each codec that trains in epochs.

    Returns
    -------
    pandas.DataFrame
        For each of `MEASURES` a row per trained codec (``at_family``, ``at_epochs``, ``at_packing``; its ``error``) and
        family, the trained codec itself first and the others by ratio: ``measured`` (whether the row is that codec's
        own, not interpolated between two points of a family), ``trains`` (whether the family has a training), NRMSE,
        largest error, ratio, bytes per row and costs per GB of the table in its recorded formats, with the ``evidence``
        of the energies. Empty where there is nothing to compare.
    """
    try:
        points, _, _ = codecs_at_centre(tables)
    except NoData:
        return pd.DataFrame(columns=_COLUMNS)
    trains = points.groupby("family")["trains"].any().to_dict()
    trained = points[points["epochs"].notna()].sort_values("epochs").to_dict("records")
    found = [row for measure in MEASURES for codec in trained for row in _matched(points, codec, measure)]
    return pd.DataFrame([row | {"trains": trains[row["family"]]} for row in found], columns=_COLUMNS)


def _matched(points: pd.DataFrame, trained: Row, measure: str) -> list[Row]:
    """Return a trained codec, and what the other families need at its error, by decreasing ratio."""
    error = trained[measure]
    if not error > 0:
        return []
    at = {"measure": measure, "at_family": trained["family"], "at_epochs": trained["epochs"]}
    at |= {"at_packing": trained["packing"], "error": error, "evidence": trained["evidence"]}
    others = points[points["family"] != trained["family"]]
    # Energies of another kind are not compared; ratios and times are.
    alike = others["evidence"].eq(trained["evidence"])
    others = others.assign(**{joules: others[joules].where(alike) for joules, _ in COSTS.values()})
    known = at_error(others, error, _WHAT, measure)
    best = known.sort_values("ratio", ascending=False).to_dict("records") if len(known) else []
    own = {name: trained[name] for name in ("family", *_WHAT)}
    return [at | own | {"measured": True}, *(at | row | {"measured": False} for row in best)]


_COLUMNS = [
    "measure",
    "at_family",
    "at_epochs",
    "at_packing",
    "error",
    "family",
    "measured",
    "trains",
    *_WHAT,
    "evidence",
]


def _row(row: Row) -> dict[str, str]:
    return {
        "at the error of": _trained(row),
        "measure": MEASURES[row["measure"]],
        "error": spread_text(row["error"], math.nan),
        "codec": row["family"] + ("" if row["measured"] else " (interpolated)"),
        "ratio": f"{row['ratio']:.2f}",
        "bytes per row": f"{row['bytes_per_row']:.2f}",
        "NRMSE": spread_text(row["nrmse"], math.nan),
        "largest / range": spread_text(row["max_over_range"], math.nan),
        **{f"{operation} (per GB)": _cost(row, joules, seconds) for operation, (joules, seconds) in COSTS.items()},
        "evidence": unless_missing(f"{row['evidence']}", row["evidence"]),
    }


def _trained(row: Any) -> str:
    """Name the trained codec whose error a row has."""
    packing = "" if row["at_packing"] == "none" else f" with packing {row['at_packing']}"
    return f"{row['at_family'].partition(',')[0]}{packing} after {parameter_text(row['at_epochs'])} epochs"


def _cost(row: Row, joules: str, seconds: str) -> str:
    said = [_scaled(row[name], unit) for name, unit in ((joules, "J"), (seconds, "s")) if not pd.isna(row[name])]
    return ", ".join(said) or "-"


def _scaled(value: float, unit: str) -> str:
    factor, prefixed = scaled_unit([value], unit)
    return f"{spread_text(value, math.nan, factor=factor)} {prefixed}"


def _notes(frame: pd.DataFrame, _tables: Tables) -> list[str]:
    """Answer, for each trained codec, whether one without training stores less at its error."""
    said = []
    for _, part in frame.groupby(["measure", "at_family", "at_epochs", "at_packing"], sort=False, dropna=False):
        own, others = part.iloc[0], part.iloc[1:]
        untrained = others[~others["trains"].astype(bool)]
        if len(untrained):
            said.append(_verdict(own, untrained.iloc[0]))
    return said


def _verdict(own: Any, best: Any) -> str:
    name = _trained(own)
    factor = best["ratio"] / own["ratio"]
    said = f"At the error of {name} ({MEASURES[own['measure']]} {100 * own['error']:.3g} %), {best['family']} stores"
    said += f" {factor:.3g} times less" if factor > 1 else f" {1 / factor:.3g} times more"
    kind, unit = ("compress_j_per_gb", "J") if not pd.isna(own["compress_j_per_gb"]) else ("compress_s_per_gb", "s")
    if own[kind] > 0 and best[kind] > 0:
        said += f", and takes {_scaled(best[kind], unit)} instead of {_scaled(own[kind], unit)} to compress a GB"
        said += f" ({own['evidence']})" if unit == "J" else ""
    return f"{said}, without any training."


TABLE = TableSpec(
    "codecs",
    "Codecs at the same error",
    "What each family of codecs needs for the error of each trained codec, on the rows that were compressed: ratio "
    "over the recorded formats without the model, and energy and time per GB of the table in these formats. The "
    "logarithms are interpolated between the two points of a family next to that error; nothing is extrapolated, so a "
    "family without errors on both sides is missing. Ratios and errors are means over all repeats, costs over the "
    "clean ones. A bound over the range leaves small values with large relative errors, so codecs are matched in two "
    "measures: the RMS residual over the range, and the median relative error of non-zero values (means over columns).",
    make=codecs,
    rows=each(_row),
    notes=_notes,
    without_rows="The study compares no trained codec with another family of codecs at its centre.",
    averaged=True,
)
