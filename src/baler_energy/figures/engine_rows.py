"""Rows of several engines at one point of the grid, for comparison."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.comparison import Ratio, paired_ratio
from baler_energy.figures.base import NoData
from baler_energy.figures.selection import OPERATIONS, at_point, describe, device_name, sweep
from baler_energy.variants import ENGINES

__all__ = ["FREE", "base_label", "compared", "engines_at", "factor_text", "paired", "same_energy", "where"]

#: Axes in which compared engines may differ, since not every engine supports every value.
FREE = ("engine", "precision", "threads")
#: A factor closer to 1 would be written 1.00.
_EQUAL = 1.005


def engines_at(table: pd.DataFrame, point: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of all engines and precisions at a point, in order, with a column ``label`` that names them.

    If an engine never ran on the point's number of threads, its largest number is used: the fast engine may choose it.

    Parameters
    ----------
    table
        A table with axes and operations, such as ``runs``; only `OPERATIONS` are kept.
    point
        Value by axis, as from `centre_of`.
    """
    chosen = sweep(table, FREE, point)
    chosen = chosen[chosen["operation"].isin(list(OPERATIONS))]
    found = [
        part[part["threads"] == threads].assign(label=_label(point, key, threads))
        for key, part in chosen.groupby(["device", "engine", "precision"], sort=True, observed=True)
        for threads in [_threads(part, _asked(point, str(key[0])))]
    ]
    if not found:
        return chosen.assign(label="")
    rows = pd.concat(found)
    order = [list(ENGINES).index(name) for name in rows["engine"]]
    same = rows["precision"] != point["precision"]
    return rows.assign(_place=order, _other=same).sort_values(["_place", "_other", "precision"], kind="stable")


def _asked(point: Mapping[str, Any], device: str) -> int:
    threads = point["threads"]
    return int(threads.get(device, 0) if isinstance(threads, Mapping) else threads)


def _threads(part: pd.DataFrame, asked: int) -> int:
    return asked if (part["threads"] == asked).any() else int(part["threads"].max())


def _label(point: Mapping[str, Any], key: Any, threads: int) -> str:
    device, engine, precision = map(str, key)
    words = [engine, *([precision] if precision != point["precision"] else [])]
    if threads != _asked(point, device):
        words.append(f"{threads} thread{'' if threads == 1 else 's'}")
    return ", ".join(words)


def base_label(rows: pd.DataFrame, point: Mapping[str, Any]) -> str:
    """Label of the engine that the others are compared with: the point's."""
    return str(at_point(rows, {axis: point[axis] for axis in ("engine", "precision")})["label"].iloc[0])


def compared(table: pd.DataFrame, point: Mapping[str, Any], device: str | None = None) -> pd.DataFrame:
    """Rows of `engines_at` on one device: the given one, or the one on which most engines ran (the first by name).

    Raises
    ------
    NoData
        There are fewer than two engines.
    """
    rows = engines_at(table, point)
    if rows["engine"].nunique() < 2:
        engines = ", ".join(sorted(table["engine"].dropna().unique())) or "none"
        raise NoData(f"only one engine at the study's centre (in the study: {engines}), so there is nothing to compare")
    if device is None:
        device = str(rows.groupby("device", observed=True)["label"].nunique().sort_index(kind="stable").idxmax())
    return rows[rows["device"] == device]


def where(point: Mapping[str, Any], rows: pd.DataFrame) -> str:
    """Describe the point at which engines are compared."""
    device = str(rows["device"].iloc[0])
    threads = _asked(point, device)
    said = describe({**point, "threads": threads}, without=("engine",))
    return f"{said}, {device_name(device)} run"


def same_energy(rows: pd.DataFrame, base: str) -> pd.DataFrame:
    """Remove the energies whose evidence or components differ from those of the label `base`."""
    kinds = rows.loc[rows["label"] == base, ["energy_evidence", "energy_scope"]].dropna().drop_duplicates()
    if kinds.empty:
        return rows.assign(energy_per_row_j=math.nan)
    evidence, scope = kinds.iloc[0]
    alike = (rows["energy_evidence"] == evidence) & (rows["energy_scope"] == scope)
    return rows.assign(energy_per_row_j=rows["energy_per_row_j"].where(alike))


def paired(mine: pd.DataFrame, base: pd.DataFrame, value: str) -> Ratio:
    """Ratio of a column between runs of two engines with the same seeds; of several runs of a seed, the last counts."""
    # No intermediate data frames: there are hundreds of comparisons.
    own, other = (
        {repeat: number for repeat, number in zip(runs["repeat"], _numbers(runs[value]), strict=True) if number > 0}
        for runs in (mine, base)
    )
    both = [(number, other[repeat]) for repeat, number in own.items() if repeat in other]
    return paired_ratio([number for number, _ in both], [number for _, number in both])


def _numbers(values: "pd.Series[Any]") -> list[float]:
    found: list[float] = values.to_numpy("float64", na_value=math.nan).tolist()
    return found


def factor_text(ratio: Ratio) -> str:
    """Write a factor, such as ``1.44x less``, with ``~`` if its interval includes 1 or is missing; empty if unknown."""
    if math.isnan(ratio.value):
        return ""
    larger = max(ratio.value, 1 / ratio.value)
    if larger < _EQUAL:
        return "equal"
    unsure = "" if ratio.low > 1 or ratio.high < 1 else "~"
    number = f"{larger:.0f}" if larger >= 20 else f"{larger:.1f}" if larger >= 10 else f"{larger:.2f}"
    return f"{unsure}{number}x {'more' if ratio.value > 1 else 'less'}"
