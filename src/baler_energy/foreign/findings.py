"""Conclusions from foreign files alone: the table ``findings``."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from baler_energy.analysis.schema import TABLES
from baler_energy.foreign.agreement import agreements
from baler_energy.foreign.evidence import HOST, Constant, Proportion, constants, proportions
from baler_energy.foreign.patterns import containing
from baler_energy.foreign.rows import GIB, by_window, finding
from baler_energy.foreign.totals import INCREMENTS, TOTALS, UNDATED
from baler_energy.vocabulary import Quantity

__all__ = ["constant_powers", "findings"]

Finding = dict[str, Any]
#: What follows from `Window.sums`.
_SUMS = {
    INCREMENTS: "are increments: the windows of a run follow each other, so that their energies add up",
    TOTALS: "are running totals: the windows of a run begin together, or its energy rises from row to row. Each is "
    "replaced by its rise since the row before, so that the energies add up",
    UNDATED: "have no times, so it is unknown whether they are increments or running totals; taken as increments",
}


def findings(table: pd.DataFrame) -> pd.DataFrame:
    """Derive the findings from all files together.

    Parameters
    ----------
    table
        The judged table, with the columns `EXTRA` of `rows.frame`.

    Returns
    -------
    pandas.DataFrame
        A row per finding: file, finding (a word), subject, value, unit, sentence.
    """
    rows = itertools.chain(
        _sums(table),
        _overlapping(table),
        constant_powers(table),
        map(_proportion, proportions(table)),
        _hosts(table),
        agreements(table),
        _missing(table),
    )
    return pd.DataFrame(list(rows), columns=[column.name for column in TABLES["findings"][1]])


def constant_powers(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each component and each host whose energy is a constant power times the duration."""
    fixed = constants(table)
    yield from map(_constant, fixed)
    yield from _totals(table, fixed)


def _files(rows: pd.DataFrame | Iterable[str]) -> str:
    names = rows["file"] if isinstance(rows, pd.DataFrame) else rows
    return ", ".join(dict.fromkeys(names))


def _host(cpu_model: Any, ram_bytes: Any) -> str:
    name = "an unnamed CPU" if pd.isna(cpu_model) else str(cpu_model)
    return name if pd.isna(ram_bytes) else f"{name} with {ram_bytes / GIB:.1f} GB"


def _sums(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield what the rows of each file with several rows of a run are: increments or running totals."""
    windows = by_window(table).dropna(subset=["sums"])
    for (meter, file, sums), rows in windows.groupby(["meter", "file", "sums"], sort=False):
        runs = rows["run"].nunique(dropna=False)
        said = f"{len(rows):,} rows of {meter} in {runs} run{'s' * (runs > 1)} {_SUMS[str(sums)]}."
        yield finding(str(file), str(sums), str(meter), float(len(rows)), "1", said)


def _overlapping(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each tool and host with windows inside others, such as epochs and their training."""
    windows = by_window(table[(table["quantity"] == Quantity.ENERGY) & table["value"].notna()])
    host = windows["cpu_model"].fillna(windows["file"]).rename("host")
    for (meter, _), rows in windows.groupby(["meter", host], sort=False):
        around = int(containing(*(rows[name].to_numpy(float) for name in ("start_s", "duration_s"))).sum())
        if around:
            said = f"{around:,} of {len(rows):,} windows of {meter} contain others: if all are of one host, a sum of "
            said += "all rows counts the same energy twice."
            yield finding(_files(rows), "overlapping", str(meter), float(around), "1", said)


def _constant(one: Constant) -> Finding:
    low, high = one.rows["duration_s"].min(), one.rows["duration_s"].max()
    host = _host(*one.rows[HOST].iloc[0])
    said = f"{one.component.upper()} energy is {_watts(one.power_w)} times duration in all {len(one.rows)} rows of "
    said += f"{one.meter} on {host}, from {low:.3g} to {high:.3g} s: modelled, not measured."
    return finding(_files(one.rows), "constant_power", f"{one.meter} {one.component}, {host}", one.power_w, "W", said)


def _watts(power_w: float) -> str:
    return f"{power_w:.1f} W"


def _totals(table: pd.DataFrame, fixed: list[Constant]) -> Iterator[Finding]:
    """Yield a finding for each host on which every component has a constant power."""
    energy = table[(table["quantity"] == Quantity.ENERGY) & table["value"].notna() & (table["component"] != "machine")]
    hosts = energy.groupby(["meter", *HOST], dropna=False, sort=False)
    number, by_host = hosts.ngroup(), defaultdict[int, list[Constant]](list)
    for one in fixed:
        by_host[number[one.rows.index[0]]].append(one)
    for (meter, *host), rows in hosts:
        mine = by_host[number[rows.index[0]]]
        if len(mine) < 2 or {one.component for one in mine} != set(rows["component"]):
            continue
        total = sum(one.power_w for one in mine)
        parts = " + ".join(f"{one.component} {_watts(one.power_w)}" for one in mine)
        said = f"Every energy of {meter} on {_host(*host)} is {_watts(total)} ({parts}) times duration: no energy was "
        said += "measured there; it only reflects the duration."
        yield finding(_files(rows), "constant_total", f"{meter} machine, {_host(*host)}", total, "W", said)


def _proportion(one: Proportion) -> Finding:
    sizes = sorted(one.powers_w, reverse=True)
    each = ", ".join(f"{_watts(one.powers_w[size])} with {size / GIB:.1f} GB" for size in sizes)
    said = f"RAM power of {one.meter} is {one.w_per_gb:.3f} W/GB times the memory of the host ({each}), whatever the "
    said += "program does: runs on hosts of different memory, such as a phase on each, are not comparable."
    return finding(_files(one.rows), "ram_per_gb", f"{one.meter} ram", one.w_per_gb, "W/GB", said)


def _hosts(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each tool whose files come from different machines."""
    known = table.dropna(subset=["cpu_model", "ram_bytes"])
    for meter, rows in known.groupby("meter", sort=False):
        hosts = [(_host(*host), _files(part)) for host, part in rows.groupby(HOST, sort=False)]
        if len(hosts) < 2:
            continue
        each = "; ".join(f"{name}: {files}" for name, files in hosts)
        said = f"The files of {meter} come from {len(hosts)} hosts: {each}. Energies of different hosts are not "
        said += "comparable: a phase on one cannot be compared with a phase on another."
        yield finding(_files(rows), "hosts", str(meter), float(len(hosts)), "1", said)


def _missing(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each tool, component and reason of missing energies."""
    lost = table[(table["quantity"] == Quantity.ENERGY) & table["value"].isna()]
    for (meter, component, reason), rows in lost.groupby(["meter", "component", "reason"], sort=False):
        where = f"{len(rows)} row{'s' * (len(rows) > 1)}"
        said = f"{meter} has no {str(component).upper()} energy in {where}: {reason}."
        yield finding(_files(rows), "missing", f"{meter} {component}", float(len(rows)), "1", said)
