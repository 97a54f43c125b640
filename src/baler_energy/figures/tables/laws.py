"""Coefficients of the laws of cost, next to what the machine reaches in a long matrix product and a long copy."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.law import ALIKE, NO_LAW, Law, laws, with_machine
from baler_energy.analysis.relative_fit import MOST_CONDITION, Fit
from baler_energy.analysis.work import TERMS
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import device_name, parameter_text, scaled_unit

__all__ = ["TABLE", "law_rows"]

_ABOUT = ("machine", "operation", *ALIKE)
_CODEC = ("transform", "engine", "precision")
_SETTING = tuple(axis for axis in AXES if axis in ALIKE and axis not in (*_CODEC, "device", "threads"))
_COLUMNS: tuple[str, ...] = (*_ABOUT, "quantity", "evidence", "scope", "term", "merged", "value", "low", "high", "unit")
_COLUMNS += ("peak", "reason", "runs", "points", "condition", "condition_merged")
#: The peak that a term is compared with, and the column with its amount of work.
_PEAKS = {"flop": ("matrix product", "flops"), "byte": ("memory copy", "bytes")}
#: What identifies a machine's peaks.
_MACHINE = ("machine", "device", "precision", "threads")
_STATIC = "static"
#: What a setting is not named for: nothing is packed, nothing is pruned.
_NOTHING = (AXIS_DEFAULTS["packing"], AXIS_DEFAULTS["pruning"])


def law_rows(tables: Tables) -> pd.DataFrame:
    """Return the coefficients of all laws.

    Returns
    -------
    pandas.DataFrame
        A row per law, quantity (time, energy) and term: what its runs have in common, ``value`` with the ends of its
        95 % interval in ``unit``, the terms that are ``merged`` in it, the machine's ``peak`` in the same unit, the
        numbers of ``runs`` and ``points``, and the condition numbers of the scaled matrix before and after merging.
        The term ``static`` is the idle power, with a ``reason`` if it is unknown.
    """
    peaks = _peaks(tables)
    rows = [row for law in laws(tables["runs"]) for row in _rows(law, peaks)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _rows(law: Law, peaks: Mapping[tuple[Any, ...], float]) -> Iterator[Row]:
    about = {name: law.about.get(name) for name in _ABOUT} | {"runs": law.runs, "points": law.points}
    yield from (about | row for row in _of_fit(law, law.costs.time, "time", None, peaks))
    if law.costs.energy is None:
        return
    energetic = about | {"evidence": law.evidence, "scope": law.scope}
    yield from (energetic | row for row in _of_fit(law, law.costs.energy, "energy", law.evidence, peaks))
    static = {"quantity": "energy", "term": _STATIC, "value": law.costs.static_power_w, "unit": "W"}
    if law.costs.static_power_w is None:
        static["reason"] = "no idle power was measured, so it is a part of the other terms"
    yield energetic | static


def _of_fit(
    law: Law, found: Fit, quantity: str, evidence: str | None, peaks: Mapping[tuple[Any, ...], float]
) -> Iterator[Row]:
    base = "s" if quantity == "time" else "J"
    machine = tuple(law.about[name] for name in _MACHINE)
    for one in found.coefficients:
        yield {
            "quantity": quantity,
            "term": one.term,
            "merged": ", ".join(one.merged),
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "unit": f"{base}/{TERMS[one.term]}",
            "peak": peaks.get((*machine, one.term, quantity, evidence)),
            "condition": found.condition,
            "condition_merged": found.condition_merged,
        }


def _peaks(tables: Tables) -> dict[tuple[Any, ...], float]:
    """Time and energy per FLOP and byte at the machine's peaks, the lowest of each, by machine, term and quantity."""
    found: dict[tuple[Any, ...], float] = {}
    machines = with_machine(tables["runs"]).drop_duplicates("run_id").set_index("run_id")["machine"]
    peaks = tables["hotspots"]
    for row in peaks[peaks["kind"].eq("peak")].to_dict("records"):
        machine = machines.get(row["run_id"])
        for term, (name, amount) in _PEAKS.items():
            if row["name"] != name or machine is None or not row[amount] > 0:
                continue
            where = (machine, row["device"], row["precision"], int(row["threads"]))
            for quantity, evidence, cost in (
                ("time", None, row["self_time_s"]),
                ("energy", row["energy_evidence"], row["energy_j"]),
            ):
                if cost > 0:
                    key = (*where, term, quantity, evidence)
                    found[key] = min(found.get(key, cost / row[amount]), cost / row[amount])
    return found


