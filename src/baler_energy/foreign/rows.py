"""Windows of foreign files, their checked values, and rows of the tables ``foreign`` and ``findings``."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from baler_energy.analysis.schema import TABLES
from baler_energy.meters.plausible import disbelief
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["EXTRA", "GIB", "Value", "Window", "by_window", "co2e", "duration", "energy", "finding", "frame"]

#: Columns of `frame` that are not in the table ``foreign``.
EXTRA = ["window", "utc", "run", "sums"]
#: Bytes in what codecarbon calls a GB.
GIB = 2.0**30

#: What no window can have: a time (s) before 1685 or after 2255, more than 28 GWh, less than a femtojoule.
_LONGEST_S, _LARGEST, _SMALLEST = 9e9, 1e14, 1e-15


@dataclass(frozen=True)
class Value:
    """One reading of a window, in SI units; a missing value has a reason.

    Readers keep a number that is not believed, such as 0 J, since `totals` needs it for the difference of two rows, and
    then removes it.
    """

    component: str
    quantity: Quantity
    value: float | None
    evidence: Evidence
    detail: str
    reason: str | None = None
    absent: bool = False
    """Whether the machine does not have the component, so that a sum without it is whole."""


@dataclass(frozen=True)
class Window:
    """One measured window of a foreign file: a row of a table, an epoch of a log.

    `start_s` is in seconds since 1970 on the file's clock. With `utc`, that clock is UTC; otherwise it is the host's
    local time without a time zone.

    Windows of the same `run` (unique among all files; None: unknown) are increments or running totals, which `totals`
    finds out and notes in `sums`. `adds_up` is set if the tool is known to write the energy since its run began.
    """

    tool: MeterName
    values: tuple[Value, ...]
    start_s: float | None = None
    duration_s: float | None = None
    utc: bool = False
    tool_version: str | None = None
    epoch: int | None = None
    cpu_model: str | None = None
    gpu_model: str | None = None
    ram_bytes: float | None = None
    run: str | None = None
    adds_up: bool = False
    sums: str | None = None

    @property
    def edges_s(self) -> tuple[float, float]:
        """Start and end (s); NaN if unknown."""
        start_s = math.nan if self.start_s is None else self.start_s
        return start_s, start_s + (math.nan if self.duration_s is None else self.duration_s)

    @property
    def damage(self) -> str | None:
        """Return a number that no measurement has, in words; None if all are possible."""
        for name, time_s in (("time", self.start_s), ("duration", self.duration_s)):
            if time_s is not None and not abs(time_s) < _LONGEST_S:
                return f"a {name} of {time_s:.4g} s"
        memory = [] if self.ram_bytes is None else [("memory", self.ram_bytes)]
        for name, value in [*memory, *((one.quantity.value, one.value) for one in self.values if one.value)]:
            if not _SMALLEST < abs(value) < _LARGEST:
                return f"{name} of {value:.4g}"
        return None


def energy(
    component: str,
    value_j: float | None,
    evidence: Evidence,
    detail: str,
    *,
    missing: str = "the file has no such value",
    zero: str = "the tool writes 0 where it read nothing, or less than one tick of the counter",
    absent: bool = False,
) -> Value:
    """Make an energy reading; None, zero and negative values get a reason for which they are missing."""
    reason = None
    if value_j is None:
        reason = missing
    elif value_j == 0:
        reason = zero
    elif why := disbelief(value_j, None):
        reason = f"the file says {why}"
    return Value(component, Quantity.ENERGY, value_j, evidence, detail, reason, absent)


def duration(value_s: float | None, detail: str) -> Value:
    """Make a reading of the window's length."""
    reason = "the file has no duration" if value_s is None else None
    return Value("machine", Quantity.DURATION, value_s, Evidence.MEASURED, detail, reason)


def co2e(value_kg: float | None, detail: str) -> Value:
    """Make a reading of emissions, which are always energy times an intensity; 0 kg are those of a missing energy."""
    reason = "the file has no such value" if value_kg is None else None
    if value_kg is not None and value_kg <= 0:
        reason = f"the file says {value_kg:g} kg, which no energy above 0 J emits"
    return Value("machine", Quantity.CO2E, value_kg, Evidence.MODELLED, detail, reason)


def frame(windows: Iterable[tuple[str, Window]]) -> pd.DataFrame:
    """Make the table ``foreign``, with the extra columns `window` (number of the window), `utc`, `run` and `sums`.

    Parameters
    ----------
    windows
        Name of the file and window, in the order of the files.

    Returns
    -------
    pandas.DataFrame
        A row per value; columns that do not apply to foreign files are null.
    """
    columns = [column.name for column in TABLES["foreign"][1]]
    rows = [
        _row(name, index, window, value)
        for index, (name, window) in enumerate(windows)
        for value in map(partial(_believed, window), window.values)
    ]
    table = pd.DataFrame(rows, columns=[*columns, *EXTRA], dtype=object)
    numbers = ["value", "value_per_iteration", "duration_s", "ram_bytes", "bound"]
    table[numbers] = table[numbers].astype("float64")
    start = pd.to_datetime(table["window_start"].astype("float64"), unit="s", utc=True)
    table["window_start"] = start.dt.round("us").astype("datetime64[us, UTC]")
    table["epoch"] = table["epoch"].astype("Int64")
    table["window"] = table["window"].astype("int64")
    return table.astype({"utc": bool, "primary": bool})


def by_window(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per window of a table from `frame`, with its number as index, and its `start_s` (NaN: unknown)."""
    first = table.drop_duplicates("window").set_index("window")
    return first.assign(start_s=(first["window_start"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds())


def finding(file: str, kind: str, subject: str, value: float, unit: str, sentence: str) -> dict[str, Any]:
    """Make a row of the table ``findings``."""
    return {"file": file, "finding": kind, "subject": subject, "value": value, "unit": unit, "sentence": sentence}


def _believed(window: Window, value: Value) -> Value:
    """Withhold energies that no machine can have used in the window, and emissions of an energy that is missing."""
    if value.value is None:
        return value
    if value.quantity is Quantity.ENERGY:
        reason = disbelief(value.value, window.duration_s)
        return replace(value, value=None, reason=f"the file says {reason}") if reason else value
    if value.quantity is Quantity.CO2E:
        energies = [one for one in window.values if (one.component, one.quantity) == ("machine", Quantity.ENERGY)]
        reasons = [reason for one in energies if (reason := _believed(window, one).reason)]
        return replace(value, value=None, reason=f"its energy is missing: {reasons[0]}") if reasons else value
    return value


def _gpu_name(text: str | None) -> str | None:
    """Return a GPU's name; None where a tool writes a word for none, such as the CPU that it used instead."""
    return None if (text or "").strip().lower() in ("", "cpu", "none", "null", "nan", "n/a", "no gpu") else text


def _row(name: str, index: int, window: Window, value: Value) -> dict[str, Any]:
    return {
        "quantity": value.quantity.value,
        "component": value.component,
        "meter": window.tool.value,
        "evidence": value.evidence.value,
        "primary": False,
        "value": value.value,
        "unit": value.quantity.unit,
        "iterations": 1,
        "value_per_iteration": value.value,
        "reason": value.reason,
        "detail": value.detail,
        "file": name,
        "tool_version": window.tool_version,
        "window_start": window.start_s,
        "duration_s": window.duration_s,
        "epoch": window.epoch,
        "cpu_model": window.cpu_model,
        "gpu_model": _gpu_name(window.gpu_model),
        "ram_bytes": window.ram_bytes,
        "window": index,
        "utc": window.utc,
        "run": window.run,
        "sums": window.sums,
    }
