"""Parquet files compressed with Zstandard, through pyarrow."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import level_of
from baler_energy.codecs.coders.tables import TableCoder

__all__ = ["WORD", "ParquetFile"]


@dataclass(frozen=True)
class ParquetFile(TableCoder):
    """A Parquet file with one row group; floats use the encoding BYTE_STREAM_SPLIT, other columns a dictionary.

    Parameters
    ----------
    level
        Zstandard's level, from 1 to 22.
    """

    level: int = 3

    package = "pyarrow"
    suffix = "parquet"
    usage = "parquet-zstd or parquet-zstd-9 (a Parquet file; level)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``parquet``, ``parquet-zstd`` or ``parquet-zstd-9``."""
        inner, _, level = ("zstd" if parameter is None else parameter).partition("-")
        if inner != "zstd" or (parameter or "").endswith("-"):
            raise ValueError(f"coder {parameter}")
        return cls(level_of(level or None, 1, 22, 3))

    def pack(self, columns: Mapping[str, NDArray[Any]]) -> bytes:
        """Write columns to a file, on the calling thread."""
        import pyarrow as pa
        from pyarrow import parquet

        floats = [name for name, values in columns.items() if values.dtype.kind == "f"]
        rows = len(next(iter(columns.values())))
        file = io.BytesIO()
        parquet.write_table(
            pa.table(dict(columns)),
            file,
            row_group_size=rows,
            compression="zstd",
            compression_level=self.level,
            use_dictionary=[name for name in columns if name not in floats],
            use_byte_stream_split=floats,
        )
        return file.getvalue()

    def unpack(self, packed: bytes, names: Sequence[str]) -> list[NDArray[Any]]:
        """Read columns of a file."""
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(packed), columns=list(names), use_threads=False)
        return [table[name].to_numpy() for name in names]


WORD = ParquetFile
