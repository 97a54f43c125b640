"""Measured, modelled or unknown, judged from the rows themselves."""

from typing import NamedTuple

import pandas as pd

from baler_energy.foreign.patterns import constant_power_w, per_size
from baler_energy.foreign.rows import GIB
from baler_energy.vocabulary import Evidence, Quantity

__all__ = ["HOST", "Constant", "Proportion", "constants", "judge", "proportions"]

#: Components that are sums of others, which determine their evidence.
_SUMS = ("machine",)
HOST = ["cpu_model", "ram_bytes"]


class Constant(NamedTuple):
    """A component whose energy is a constant power times duration, and the rows that show it."""

    meter: str
    component: str
    power_w: float
    rows: pd.DataFrame


class Proportion(NamedTuple):
    """A tool's RAM power that is proportional to the memory: W per GB (2^30 bytes), and W by memory size in bytes."""

    meter: str
    w_per_gb: float
    powers_w: dict[float, float]
    rows: pd.DataFrame


def _energies(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["quantity"] == Quantity.ENERGY) & table["value"].notna() & (table["duration_s"] > 0)]


def constants(table: pd.DataFrame) -> list[Constant]:
    """Find components of a host with the same power in windows of different lengths, across all files."""
    found = []
    keys = ["meter", "component", *HOST]
    for (meter, component, *_), rows in _energies(table).groupby(keys, dropna=False, sort=False):
        power = constant_power_w(rows["value"].to_numpy(), rows["duration_s"].to_numpy())
        if power is not None and component not in _SUMS:
            found.append(Constant(str(meter), str(component), power, rows))
    return found


def proportions(table: pd.DataFrame) -> list[Proportion]:
    """Find tools whose RAM power per gigabyte is the same on hosts with different memory sizes."""
    found = []
    ram = _energies(table)
    ram = ram[(ram["component"] == "ram") & (ram["ram_bytes"] > 0) & (ram["duration_s"] >= 0.5)]
    for meter, rows in ram.groupby("meter", sort=False):
        power = (rows["value"] / rows["duration_s"]).groupby(rows["ram_bytes"]).median()
        powers = dict(zip(power.index.to_numpy(float).tolist(), power.to_numpy(float).tolist(), strict=True))
        w_per_byte = per_size(powers)
        if w_per_byte is not None:
            found.append(Proportion(str(meter), w_per_byte * GIB, powers, rows))
    return found


def judge(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the readers' evidence from what the rows show, and write the reason to `detail`.

    A component with constant power is modelled, even if the tool claims otherwise. So is RAM power that is
    proportional to the memory. A window's sum is modelled if any of its components is.

    Parameters
    ----------
    table
        Table from `rows.frame`.

    Returns
    -------
    pandas.DataFrame
        A copy with `evidence` and `detail` changed.
    """
    judged = table.copy()
    for ram in proportions(table):
        sizes = " and ".join(f"{size / GIB:.4g}" for size in sorted(ram.powers_w, reverse=True))
        reason = f"power is {ram.w_per_gb:.3g} W/GB times the size of the memory, on hosts of {sizes} GB: a model"
        judged.loc[ram.rows.index, ["evidence", "detail"]] = [Evidence.MODELLED.value, reason]
    reasons = dict[int, str]()
    for one in constants(table):
        low, high = one.rows["duration_s"].min(), one.rows["duration_s"].max()
        reason = f"{one.power_w:.3g} W times duration in {len(one.rows)} rows of {low:.3g} to {high:.3g} s: a model"
        reasons |= dict.fromkeys(one.rows.index, reason)
    also = judged.loc[list(reasons), "detail"].where(judged.loc[list(reasons), "evidence"] == Evidence.MODELLED)
    judged.loc[list(reasons), "detail"] = pd.Series(reasons, dtype=object) + ("; " + also).fillna("")
    judged.loc[list(reasons), "evidence"] = Evidence.MODELLED.value
    return _sums(judged)


def _sums(table: pd.DataFrame) -> pd.DataFrame:
    """Set the evidence of a window's sum from its parts, if the file has them."""
    energy = table[(table["quantity"] == Quantity.ENERGY) & table["value"].notna()]
    parts = energy[~energy["component"].isin(_SUMS)]
    if parts.empty:
        return table
    said = (parts["component"] + " " + parts["evidence"]).groupby(parts["window"]).agg(", ".join)
    kinds = parts["evidence"].groupby(parts["window"]).agg(frozenset)
    total = energy[energy["component"].isin(_SUMS) & energy["window"].isin(said.index)]
    alike = total["window"].map(kinds.map(len)) == 1
    words = alike.map({True: "sum of its parts: ", False: "sum of parts with different evidence: "})
    table.loc[total.index, "evidence"] = total["window"].map(kinds.map(_weakest))
    table.loc[total.index, "detail"] = words + total["window"].map(said)
    return table


def _weakest(kinds: frozenset[str]) -> str:
    order = (Evidence.MODELLED, Evidence.UNKNOWN, Evidence.MEASURED)
    return next(kind for kind in order if kind in kinds).value
