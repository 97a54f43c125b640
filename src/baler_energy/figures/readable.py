"""The report's tables as text: numbers with units and intervals, and sentences that depend on the data."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.selection import (
    centre_of,
    describe,
    device_name,
    flagged_sentence,
    notices,
    parameter_text,
    scaled_text,
)

__all__ = ["MOST_ROWS", "Row", "each", "note_centre", "notes", "place", "quantity_text", "readable", "unless_missing"]

#: A row of a table, by column.
Row = dict[Any, Any]
#: Most rows on a page, which would exceed `page.MOST_BYTES` with more; the CSV has all.
MOST_ROWS = 500


def notes(table: TableSpec, frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Return the sentences of a table's page that depend on the data.

    Parameters
    ----------
    table
        The table.
    frame
        Its numbers.
    tables
        The dataset.
    """
    runs = tables["runs"]
    said = [f"{notice.capitalize()}." for notice in notices(runs)]
    if table.averaged:
        said += flagged_sentence(runs)
    said += table.notes(frame, tables)
    if (rows := table.count(frame)) > MOST_ROWS:
        said.append(f"The first {MOST_ROWS:,} of {rows:,} rows; {table.name}.csv has all of them.")
    return said


def note_centre(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Return the notes of a table about the study's centre: a description of it if the table has rows."""
    return [f"Centre: {describe(centre_of(tables['runs']))}."] if len(frame) else []


def readable(table: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Turn a table's numbers into text with units.

    Parameters
    ----------
    table
        The table.
    frame
        Its numbers; the result has at most `MOST_ROWS` rows, and none if there are none.
    """
    return pd.DataFrame(table.rows(frame, MOST_ROWS)).fillna("")


def each(row: Callable[[Row], dict[str, str]]) -> Callable[[pd.DataFrame, int], list[dict[str, str]]]:
    """Write a table row by row."""
    return lambda frame, most: list(map(row, frame.head(most).to_dict("records")))


def place(row: Row) -> dict[str, str]:
    """Write the table that a row is about, and the device and threads that it ran on."""
    return {
        "dataset": row["dataset"],
        "rows": f"{row['rows']:,}",
        "run on": device_name(row["device"]),
        "threads": parameter_text(row["threads"]),
    }


def unless_missing(text: str, value: Any, missing: str = "unknown") -> str:
    """Return the text of a value, or `missing` if there is none."""
    return missing if pd.isna(value) else text


def quantity_text(value: float, unit: str) -> str:
    """Write a value with the SI prefix that reads best; kilograms as grams."""
    if unit == "kg":
        value, unit = 1000 * value, "g"
    return scaled_text(value, unit)
