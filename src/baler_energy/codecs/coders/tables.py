"""Coders that pack the columns of a block as a file in a common table format."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import BlockCoder, Like, arrays_like, columns_of, joined, split_arrays

__all__ = ["TableCoder"]


class TableCoder(BlockCoder):
    """A lossless coder that packs all columns of a block together, as a file in memory.

    Its blocks are larger than those of other coders: the metadata of each file take up to 35 kB in ROOT and 6 kB in
    Parquet for two dozen columns, and a real file has them only once. Columns of different lengths go to separate
    files.
    """

    block_rows = 131_072

    @abstractmethod
    def pack(self, columns: Mapping[str, NDArray[Any]]) -> bytes:
        """Write columns (rows,), at least one and with at least one row, to a file."""

    @abstractmethod
    def unpack(self, packed: bytes, names: Sequence[str]) -> list[NDArray[Any]]:
        """Read columns of a file; the arrays may be read-only."""

    def stored_type(self, dtype: str) -> str:
        """Return the type that the format supports and that stores numbers of a type bit for bit."""
        return "uint16" if dtype == "float16" else dtype

    def encode_all(self, arrays: Sequence[NDArray[Any]]) -> bytes:
        """Pack the columns of arrays."""
        columns = columns_of(arrays)
        names = _names([len(column) for column in columns])
        return joined(
            [
                self.pack({name: self._stored(columns[place]) for name, place in places.items()})
                for places in names.values()
            ]
        )

    def decode_all(self, packed: bytes, like: Sequence[Like]) -> list[NDArray[Any]]:
        """Unpack arrays."""
        shapes = [(dtype, shape[0]) for dtype, shape in like for _ in range(1 if len(shape) == 1 else shape[1])]
        columns = [np.empty(rows, dtype) for dtype, rows in shapes]
        names = _names([rows for _, rows in shapes])
        for part, places in zip(split_arrays(packed, len(names)), names.values(), strict=True):
            try:
                found = self.unpack(part, list(places))
            except Exception as error:  # the reader of a damaged file can raise anything
                raise ValueError(f"packed bytes are damaged ({error})") from error
            for place, values in zip(places.values(), found, strict=True):
                dtype, rows = shapes[place]
                if values.dtype != self.stored_type(dtype) or values.shape != (rows,):
                    raise ValueError("packed bytes are damaged (another table)")
                columns[place] = np.ascontiguousarray(values).view(dtype)
        return arrays_like(columns, like)

    def _stored(self, column: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(column).view(self.stored_type(column.dtype.name))


def _names(rows: Sequence[int]) -> dict[int, dict[str, int]]:
    """Map each column length to a file's column names and their positions; columns without rows are in no file."""
    names: dict[int, dict[str, int]] = {}
    for place, length in enumerate(rows):
        if length:
            names.setdefault(length, {})[f"column{place}"] = place
    return names
