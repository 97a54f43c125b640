"""HDF5 files: slices of rows in, resizable datasets of the same arrangement out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from baler_energy.data.blocks.base import Block, Opened, Target, matrix, native, spans
from baler_energy.data.origin import file_origin
from baler_energy.data.readers.base import Request, integral_dtypes
from baler_energy.data.readers.hdf5 import Selection, select

__all__ = ["sink", "source"]

# Rows at once where types are told from values.
_ROWS = 1 << 14
# HDF5's cache for each dataset, and the size of a chunk, several of which it holds until they are full.
_CACHE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
_COMPRESSIONS = ("gzip", "lzf")


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open an HDF5 file; one of a single type is read once more where only its values tell the types."""
    file = stack.enter_context(h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES))
    table = select(path, file, request)
    stored, first = table.stored, table.datasets[0]
    dtypes = tuple(dtype.name for dtype in stored)
    if table.integral():
        dtypes = integral_dtypes(stored, _pieces(table, _ROWS))
    rows = len(first)
    origin = file_origin(path, request, unused=table.unused, warnings=(), rows=rows, available=rows)
    layout = {
        "format": "hdf5",
        "kind": table.kind,
        "path": table.item.name,
        "stored": [dtype.name for dtype in stored],
        "compression": first.compression if first.compression in _COMPRESSIONS else None,
        "compression_opts": first.compression_opts if first.compression == "gzip" else None,
        "shuffle": bool(first.shuffle),
    }

    def read(rows: int) -> Iterator[Block]:
        for columns in _pieces(table, rows):
            yield Block(matrix(columns))

    return Opened(table.names, dtypes, rows, origin | {"format": file_format}, layout, read)


def _pieces(table: Selection, rows: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Read columns, at most `rows` rows at once.

    The file is read in whole chunks, because each costs the same, read in part or whole.
    """
    chunk = max(dataset.chunks[0] if dataset.chunks else 1 for dataset in table.datasets)
    for start, stop in spans(len(table.datasets[0]), chunk * max(1, rows // chunk)):
        columns = table.columns(slice(start, stop))
        for first, last in spans(stop - start, rows):
            yield tuple(values[first:last] for values in columns)


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Begin an HDF5 file, in chunks and with the input's compression; its datasets are made with the first block."""
    kind, stored = target.layout["kind"], [np.dtype(name) for name in target.layout["stored"]]
    if kind not in ("matrix", "compound", "group") or len(stored) != len(target.names):
        raise ValueError(f"kind {kind!r}, {len(stored)} types for {len(target.names)} columns")
    file = stack.enter_context(h5py.File(path, "w", rdcc_nbytes=_CACHE_BYTES, track_order=True))
    datasets: list[h5py.Dataset] = []

    def write(block: Block) -> None:
        columns = zip(target.names, block.data.T, stored, strict=True)
        arrays = [native(name, values, dtype.name) for name, values, dtype in columns]
        if not datasets:
            datasets.extend(_create(file, target, stored, max(1, len(block.data))))
        for dataset, values in zip(datasets, _arranged(kind, target.names, arrays), strict=True):
            rows = len(dataset)
            dataset.resize(rows + len(values), axis=0)
            dataset[rows:] = values

    def finish() -> None:
        if not datasets:
            _create(file, target, stored, 1)

    stack.callback(finish)
    return write


def _create(file: h5py.File, target: Target, stored: list[np.dtype[Any]], rows: int) -> list[h5py.Dataset]:
    """Make the datasets, without rows, in chunks of no more than the first block's `rows`."""
    layout, names = target.layout, target.names
    filters = {key: layout[key] for key in ("compression", "compression_opts", "shuffle")}

    def create(parent: h5py.Group, path: str, width: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
        fit = _CHUNK_BYTES // (dtype.itemsize * (width[0] if width else 1))
        chunks = (max(1, min(rows, fit)), *width)
        return parent.create_dataset(path, (0, *width), dtype, maxshape=(None, *width), chunks=chunks, **filters)

    path = str(layout["path"])
    if layout["kind"] == "group":
        # The file itself is a group, too. Either keeps the columns' order.
        group = file.create_group(path, track_order=True) if path.strip("/") else file
        return [create(group, name, (), dtype) for name, dtype in zip(names, stored, strict=True)]
    if layout["kind"] == "compound":
        return [create(file, path, (), np.dtype(list(zip(names, stored, strict=True))))]
    dataset = create(file, path, (len(names),), stored[0])
    dataset.attrs["names"] = list(names)
    return [dataset]


def _arranged(kind: str, names: tuple[str, ...], arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Give what each dataset takes of a block's columns."""
    if kind == "group":
        return arrays
    if kind == "matrix":
        return [np.stack(arrays, axis=1)]
    records = np.empty(len(arrays[0]), [(name, array.dtype) for name, array in zip(names, arrays, strict=True)])
    for name, array in zip(names, arrays, strict=True):
        records[name] = array
    return [records]
