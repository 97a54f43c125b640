"""Parquet files, read in batches of rows and written with a row group per block."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from baler_energy.damage import check_rows
from baler_energy.errors import InputError
from baler_energy.formats.base import Block, Opened, Target
from baler_energy.formats.reading import Request, choose, keep_numeric

__all__ = ["sink", "source"]

# Read buffer per column. Without it, pyarrow holds a whole row group.
_BUFFER_BYTES = 1 << 18
# Parquet's and pyarrow's names of compressions; files with any other are written with zstd.
_COMPRESSIONS = {
    "UNCOMPRESSED": "none",
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "BROTLI": "brotli",
    "LZ4": "lz4",
    "ZSTD": "zstd",
}


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open a Parquet file; the checksum of each page is checked, if it has one."""
    options = {"buffer_size": _BUFFER_BYTES, "pre_buffer": False, "page_checksum_verification": True}
    file = stack.enter_context(pq.ParquetFile(path, **options))
    schema, rows = file.schema_arrow, int(file.metadata.num_rows)
    names, warnings = _select(path, schema, request)
    dtypes = tuple(np.dtype(schema.field(name).type.to_pandas_dtype()).name for name in names)
    check_rows(path, rows, sum(np.dtype(dtype).itemsize for dtype in dtypes))
    unused = "columns that were not read" if len(names) < len(schema.names) else None
    layout = {"format": "parquet", "compression": _compression(file, names[0])}

    def read(rows: int) -> Iterator[Block]:
        first = 0
        # Arrow's own threads would add to the caller's number of threads.
        for batch in file.iter_batches(rows, columns=list(names), use_threads=False):
            yield Block.of(_to_arrays(path, batch, names, first))
            first += batch.num_rows

    return Opened(names, dtypes, rows, layout, read, unused, warnings, stored_bytes=partial(_stored_bytes, file, names))


def _select(source: str, schema: pa.Schema, request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the requested columns, and a warning about others (`keep_numeric`); raises `InputError`."""
    chosen = choose(source, request.columns, schema.names)
    others = [name for name in chosen if not _numeric(schema.field(name).type)]
    return keep_numeric(source, request, chosen, others)


def _to_arrays(
    source: str, rows: pa.Table | pa.RecordBatch, names: Sequence[str], first_row: int = 0
) -> tuple[NDArray[Any], ...]:
    """Return the columns, each (rows,); the first row is number `first_row` of the file.

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


def _compression(file: pq.ParquetFile, name: str) -> str:
    """Return the compression of a column, under pyarrow's name."""
    if not file.metadata.num_row_groups:
        return "zstd"
    return _COMPRESSIONS.get(_chunks(file, 0, [name])[0].compression, "zstd")


def _stored_bytes(file: pq.ParquetFile, names: Sequence[str]) -> int:
    """Count the bytes on disk of some columns, which are their chunks in all row groups."""
    groups = range(file.metadata.num_row_groups)
    return sum(chunk.total_compressed_size for group in groups for chunk in _chunks(file, group, names))


def _chunks(file: pq.ParquetFile, group: int, names: Sequence[str]) -> list[pq.ColumnChunkMetaData]:
    """Return the metadata of some columns in a row group."""
    # pyarrow (26) ends the process if a column's metadata are damaged, unless it has read the column before.
    next(file.iter_batches(1, row_groups=[group], columns=list(names), use_threads=False), None)
    metadata, wanted = file.metadata.row_group(group), set(names)
    places = (place for place in range(len(file.schema)) if file.schema.column(place).path in wanted)
    return [metadata.column(place) for place in places]


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Start a Parquet file with the columns' native types."""
    types = [pa.from_numpy_dtype(np.dtype(dtype)) for dtype in target.dtypes]
    schema = pa.schema(list(zip(target.names, types, strict=True)))
    compression = target.layout["compression"]
    if compression not in _COMPRESSIONS.values():
        raise ValueError(f"compression {compression!r}")
    options = {"compression": compression, "write_page_checksum": True}
    writer = stack.enter_context(pq.ParquetWriter(path, schema, **options))

    def write(block: Block) -> None:
        arrays = [pa.array(values) for values in block.native(target.names, target.dtypes)]
        if len(block.data):
            writer.write_batch(pa.record_batch(arrays, schema=schema))

    return write
