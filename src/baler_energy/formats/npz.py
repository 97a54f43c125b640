"""Prepared tables, and Baler's npz files with ``data`` and ``names``."""

import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import check_members, read_member
from baler_energy.data.table import TABLE_ARRAYS, Table, annotations
from baler_energy.errors import InputError
from baler_energy.files import check_distinct, check_keys
from baler_energy.formats.base import Block, Opened, Target, numeric, rounded
from baler_energy.formats.npy import StoredArray, WrittenArray, write_array
from baler_energy.formats.reading import Request, choose, integral_dtypes, is_number, refuse_text
from baler_energy.variants import PREPARED

__all__ = ["sink", "source"]

# Rows read at once to infer types from values.
_ROWS = 1 << 14


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open a prepared table or a Baler file; the latter is read once more if types must be inferred."""
    file = Path(path)
    handle = stack.enter_context(file.open("rb"))
    archive = stack.enter_context(zipfile.ZipFile(handle))
    check_members(archive)
    held = [name.removesuffix(".npy") for name in archive.namelist()]
    check_distinct(path, held, "array")
    if file_format != PREPARED:
        check_keys(file, held, ("data", "names"))
    array = StoredArray.find(archive, handle, "data") if "data" in held else None
    others = {name: read_member(archive, name) for name in held if name in TABLE_ARRAYS and name != "data"}
    if array is None or file_format == PREPARED or set(TABLE_ARRAYS) <= set(held):
        return _table(path, request, array, others)
    return _baler(path, request, array, others["names"], held)


def _table(path: str, request: Request, array: StoredArray | None, others: dict[str, NDArray[Any]]) -> Opened:
    # The checks of a table do not look at values, so no row is needed.
    none = {} if array is None else {"data": np.empty((0, *array.shape[1:]), array.dtype)}
    table = Table.of(Path(path), none | others)
    assert array is not None, "a table without data is refused"
    names = choose(path, request.columns, table.names)
    known = {name: place for place, name in enumerate(table.names)}
    places = [known[name] for name in names]
    dtypes = tuple(table.dtypes[place] for place in places)
    unused = _unused((), len(names) < len(table.names))
    layout, read = {"format": PREPARED}, _reader(array, places)
    return Opened(names, dtypes, array.shape[0], layout, read, unused, origin=table.origin)


def _baler(path: str, request: Request, array: StoredArray, labels: NDArray[Any], held: list[str]) -> Opened:
    names, places = _labelled(path, array.shape, array.dtype, labels, request)
    dtypes = integral_dtypes([array.dtype] * len(names), (piece[:, places].T for piece in array.pieces(_ROWS)))
    layout = {"format": "npz", "stored": array.dtype.name}
    unused = _unused({*held} - {"data", "names"}, len(names) < len(labels))
    return Opened(names, dtypes, array.shape[0], layout, _reader(array, places), unused)


def _labelled(
    source: str, shape: tuple[int, ...], dtype: np.dtype[Any], labels: NDArray[Any], request: Request
) -> tuple[tuple[str, ...], list[int]]:
    """Return the requested names and their columns' places, from shape and dtype of ``data`` and the array ``names``.

    Raises
    ------
    InputError
        The arrays do not match, are not numeric, or lack a requested name.
    """
    if len(shape) != 2 or labels.ndim != 1 or shape[1] != len(labels):
        raise InputError(
            f"{source}: 'data' has shape {shape} and 'names' {labels.shape}, but a table (rows, columns) and a name "
            "for each column are required."
        )
    if not is_number(dtype):
        refuse_text(source, ["'data'"])
    available = [name.decode() if isinstance(name, bytes) else str(name) for name in labels.tolist()]
    names = choose(source, request.columns, available)
    known = {name: place for place, name in enumerate(available)}
    return names, [known[name] for name in names]


def _unused(others: Collection[str], columns_left: bool) -> str | None:
    """Describe what else the file holds, for `Source.unused`: columns that were not read, or other arrays."""
    if columns_left:
        return "columns that were not read"
    return f"arrays {', '.join(sorted(others))}" if others else None


def _reader(array: StoredArray, places: list[int]) -> Callable[[int], Iterator[Block]]:
    whole = places == list(range(array.shape[1]))

    def read(rows: int) -> Iterator[Block]:
        for piece in array.pieces(rows):
            chosen = piece if whole else piece[:, places]
            yield Block(np.ascontiguousarray(chosen, dtype=np.float64), wide=rounded(chosen.T))

    return read


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Start an uncompressed npz file; its other arrays are written when `stack` closes."""
    is_table = target.layout["format"] == PREPARED
    stored = numeric("float64" if is_table else target.layout["stored"])
    handle = stack.enter_context(path.open("w+b"))
    archive = stack.enter_context(zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED))
    array = WrittenArray(archive, handle, "data", len(target.names), stored)
    others = annotations(target.names, target.dtypes, target.origin if is_table else {})

    def finish() -> None:
        array.close()
        for name in others if is_table else ("names",):
            write_array(archive, name, others[name])

    def write(block: Block) -> None:
        if stored == np.float64:
            array.write(block.data)
        else:
            array.write(np.stack(block.native(target.names, [stored.name] * len(target.names)), axis=1))

    stack.callback(finish)
    return write
