"""Windows of foreign files, their checked values, and the table ``foreign``."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from baler_energy.analysis.schema import TABLES
from baler_energy.errors import InputError
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = [
    "GIB",
    "Cells",
    "Value",
    "Window",
    "co2e",
    "duration",
    "energy",
    "frame",
    "local_seconds",
    "number",
]

#: Bytes in what codecarbon calls a GB.
GIB = 2.0**30

_ADVICE = "Remove the row, or export the file again"


@dataclass(frozen=True)
class Value:
    """One reading of a window, in SI units; a missing value has a reason."""

    component: str
    quantity: Quantity
    value: float | None
    evidence: Evidence
    detail: str
    reason: str | None = None


@dataclass(frozen=True)
class Window:
    """One measured window of a foreign file: a row of a table, an epoch of a log.

    `start_s` is in seconds since 1970 on the file's clock. With `utc`, that clock is UTC; otherwise it is the host's
    local time without a time zone.
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


@dataclass(frozen=True)
class Cells:
    """A row of a table by column name, with its file and line for messages."""

    path: Path
    row: int
    values: dict[str, str] = field(default_factory=dict)

    def text(self, column: str) -> str | None:
        """Text of a cell; None if the column is missing or the cell is empty."""
        return self.values.get(column, "").strip() or None

    def number(self, column: str, scale: float = 1.0) -> float | None:
        """Return the number in a cell times `scale`; None if the column is missing or the cell is empty.

        Raises
        ------
        InputError
            The cell is not a finite number.
        """
        text = self.text(column)
        return None if text is None else number(text, self.path, self.row, column) * scale

    def local_seconds(self, column: str) -> float | None:
        """Seconds since 1970 of a date in a cell, see `local_seconds`."""
        text = self.text(column)
        return None if text is None else local_seconds(text, self.path, self.row)

    def times(self, edge: str, length: str, *, local: bool) -> tuple[float, float]:
        """Return the time (s since 1970) and the duration (s) of the row's window; both are required.

        Parameters
        ----------
        edge, length
            The columns of the window's start or end, and of its duration.
        local
            Whether `edge` holds a date, see `local_seconds`; otherwise seconds.

        Raises
        ------
        InputError
            Either is missing, or the duration is negative.
        """
        at_s = self.local_seconds(edge) if local else self.number(edge)
        duration_s = self.number(length)
        if at_s is None or duration_s is None or duration_s < 0:
            what = f"has no {edge}, or its {length} is missing or negative"
            raise InputError(f"{self.path}, row {self.row}: {what}. {_ADVICE}.")
        return at_s, duration_s


def number(text: str, path: Path, row: int, name: str) -> float:
    """Read a finite number.

    Raises
    ------
    InputError
        The text is not a finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}, row {row}: {name} is {text.strip()[:40]!r}, not a number. {_ADVICE}.")
    return value


def local_seconds(text: str, path: Path, row: int) -> float:
    """Seconds since 1970 of an ISO date; a date without a time zone is treated as UTC.

    Raises
    ------
    InputError
        The text is not a date.
    """
    try:
        date = datetime.fromisoformat(text.strip().replace(",", "."))
    except ValueError as error:
        raise InputError(f"{path}, row {row}: {text.strip()[:40]!r} is not a date. {_ADVICE}.") from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def energy(
    component: str,
    value_j: float | None,
    evidence: Evidence,
    detail: str,
    *,
    missing: str = "the file has no such value",
    zero: str = "the tool writes 0 where it read nothing, or less than one tick of the counter",
) -> Value:
    """Make an energy reading; None, zero and negative values become a missing value with the reason."""
    reason = None
    if value_j is None:
        reason = missing
    elif value_j == 0:
        reason = zero
    elif value_j < 0:
        reason = f"the file says {value_j:.4g} J: a counter wrapped or was reset in the window"
    return Value(component, Quantity.ENERGY, None if reason else value_j, evidence, detail, reason)


def duration(value_s: float | None, detail: str, *, missing: str = "the file has no duration") -> Value:
    """Make a reading of the window's length."""
    reason = missing if value_s is None else None
    return Value("machine", Quantity.DURATION, value_s, Evidence.MEASURED, detail, reason)


def co2e(value_kg: float | None, detail: str) -> Value:
    """Make a reading of emissions, which are always energy times an intensity."""
    reason = "the file has no such value" if value_kg is None else None
    return Value("machine", Quantity.CO2E, value_kg, Evidence.MODELLED, detail, reason)


def frame(windows: Iterable[tuple[str, Window]]) -> pd.DataFrame:
    """Make the table ``foreign``, with two extra columns: `window` (number of the window) and `utc`.

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
    rows = [_row(name, index, window, value) for index, (name, window) in enumerate(windows) for value in window.values]
    table = pd.DataFrame(rows, columns=[*columns, "window", "utc"], dtype=object)
    numbers = ["value", "value_per_iteration", "duration_s", "ram_bytes", "bound"]
    table[numbers] = table[numbers].astype("float64")
    start = pd.to_datetime(table["window_start"].astype("float64"), unit="s", utc=True)
    table["window_start"] = start.dt.round("us").astype("datetime64[us, UTC]")
    table["epoch"] = table["epoch"].astype("Int64")
    table["window"] = table["window"].astype("int64")
    return table.astype({"utc": bool, "primary": bool})


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
        "gpu_model": window.gpu_model,
        "ram_bytes": window.ram_bytes,
        "window": index,
        "utc": window.utc,
    }
