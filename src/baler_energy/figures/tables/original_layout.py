"""Codecarbon's energy by operation and component, in the layout of the original study's slides."""

from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import estimate
from baler_energy.figures.base import Tables, TableSpec, require_rows
from baler_energy.figures.readable import Row
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    centre_of,
    count_flagged,
    describe,
    device_name,
    estimate_text,
    interval_text,
    with_flags,
)
from baler_energy.vocabulary import JOULES_PER_KWH, Quantity

__all__ = ["TABLE", "original_layout"]

#: The meter of the original study.
_METER = "codecarbon"
#: Components in the original study's slides, in the same order.
_COMPONENTS = ("ram", "cpu", "gpu")
_ORIGINAL_EPOCHS = 5


def original_point(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the study's centre with the original study's 5 epochs, or unchanged if no run has 5 epochs."""
    centre = centre_of(runs)
    original = {**centre, "epochs": _ORIGINAL_EPOCHS}
    return centre if at_point(runs, original).empty else original


def original_layout(tables: Tables) -> pd.DataFrame:
    """Return codecarbon's energy by operation and component, in the layout of the original study's slides.

    Returns
    -------
    pandas.DataFrame
        A row per device, operation, component (ram, cpu, gpu, and a total for each evidence) and evidence:
        ``energy_kwh``, ``energy_j``, ``half_width_j`` (95 % t interval), ``n`` clean runs, ``flagged`` ones (in no
        mean), ``evidence``, ``reason``. An energy that was not measured is null, with the reason; if all runs are
        flagged it is null, with their values in the reason. A total adds the components that have a value, in the runs
        that have all of them, and names them.

    Raises
    ------
    NoData
        There are no runs.
    """
    runs, measurements = tables["runs"], tables["measurements"]
    require_rows("there are no runs", runs)
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
    """Average a component's energy separately for each evidence, or say why there is none."""
    all_meters = part[part["component"] == component]
    mine = all_meters[all_meters["meter"] == _METER]
    present = mine.dropna(subset=["value_per_iteration"])
    if len(present):
        return [_cell(same, str(evidence)) for evidence, same in present.groupby("evidence", sort=True, observed=True)]
    reason = "; ".join(mine["reason"].dropna().unique()[:1])
    if not reason:
        others = all_meters.dropna(subset=["reason"]).drop_duplicates("meter")
        said = [f"{meter}: {why}" for meter, why in zip(others["meter"], others["reason"], strict=True)]
        reason = "; ".join([f"{_METER} gave no reading", *said])
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
    """Sum the components of each run, separately for each evidence, and average the runs that have all of them."""
    present = part[part["meter"] == _METER].dropna(subset=["value_per_iteration"])
    totals = []
    for evidence, same in present.groupby("evidence", sort=True, observed=True):
        names = [name for name in _COMPONENTS if (same["component"] == name).any()]
        keys = ["run_id", "in_mean", "run_flags"]
        grouped = same.groupby(keys, observed=True, dropna=False)["value_per_iteration"]
        sums = grouped.agg(["sum", "size"]).reset_index().rename(columns={"sum": "value_per_iteration"})
        whole = sums[sums["size"] == len(names)]
        if len(whole):
            totals.append({"component": f"total of {' + '.join(names)}"} | _cell(whole, str(evidence)))
    return totals


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Put components in columns, as in the original slides."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in frame.head(most).to_dict("records"):
        device = device_name(cell["device"])
        row = rows.setdefault((device, cell["operation"]), {"operation": cell["operation"], "run on": device})
        text = _energy_cell(cell)
        if cell["component"].startswith("total"):
            column, text = f"total, {cell['evidence']}", f"{text}\n({cell['component'].removeprefix('total of ')})"
        else:
            column = cell["component"].upper()
        row[column] = f"{row[column]}\n{text}" if column in row else text
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return [{column: row.get(column, "none") for column in columns} for row in rows.values()]


def _energy_cell(cell: Row) -> str:
    if not cell["n"]:
        return f"{cell['reason']}\n{cell['evidence']}" if cell["flagged"] else f"not measured: {cell['reason']}"
    joules = interval_text(cell["energy_j"], cell["half_width_j"])
    more = f" (+ {cell['flagged']} flagged)" if cell["flagged"] else ""
    return f"{cell['energy_kwh']:.3g} kWh\n{joules} J\n{cell['evidence']}, n = {cell['n']}{more}"


def _notes(_frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Name the point of the table, and say how many of its records are excluded from means."""
    point = original_point(tables["runs"])
    return [f"At {describe(point)}; records: {count_flagged(at_point(tables['runs'], point))}."]


TABLE = TableSpec(
    "original_layout",
    "Energy by codecarbon, in the original study's layout",
    "Energy per operation from codecarbon, split into RAM, CPU and GPU. Mean over n repeats, with the half width of "
    "the 95 % t interval. A component that codecarbon did not measure is given with the reason, and is not zero. "
    "Measured and modelled energy have separate totals. Flagged runs are excluded from the means; if all are flagged, "
    "their values are shown and marked as flagged.",
    make=original_layout,
    rows=_rows,
    notes=_notes,
    averaged=True,
    by_dataset=True,
)