def _row(row: Row) -> dict[str, str]:
    term = f"per {TERMS[row['term']]}" if row["term"] in TERMS else row["term"]
    names: str = "" if pd.isna(row["merged"]) else str(row["merged"])
    merged = [f"per {TERMS[name]}" for name in names.split(", ") if name]
    kind: str = "" if pd.isna(row["evidence"]) else f", {row['evidence']}, {row['scope']}"
    return {
        "machine": row["machine"],
        "operation": row["operation"],
        "codec": " ".join(str(row[name]) for name in _CODEC if pd.notna(row[name])),
        "setting": _setting(row),
        "run on": device_name(row["device"]),
        "threads": parameter_text(row["threads"]),
        "quantity": f"{row['quantity']}{kind}",
        "term": term + (f"\n(with {' and '.join(merged)}: not distinguishable)" if merged else ""),
        "coefficient (95 % interval)": row["reason"] if pd.isna(row["value"]) else _value(row),
        "peak of the machine": unless_missing(_scaled(row, row["peak"]), row["peak"], "-"),
        "runs": f"{row['runs']}",
        "points": f"{row['points']}",
        "condition number": _condition(row),
    }


def _setting(row: Row) -> str:
    return " ".join(str(row[name]) for name in _SETTING if pd.notna(row[name]) and row[name] not in _NOTHING) or "-"


def _value(row: Row) -> str:
    if not row["value"] and not row["high"]:
        return "0: no such cost is needed"
    factor, unit = scaled_unit([row["value"] or row["high"]], row["unit"])
    if pd.isna(row["low"]):
        return f"{factor * row['value']:.3g} {unit}"
    return f"{factor * row['value']:.3g} {unit}\n({factor * row['low']:.3g} to {factor * row['high']:.3g})"


def _scaled(row: Row, value: float) -> str:
    factor, unit = scaled_unit([value], row["unit"])
    return f"{factor * value:.3g} {unit}"


def _condition(row: Row) -> str:
    if pd.isna(row["condition_merged"]):
        return ""
    before = "singular" if pd.isna(row["condition"]) else f"{row['condition']:.3g}"
    after = f"{row['condition_merged']:.3g}"
    return before if before == after else f"{before}; merged: {after}"


TABLE = TableSpec(
    "laws",
    "Laws of cost: what a job, an epoch, a step, a byte and a FLOP take",
    "Coefficients of non-negative sums, fitted to all unflagged runs of an operation with relative residuals, so that "
    "short and long runs weigh alike; 95 % intervals from 200 bootstrap samples of the runs. Bytes are the minimum "
    "that has to move: the table in every pass, the weights in every step, and the output. If the condition number of "
    f"the scaled matrix is above {MOST_CONDITION:g}, or there are few points, the runs cannot distinguish all terms: "
    "the most similar ones are merged, and the coefficient of the finer one includes the others. A static term is the "
    "measured idle power, times the time of the operation. The peak is what the machine takes per FLOP in a long "
    "matrix product, and per byte in a long copy, if it was measured in this precision and with this number of "
    "threads; its energy includes idle power.",
    make=law_rows,
    rows=each(_row),
    averaged=True,
    without_rows=f"No law: {NO_LAW}.",
)
