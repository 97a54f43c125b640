"""Results of other tools and formulas for the same windows."""

import math
from typing import Any

import pandas as pd

from baler_energy.analysis.carbon import electricity_cost
from baler_energy.config.shown import phrase_of
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, note_centre, quantity_text, unless_missing
from baler_energy.figures.selection import AXES, at_point, centre_of, device_name, variant
from baler_energy.vocabulary import Quantity

__all__ = ["TABLE"]

#: Parameters that describe a point.
_POINT = ("rows", "batch_size", "epochs", "threads")
#: Columns that, with the point, identify readings of other tools.
_READING = [
    *("kind", "tool", "device", "operation", "component", "quantity", "evidence", "unit"),
    *("ours_scope", "ours_evidence"),
]


def peers(tables: Tables) -> pd.DataFrame:
    """Return the results of other tools and formulas, with our energy.

    Formulas exist for every run; the table has those at the study's centre and at points where a tool ran.

    Returns
    -------
    pandas.DataFrame
        A row per point, tool and kind of reading: medians of ``value``, ``duration_s``, ``ours_j`` and ``ratio`` over
        ``n`` values, smallest and largest ratio, ``runs`` tried, ``assumptions``, and ``reason`` where values are
        missing; ``electricity_cost`` of an energy in ``currency``, at the study's price, with the PUE that the tool
        assumes.
    """
    table, axes = tables["peers"], list(AXES)
    names = [*_READING, *_medians(table.iloc[:0]), *axes]
    if table.empty:
        return _with_cost(pd.DataFrame(columns=names), tables["runs"])
    centre = centre_of(tables["runs"])
    at_centre = pd.Series(table.index.isin(at_point(table, centre).index), index=table.index)
    with_tools = (
        table[axes].apply(tuple, axis=1).isin(set(table.loc[table["kind"] == "peer", axes].apply(tuple, axis=1)))
    )
    kept = table[at_centre | with_tools]
    rows = [
        dict(zip([*axes, *_READING], key, strict=True)) | _medians(part)
        for key, part in kept.groupby([*axes, *_READING], sort=True, observed=True, dropna=False)
    ]
    rows.sort(
        key=lambda row: (row["kind"] != "peer", row["tool"], row["operation"] != "train", row["quantity"] != "energy")
    )
    return _with_cost(pd.DataFrame(rows, columns=names), tables["runs"])


def _with_cost(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    priced = runs.dropna(subset=["price_per_kwh"])
    price, currency = (priced[name].iloc[0] if len(priced) else None for name in ("price_per_kwh", "currency"))
    energies: Any = frame["value"].where(frame["quantity"] == Quantity.ENERGY).astype(float)
    cost = math.nan if price is None else electricity_cost(energies, price, 1.0)
    return frame.assign(electricity_cost=cost, currency=currency)


def _medians(part: pd.DataFrame) -> dict[str, Any]:
    present = part.dropna(subset=["value"])
    said = present["assumptions"].dropna()
    return {
        "value": present["value"].median(),
        "duration_s": present["duration_s"].median(),
        "ours_j": present["ours_j"].median(),
        "ratio": present["ratio"].median(),
        "ratio_low": present["ratio"].min(),
        "ratio_high": present["ratio"].max(),
        "n": len(present),
        "runs": len(part),
        "assumptions": said.iloc[0] if len(said) else None,
        "reason": "; ".join(part["reason"].dropna().unique()) or None,
    }


def _row(row: Row) -> dict[str, str]:
    ratio = unless_missing(f"{row['ratio']:.3g}", row["ratio"], "none")
    if row["n"] > 1 and pd.notna(row["ratio"]):
        ratio = f"{ratio} ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"
    cost = row["electricity_cost"]
    ours = f"{quantity_text(row['ours_j'], 'J')}, {row['ours_scope']}, {row['ours_evidence']}"
    return {
        "tool": f"{row['tool']}{' (formula)' if row['kind'] == 'formula' else ''}",
        "operation": f"{row['operation']}, {device_name(row['device'])}",
        "point": ", ".join(phrase_of(axis, row[axis]) for axis in _POINT if pd.notna(row[axis])),
        **variant(row),
        "reading of": f"{row['component']}, {row['quantity']}",
        "value": unless_missing(quantity_text(row["value"], row["unit"]), row["value"], "no value"),
        "electricity": unless_missing(quantity_text(cost, row["currency"]), cost, ""),
        "evidence": unless_missing(f"{row['evidence']}", row["evidence"], "none"),
        "window": unless_missing(f"{row['duration_s']:.2f} s", row["duration_s"]),
        "ours": unless_missing(ours, row["ours_j"], "not comparable"),
        "theirs / ours": ratio,
        "n": f"{row['n']}" + (f" of {row['runs']}" if row["n"] < row["runs"] else ""),
        "assumed": unless_missing(f"{row['assumptions']}", row["assumptions"], ""),
        "reason": unless_missing(f"{row['reason']}", row["reason"], ""),
    }


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Write the rows, without the cost of electricity if the study sets no price."""
    left_out = () if frame["electricity_cost"].notna().any() else ("electricity",)
    return [{name: row[name] for name in row if name not in left_out} for row in each(_row)(frame, most)]


TABLE = TableSpec(
    "peers",
    "Other tools and formulas compared with ours",
    "Results of other tools and published formulas for the same windows, from separate runs that are not part of the "
    "study's results. Values, durations and ratios are medians over n repeats. The ratio is their energy divided by "
    "ours for the same components; it is missing if the components differ, or if ours is partly measured and partly "
    "modelled.",
    make=peers,
    rows=_rows,
    notes=note_centre,
    main=("tool", "value", "evidence", "ours", "theirs / ours", "reason"),
    without_rows="No other tool measured the same windows: the study lists none (peers.tools), and no formula applied.",
    by_dataset=True,
)
