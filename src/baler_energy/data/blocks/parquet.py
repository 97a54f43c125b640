"""Parquet files: batches of rows in, a row group for each block out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from baler_energy.data.blocks.base import Block, Opened, Target, matrix, native
from baler_energy.data.origin import file_origin
from baler_energy.data.readers.base import Request
from baler_energy.data.readers.parquet import numeric_names, to_arrays, unused_columns

__all__ = ["sink", "source"]

# Of a column of the row group that is being read. Without it, a whole row group's bytes are held.
_BUFFER_BYTES = 1 << 18
# Parquet's names of what pyarrow writes; what else there may be comes out as zstd.
_COMPRESSIONS = {
    "UNCOMPRESSED": "none",
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "BROTLI": "brotli",
    "LZ4": "lz4",
    "ZSTD": "zstd",
}


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open a Parquet file."""
    file = stack.enter_context(pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False))
    schema, rows = file.schema_arrow, file.metadata.num_rows
    names = numeric_names(path, schema, request)
    dtypes = tuple(np.dtype(schema.field(name).type.to_pandas_dtype()).name for name in names)
    unused = unused_columns(schema, names)
    origin = file_origin(path, request, unused=unused, warnings=(), rows=rows, available=rows)
    layout = {"format": "parquet", "compression": _compression(file.metadata)}

    def read(rows: int) -> Iterator[Block]:
        first = 0
        # Arrow's own threads would be beside those that the caller counts.
        for batch in file.iter_batches(rows, columns=list(names), use_threads=False):
            yield Block(matrix(to_arrays(path, batch, names, first)))
            first += batch.num_rows

    return Opened(names, dtypes, rows, origin | {"format": file_format}, layout, read)


def _compression(metadata: pq.FileMetaData) -> str:
    if not metadata.num_row_groups:
        return "zstd"
    return _COMPRESSIONS.get(metadata.row_group(0).column(0).compression, "zstd")


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Begin a Parquet file of the columns' native types."""
    types = [pa.from_numpy_dtype(np.dtype(dtype)) for dtype in target.dtypes]
    schema = pa.schema(list(zip(target.names, types, strict=True)))
    compression = target.layout["compression"]
    if compression not in _COMPRESSIONS.values():
        raise ValueError(f"compression {compression!r}")
    writer = stack.enter_context(pq.ParquetWriter(path, schema, compression=compression))

    def write(block: Block) -> None:
        columns = zip(target.names, block.data.T, target.dtypes, strict=True)
        arrays = [pa.array(native(name, values, dtype)) for name, values, dtype in columns]
        if len(block.data):
            writer.write_batch(pa.record_batch(arrays, schema=schema))

    return write
