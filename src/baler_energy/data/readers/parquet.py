"""Parquet files with plain numeric columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns, Request, choose, reading, refuse_text
from baler_energy.errors import InputError

__all__ = ["numeric_names", "read", "to_arrays", "unused_columns"]


def read(source: str, request: Request) -> Columns:
    """Read columns of a Parquet file.

    Raises
    ------
    InputError
        The file is damaged, or a column is missing, not numeric, or has missing values.
    """
    with reading(source, "Parquet file"), pq.ParquetFile(source) as file:
        names = numeric_names(source, file.schema_arrow, request)
        arrays = to_arrays(source, file.read(columns=list(names)), names)
        unused = unused_columns(file.schema_arrow, names)
    return Columns(names, arrays, tuple(array.dtype.name for array in arrays), unused)


def numeric_names(source: str, schema: pa.Schema, request: Request) -> tuple[str, ...]:
    """Give the wanted columns, which must be there and numeric; raises `InputError`."""
    names = choose(source, request.columns, schema.names)
    refuse_text(source, [name for name in names if not _numeric(schema.field(name).type)])
    return names


def unused_columns(schema: pa.Schema, names: Sequence[str]) -> str | None:
    """Say what the file holds besides the columns taken, as `Columns.unused`."""
    return "columns that were not taken" if len(names) < len(schema.names) else None


def to_arrays(
    source: str, rows: pa.Table | pa.RecordBatch, names: Sequence[str], first_row: int = 0
) -> tuple[NDArray[Any], ...]:
    """Give the columns (rows,) of rows of which the first is `first_row` of the file.

    Raises
    ------
    InputError
        A value is missing.
    """
    arrays = []
    for name in names:
        column = rows.column(name)
        if column.null_count:
            row = first_row + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(
                f"{source}: column {name!r} has no value at row {row} (counting from 0); {column.null_count} of "
                f"the {len(column)} rows read are missing. Remove these rows or leave the column out."
            )
        arrays.append(column.to_numpy(zero_copy_only=False))
    return tuple(arrays)


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))
