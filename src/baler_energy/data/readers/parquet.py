"""Parquet files with plain numeric columns."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from baler_energy.data.readers.base import Columns, Request, choose, reading, refuse_text
from baler_energy.errors import InputError

__all__ = ["read"]


def read(source: str, request: Request) -> Columns:
    """Read columns of a Parquet file.

    Raises
    ------
    InputError
        The file is damaged, or a column is missing, not numeric, or has missing values.
    """
    with reading(source, "Parquet file"), pq.ParquetFile(source) as file:
        schema = file.schema_arrow
        names = choose(source, request.columns, schema.names)
        refuse_text(source, [name for name in names if not _numeric(schema.field(name).type)])
        table = file.read(columns=list(names))
    arrays = []
    for name in names:
        column = table.column(name)
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy())[0])
            raise InputError(
                f"{source}: column {name!r} has no value at row {row} (counting from 0); {column.null_count} of "
                f"{len(column)} are missing. Remove these rows or leave the column out."
            )
        arrays.append(column.to_numpy())
    unused = "columns that were not taken" if len(names) < len(schema.names) else None
    return Columns(names, tuple(arrays), tuple(array.dtype.name for array in arrays), unused)


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))
