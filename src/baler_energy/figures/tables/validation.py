"""How well the laws of cost predict runs that they were not fitted to."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from baler_energy.analysis.law import LARGEST, NO_LAW, withheld
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import device_name, parameter_text

__all__ = ["TABLE", "validation"]

_KEYS = ("machine", "device", "operation", "quantity", "evidence", "case")
#: Predictions that are compared.
_PREDICTIONS = {"law": "law", "proportional": "rows x epochs", "neighbour": "nearest neighbour"}
_COLUMNS = (*_KEYS, "n", "factor", *(f"{name}_{end}" for name in _PREDICTIONS for end in ("median", "q90")))
_COLUMNS += ("worst", "worst_deviation")


def validation(tables: Tables) -> pd.DataFrame:
    """Return the relative deviations of withheld runs from what fits without them predict.

    Returns
    -------
    pandas.DataFrame
        A row per machine, device, operation, ``quantity``, ``evidence`` and ``case`` (which points were withheld):
        ``n`` runs, the largest ``factor`` of their size over that of the runs in the fit, median and 90 % quantile of
        the deviation from the law, from a cost proportional to rows times epochs and from the nearest neighbour; and
        the run that the law predicts worst, in words, with its deviation (predicted over recorded, minus 1).
    """
    found = withheld(tables["runs"])
    groups = found.groupby(list(_KEYS), sort=False, observed=True, dropna=False)
    rows = [dict(zip(_KEYS, key, strict=True)) | _row_of(part) for key, part in groups]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _row_of(part: pd.DataFrame) -> dict[str, Any]:
    deviations = pd.DataFrame({name: (part[name] / part["value"] - 1).astype(float) for name in _PREDICTIONS})
    row: dict[str, Any] = {"n": len(part), "factor": part["factor"].max()}
    for name, sizes in deviations.abs().items():
        row |= {f"{name}_median": sizes.median(), f"{name}_q90": sizes.quantile(0.9)}
    worst: Any = deviations["law"].abs().idxmax()
    return row | {"worst": _words(part.loc[worst].to_dict()), "worst_deviation": deviations.loc[worst, "law"]}


def _words(run: Row) -> str:
    parts = [f"{run['rows']:,} rows"]
    for name in ("epochs", "batch_size", "model", "engine", "precision", "threads"):
        if pd.notna(run[name]):
            parts.append(f"{name.replace('_', ' ')} {parameter_text(run[name])}")
    return ", ".join(parts)


def _row(row: Row) -> dict[str, str]:
    cells = {
        "machine": row["machine"],
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "quantity": row["quantity"] + (f", {row['evidence']}" if row["quantity"] == "energy" else ""),
        "withheld": row["case"],
        "n": f"{row['n']}",
        "larger by": f"{row['factor']:.3g} x",
    }
    for name, words in _PREDICTIONS.items():
        cells[f"{words}: median (90 %)"] = f"{100 * row[f'{name}_median']:.3g} % ({100 * row[f'{name}_q90']:.3g} %)"
    worst = f"{row['worst']}: {100 * row['worst_deviation']:+.3g} %"
    return cells | {"worst run": unless_missing(worst, row["worst_deviation"], "-")}


def _notes(frame: pd.DataFrame, _tables: Tables) -> list[str]:
    """Say how well the laws extrapolate to the largest points."""
    return list(_headlines(frame[frame["case"] == LARGEST].to_dict("records")))


def _headlines(rows: Iterable[Row]) -> Iterable[str]:
    for row in rows:
        kind = f"{row['evidence']} energy" if row["quantity"] == "energy" else "time"
        yield (
            f"{row['operation'].capitalize()}, {kind}: median deviation {100 * row['law_median']:.3g} % (90 % of the "
            f"runs: below {100 * row['law_q90']:.3g} %) at the withheld points, up to {row['factor']:.3g} times larger "
            f"than those in the fit (n = {row['n']}, {device_name(row['device'])} runs on {row['machine']})."
        )


TABLE = TableSpec(
    "validation",
    "How well the laws predict what they have not seen",
    "Relative deviations of runs from the predictions of fits without them: without the largest tenth of the points by "
    "rows x epochs x MACs, and without each model in turn that has at most half of the points. The law is that of the "
    "table laws. For comparison: a cost proportional to rows times epochs, and that of the nearest neighbour among the "
    "runs in the fit, by the logarithms of epochs, steps, bytes and FLOPs. Larger by: size of the largest withheld run "
    "over that of the largest run in the fit; below 1, it lies within. The worst run is the one that the law predicts "
    "worst.",
    make=validation,
    rows=each(_row),
    notes=_notes,
    averaged=True,
    without_rows=f"Nothing to predict: {NO_LAW}, or none of them can be withheld.",
)
