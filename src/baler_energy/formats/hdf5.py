"""HDF5 files, read in slices of rows and written to resizable datasets of the same arrangement.

Three arrangements are supported: a 2-D dataset whose attribute ``names`` names its columns, a 1-D dataset of a
compound dtype, and a group (or the file itself) that holds 1-D datasets, of which those of the same length are read.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5t
from numpy.typing import NDArray

from baler_energy.errors import InputError
from baler_energy.formats.base import Block, Opened, Target, numeric, spans
from baler_energy.formats.hdf5_checks import absence, check_heaps, check_values
from baler_energy.formats.reading import (
    Request,
    choose,
    integral_dtypes,
    is_number,
    keep_numeric,
    keep_present,
    listing,
    refuse_absent,
    refuse_text,
)

__all__ = ["sink", "source"]

# Rows read at once to infer types from values.
_ROWS = 1 << 14
# HDF5's cache per dataset, and the size of a chunk: the cache holds several chunks until they are full.
_CACHE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
_COMPRESSIONS = ("gzip", "lzf")
# Deepest group that is read.
_DEEPEST = 100
# Columns whose names may take more than the 64 KiB of a header in the oldest format.
_MANY_NAMES = 500
_NAMES = "names"
# Attribute of the groups that pandas writes, and the beginning of the names of PyTables' indexes.
_PANDAS, _INDEX = "pandas_type", "/_i_"
_Tables = dict[str, h5py.Dataset | h5py.Group]


@dataclass(frozen=True, eq=False)
class _Selection:
    """Columns of a table in an open file.

    Parameters
    ----------
    item
        The dataset, or the group of 1-D datasets.
    names, available
        Selected columns, and all columns.
    unused, warnings
        See `Source`.
    """

    item: h5py.Dataset | h5py.Group
    names: tuple[str, ...]
    available: tuple[str, ...]
    unused: str | None
    warnings: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Arrangement: ``group``, ``compound`` or ``matrix``."""
        if isinstance(self.item, h5py.Group):
            return "group"
        return "compound" if self.item.dtype.names else "matrix"

    @property
    def datasets(self) -> tuple[h5py.Dataset, ...]:
        """The datasets that hold the columns."""
        return tuple(self.item[name] for name in self.names) if self.kind == "group" else (self.item,)

    @property
    def stored(self) -> tuple[np.dtype[Any], ...]:
        """Each column's dtype in the file."""
        if self.kind == "compound":
            return tuple(self.item.dtype[name] for name in self.names)
        if self.kind == "group":
            return tuple(dataset.dtype for dataset in self.datasets)
        return (self.item.dtype,) * len(self.names)

    def columns(self, rows: slice) -> tuple[NDArray[Any], ...]:
        """Read the columns of some rows, each (rows,)."""
        if self.kind == "group":
            return tuple(dataset[rows] for dataset in self.datasets)
        data = self.item[rows]
        if self.kind == "compound":
            return tuple(np.ascontiguousarray(data[name]) for name in self.names)
        return tuple(data[:, place] for place in self._places)

    @cached_property
    def _places(self) -> list[int]:
        places = {name: place for place, name in enumerate(self.available)}
        return [places[name] for name in self.names]

    def integral(self) -> bool:
        """Whether column types must be inferred from the values (`integral_dtypes`)."""
        return self.kind != "group" and len(set(self.stored)) == 1


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open an HDF5 file. If all columns share a type, it is read once more to infer types from the values."""
    file = stack.enter_context(h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES))
    table = _select(path, file, request)
    check_values(path, table.datasets)
    stored, first = table.stored, table.datasets[0]
    dtypes = tuple(dtype.name for dtype in stored)
    if table.integral():
        dtypes = integral_dtypes(stored, _pieces(table, _ROWS))
    layout = {
        "format": "hdf5",
        "kind": table.kind,
        "path": table.item.name,
        "stored": [dtype.name for dtype in stored],
        "compression": first.compression if first.compression in _COMPRESSIONS else None,
        "compression_opts": first.compression_opts if first.compression == "gzip" else None,
        "shuffle": bool(first.shuffle),
        **({"fletcher32": True} if first.fletcher32 else {}),
    }

    def read(rows: int) -> Iterator[Block]:
        for columns in _pieces(table, rows):
            yield Block.of(columns)

    return Opened(table.names, dtypes, len(first), layout, read, table.unused, table.warnings)


def _pieces(table: _Selection, rows: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Read columns in pieces of at most `rows` rows.

    The file is read in whole chunks, because reading part of a chunk costs as much as all of it.
    """
    chunk = max(dataset.chunks[0] if dataset.chunks else 1 for dataset in table.datasets)
    for start, stop in spans(len(table.datasets[0]), chunk * max(1, rows // chunk)):
        columns = table.columns(slice(start, stop))
        for first, last in spans(stop - start, rows):
            yield tuple(values[first:last] for values in columns)


def _select(source: str, file: h5py.File, request: Request) -> _Selection:
    """Find the requested columns in an open file.

    Raises
    ------
    InputError
        There is no table, or several to choose from, or a column is missing, not numeric, or not in the file.
    """
    datasets, by_pandas = _contents(file)
    item = _table(source, _tables(file, datasets, by_pandas), by_pandas, request.tree)
    names, available, warnings = (_of_group if isinstance(item, h5py.Group) else _of_dataset)(source, item, request)
    unused = "columns that were not read" if len(names) < len(available) else None
    taken = {item[name].name for name in names} if isinstance(item, h5py.Group) else {item.name}
    others = [dataset.name for dataset in datasets if dataset.name not in taken]
    if others and unused is None:
        unused = f"datasets other than the one read ({listing(others)})"
    return _Selection(item, names, tuple(available), unused, warnings)


def _contents(file: h5py.File) -> tuple[list[h5py.Dataset], set[str]]:
    """Return the datasets, and the groups that pandas wrote; links are not followed."""
    datasets: list[h5py.Dataset] = []
    by_pandas: set[str] = set()

    def visit(name: str, item: Any) -> None:
        # HDF5 takes more than a minute for 5,000 levels.
        if name.count("/") > _DEEPEST:
            raise InputError(f"has groups within groups, more than {_DEEPEST} deep. Copy the table to another file.")
        if isinstance(item, h5py.Group) and _PANDAS in item.attrs:
            by_pandas.add(item.name)
        elif isinstance(item, h5py.Dataset) and _INDEX not in f"/{name}":
            datasets.append(item)

    file.visititems(visit)
    return datasets, by_pandas


def _tables(file: h5py.File, datasets: Iterable[h5py.Dataset], by_pandas: Collection[str]) -> _Tables:
    """Return the datasets and groups that hold a table, by path."""
    tables: _Tables = {}
    for dataset in datasets:
        dtype, parent = _dtype(dataset), dataset.name.rpartition("/")[0] or "/"
        if dataset.ndim == 2 or (dataset.ndim == 1 and dtype.names) or parent in by_pandas:
            # pandas writes a table that can be read, with ``data_columns=True``, and arrangements that cannot.
            is_table = parent not in by_pandas or _plain(dtype)
            tables |= {dataset.name: dataset} if is_table else {parent: file[parent]}
        elif dataset.ndim == 1 and parent not in tables:
            tables[parent] = file[parent]
    return tables


def _table(source: str, tables: _Tables, by_pandas: Collection[str], wanted: str | None) -> h5py.Dataset | h5py.Group:
    """Return the dataset or group that holds the table."""
    path = next(iter(tables), "") if wanted is None else "/" + wanted.strip("/")
    if not tables:
        raise InputError(f"{source}: contains no table: neither a 2-D or compound dataset nor a group of 1-D datasets.")
    if path not in tables:
        raise InputError(f"{source}: has no table {wanted!r}. It has: {listing(list(tables), path)}.")
    if wanted is None and len(tables) > 1 and not tables.keys() <= set(by_pandas):
        raise InputError(f"{source}: contains several tables: {listing(list(tables))}. Choose one with --tree.")
    if path in by_pandas:
        converted = Path(source).with_suffix(".parquet")
        raise InputError(
            f"{source}: {path} was written by pandas (to_hdf) in its own arrangement, which is not read here. Convert "
            f"it: `python -c \"import pandas; pandas.read_hdf('{source}', '{path[1:]}').to_parquet('{converted}')\"`."
        )
    return tables[path]


def _plain(dtype: np.dtype[Any]) -> bool:
    """Whether a compound type has single values only, as pandas writes with ``data_columns=True``."""
    return dtype.names is not None and not any(dtype[name].shape for name in dtype.names)


def _dtype(dataset: h5py.Dataset) -> np.dtype[Any]:
    """Return a dataset's type; that of Python objects if NumPy has none, as for times."""
    try:
        dtype: np.dtype[Any] = dataset.dtype
    except (TypeError, ValueError):
        dtype = np.dtype(object)
    return dtype


def _of_group(source: str, group: h5py.Group, request: Request) -> tuple[tuple[str, ...], list[str], tuple[str, ...]]:
    """Return the columns, all columns, and warnings about those that are left out."""
    columns = {key: _linked(group, key) for key in group}
    available = [key for key, item in columns.items() if item is None or _is_column(item)]
    chosen = choose(source, request.columns, available)
    absent = {name: why for name in chosen if (why := _absence(group, columns[name]))}
    present, left_out = keep_present(source, request, chosen, absent)
    others = [name for name in present if not is_number(_dtype(columns[name]))]
    names, warnings = keep_numeric(source, request, present, others)
    lengths = {name: len(columns[name]) for name in names}
    (most, times), *rest = Counter(lengths.values()).most_common()
    if rest and request.columns is None and 2 * times > len(names):
        odd = [f"{name} has {length}" for name, length in lengths.items() if length != most]
        names = tuple(name for name in names if lengths[name] == most)
        warnings += (f"columns that do not have {most} rows, as most do, were left out: {listing(odd)}",)
    elif rest:
        sizes = listing([f"{name} has {length}" for name, length in lengths.items()])
        raise InputError(
            f"{source}: the columns of {group.name} differ in length: {sizes}. Choose columns of the same length with "
            "--columns."
        )
    return names, available, left_out + warnings


def _absence(group: h5py.Group, column: Any) -> str | None:
    if column is None:
        return "a link to another file, or to nothing"
    return absence(group.file, column) if is_number(_dtype(column)) else None


def _linked(group: h5py.Group, key: str) -> Any:
    """Open a member of a group; None if it is a link to another file, or leads nowhere."""
    return None if isinstance(group.get(key, getlink=True), h5py.ExternalLink) else group.get(key)


def _is_column(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and item.ndim == 1


def _of_dataset(
    source: str, dataset: h5py.Dataset, request: Request
) -> tuple[tuple[str, ...], list[str], tuple[str, ...]]:
    """Return the same as `_of_group`."""
    if why := absence(dataset.file, dataset):
        refuse_absent(source, {dataset.name: why})
    if _dtype(dataset).names:
        available = list(dataset.dtype.names)
        chosen = choose(source, request.columns, available)
        others = [name for name in chosen if not is_number(dataset.dtype[name])]
        names, warnings = keep_numeric(source, request, chosen, others)
        return names, available, warnings
    if not is_number(_dtype(dataset)):
        refuse_text(source, [dataset.name])
    if _NAMES not in dataset.attrs:
        raise InputError(f"{source}: the dataset {dataset.name} has no attribute 'names' with the column names.")
    attribute = dataset.attrs.get_id(_NAMES)
    count = math.prod(attribute.shape)
    if count != dataset.shape[1]:
        raise InputError(f"{source}: {dataset.name} has {dataset.shape[1]} columns and {count} names.")
    if attribute.get_type().get_class() != h5t.STRING or attribute.get_type().is_variable_str():
        check_heaps(Path(source))
    labels = np.atleast_1d(dataset.attrs[_NAMES]).tolist()
    available = [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    return choose(source, request.columns, available), available, ()


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Start an HDF5 file with the input's compression; the first block creates its chunked datasets."""
    kind, stored = target.layout["kind"], [numeric(name) for name in target.layout["stored"]]
    if kind not in ("matrix", "compound", "group") or len(stored) != len(target.names):
        raise ValueError(f"kind {kind!r}, {len(stored)} types for {len(target.names)} columns")
    # The oldest format, HDF5's default, has no room for many names.
    version = "v108" if len(target.names) > _MANY_NAMES else None
    file = stack.enter_context(h5py.File(path, "w", libver=version, rdcc_nbytes=_CACHE_BYTES, track_order=True))
    datasets: list[h5py.Dataset] = []

    def write(block: Block) -> None:
        arrays = block.native(target.names, [dtype.name for dtype in stored])
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
    """Create datasets without rows, in chunks of at most `rows`, the size of the first block."""
    layout, names = target.layout, target.names
    filters = {key: layout[key] for key in ("compression", "compression_opts", "shuffle")}
    filters["fletcher32"] = bool(layout.get("fletcher32"))

    def create(parent: h5py.Group, path: str, width: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
        fit = _CHUNK_BYTES // (dtype.itemsize * (width[0] if width else 1))
        chunks = (max(1, min(rows, fit)), *width)
        return parent.create_dataset(path, (0, *width), dtype, maxshape=(None, *width), chunks=chunks, **filters)

    path = str(layout["path"])
    if layout["kind"] == "group":
        # The file itself is also a group. Both keep the columns' order.
        group = file.create_group(path, track_order=True) if path.strip("/") else file
        return [create(group, name, (), dtype) for name, dtype in zip(names, stored, strict=True)]
    if layout["kind"] == "compound":
        return [create(file, path, (), np.dtype(list(zip(names, stored, strict=True))))]
    dataset = create(file, path, (len(names),), stored[0])
    dataset.attrs[_NAMES] = list(names)
    return [dataset]


def _arranged(kind: str, names: tuple[str, ...], arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Arrange a block's columns as one array per dataset."""
    if kind == "group":
        return arrays
    if kind == "matrix":
        return [np.stack(arrays, axis=1)]
    records = np.empty(len(arrays[0]), [(name, array.dtype) for name, array in zip(names, arrays, strict=True)])
    for name, array in zip(names, arrays, strict=True):
        records[name] = array
    return [records]
