"""Tables and records from files, checked against the schema; a message names file, column and row."""

import json
import sys
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from baler_energy.analysis.schema import TABLES, Column, arrow_schema
from baler_energy.damage import check_regular, check_unpacked
from baler_energy.errors import InputError
from baler_energy.files import WINDOW_START
from baler_energy.mistakes import shortened

__all__ = ["check_names", "check_row", "check_table", "read_parquet"]

#: Largest values of the columns with numbers.
_LARGEST: Mapping[str, float] = {"integer": 2**63 - 1, "number": sys.float_info.max}
#: Size of a value in memory (B), and size of a file (B) below which it is small.
_VALUE_B, _SMALL_B = 8, 4_000_000
#: Python types of the values of a column that was read from JSON.
_TYPES: Mapping[str, Any] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def read_parquet(
    path: Path,
    *,
    window_start: datetime | None = None,
    filters: list[tuple[str, str, list[str]]] | None = None,
    advice: str = "Delete its run's folder and run again.",
) -> pa.Table:
    """Read a Parquet file, and verify its checksums and that its texts are UTF-8.

    Parameters
    ----------
    path
        The file.
    window_start
        Start of the measured window of the table's run; a table that names another one is refused. None: any.
    filters
        Rows to read, as in `pyarrow.parquet.read_table`; None: all.
    advice
        What to do if the file cannot be used.

    Raises
    ------
    InputError
        The file is missing, damaged, or of another run.
    """
    check_regular(path)
    try:
        if filters is None and path.stat().st_size < _SMALL_B:
            # These are the majority, and are read twice as fast from memory without threads.
            with pq.ParquetFile(pa.BufferReader(path.read_bytes()), page_checksum_verification=True) as file:
                _check_size(file.metadata, path)
                table = file.read(use_threads=False)
        else:
            # A folder such as run=5 above the file is not a column.
            _check_size(pq.read_metadata(path), path)
            table = pq.read_table(path, filters=filters, partitioning=None, page_checksum_verification=True)
        table.validate(full=True)
        if len(set(table.column_names)) < table.num_columns:
            raise ValueError("two columns have the same name")
        named = json.loads((table.schema.metadata or {}).get(b"PANDAS_ATTRS", b"{}")).get(WINDOW_START)
        start = None if named is None else datetime.fromisoformat(named)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, so it cannot be read as Parquet. {advice}") from error
    except Exception as error:  # pyarrow raises whatever a damaged file leads to, MemoryError included
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path}: not a Parquet file, or damaged: cannot be read as Parquet ({reason}). {advice}"
        ) from error
    if None not in (start, window_start) and start != window_start:
        raise InputError(
            f"{path}: {WINDOW_START}: is {start}, but the run's record has {window_start}: the file belongs to another "
            f"run. {advice}"
        )
    return table


def _check_size(metadata: pq.FileMetaData, path: Path) -> None:
    """Refuse a file that takes far more memory than its own size (`check_unpacked`)."""
    check_unpacked(_VALUE_B * metadata.num_rows * metadata.num_columns, path.stat().st_size)


def check_row(table: str, row: Mapping[str, Any], path: Path, place: str = "") -> None:
    """Refuse a row that was read from JSON and has a value that its column cannot hold.

    Parameters
    ----------
    table
        A key of `TABLES`.
    row
        Values by column; columns may be missing.
    path, place
        The file, and what precedes the column's name in its keys, for the message.

    Raises
    ------
    InputError
        A value has another type than its column, or is out of its range.
    """
    columns = _columns(table)
    for name, value in row.items():
        if value is not None and (why := _refusal(columns[name], value)):
            raise InputError(f"{path}: {place}{name}: is {shortened(value)}; {why}. Delete the file and run again.")


def check_table(table: str, rows: pa.Table, path: Path, elsewhere: Collection[str] = ()) -> None:
    """Refuse rows with other columns than the schema's, or with values that a column cannot hold.

    Parameters
    ----------
    table
        A key of `TABLES`.
    rows
        The rows.
    path
        Their file, for the message.
    elsewhere
        Columns that are not in the file, because they are the same for all of its rows.

    Raises
    ------
    InputError
        A column is missing, unknown or given twice, has another type, or a value is out of range.
    """
    check_names(table, rows, path, elsewhere)
    types = arrow_schema(table)
    for name, column in _columns(table).items():
        if name not in elsewhere and (place := _first_wrong(column, types.field(name).type, rows[name])):
            row, why = place
            raise InputError(f"{path}: column {name}, row {row}: {why}. Delete the file and make it again.")


def check_names(table: str, rows: pa.Table, path: Path, elsewhere: Collection[str] = ()) -> None:
    """Refuse rows with other columns than the schema's; parameters and errors as for `check_table`."""
    names, found = _columns(table).keys() - elsewhere, set(rows.column_names)
    for what, some in (("has no column", names - found), ("has an unknown column", found - names)):
        if some:
            raise InputError(f"{path}: {what} {', '.join(map(repr, sorted(some)))}. Make it again.")


@cache
def _columns(table: str) -> Mapping[str, Column]:
    return {column.name: column for column in TABLES[table][1]}


def _refusal(column: Column, value: Any) -> str | None:
    """Say why a column cannot hold a value; None if it can."""
    # In Python, true is a whole number.
    if isinstance(value, bool) != (column.type == "boolean") or not isinstance(value, _TYPES[column.type]):
        return f"should be a {column.type}"
    if column.type == "string":
        unwritable = value != value.encode(errors="ignore").decode()
        unknown = column.words and value not in column.words
        return "has half a character" if unwritable else f"should be {' or '.join(column.words)}" if unknown else None
    largest = _LARGEST.get(column.type, 1)
    if not abs(value) <= largest:
        return f"should be at most {largest:.3g}"
    return f"should be at least {column.least:g}" if column.least is not None and value < column.least else None


def _first_wrong(column: Column, wanted: pa.DataType, values: pa.ChunkedArray) -> tuple[int, str] | None:
    """Find the first value that a column cannot hold: its row, and why."""
    if pa.types.is_null(values.type):
        return None
    try:
        if pa.types.is_string(wanted) != _is_text(values.type):
            raise pa.ArrowTypeError
        values = values.cast(wanted)
    except pa.ArrowException:
        return 0, f"its type is {values.type}, not {column.type}"
    wrong = {}
    if column.words:
        known = pc.is_in(values, pa.array(column.words))
        wrong[f"not {' or '.join(column.words)}"] = pc.and_(pc.is_valid(values), pc.invert(known))
    if column.type == "number":
        wrong["not finite"] = pc.invert(pc.is_finite(values))
    if column.least is not None:
        wrong[f"below {column.least:g}"] = pc.less(values, column.least)
    rows = {why: pc.index(bad, True).as_py() for why, bad in wrong.items()}
    found = ((row, f"is {shortened(values[row].as_py())}, {why}") for why, row in rows.items() if row >= 0)
    return next(found, None)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
