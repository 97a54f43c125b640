"""HDF5 files: a 2-D dataset with names, a compound dataset, or a group of 1-D datasets."""

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns, Request, choose, integral_dtypes, listing, reading, refuse_text
from baler_energy.errors import InputError

__all__ = ["Selection", "read", "select"]

_NAMES = "names"


@dataclass(frozen=True, eq=False)
class Selection:
    """Columns of a table in an open file.

    Parameters
    ----------
    item
        The dataset, or the group of 1-D datasets.
    names, available
        Columns taken, and all that there are.
    unused
        As `Columns.unused`.
    """

    item: h5py.Dataset | h5py.Group
    names: tuple[str, ...]
    available: tuple[str, ...]
    unused: str | None

    @property
    def kind(self) -> str:
        """One of ``group``, ``compound`` and ``matrix``."""
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
        return tuple(data[:, self.available.index(name)] for name in self.names)

    def integral(self) -> bool:
        """Whether the types of the columns have to be told from their values (`integral_dtype`)."""
        return self.kind != "group" and len(set(self.stored)) == 1


def read(source: str, request: Request) -> Columns:
    """Read columns of an HDF5 file.

    Three layouts are understood: a 2-D dataset whose attribute ``names`` names its columns, a 1-D dataset of a
    compound dtype, and a group (or the file itself) that holds 1-D datasets of equal length.

    Raises
    ------
    InputError
        The file is damaged, holds no table or several, or a column is missing or not numeric.
    """
    with reading(source, "HDF5 file"), h5py.File(source, "r") as file:
        table = select(source, file, request)
        arrays = table.columns(slice(None))
        stored = table.stored
        dtypes = integral_dtypes(stored, [arrays]) if table.integral() else tuple(dtype.name for dtype in stored)
    return Columns(table.names, arrays, dtypes, table.unused)


def select(source: str, file: h5py.File, request: Request) -> Selection:
    """Find the wanted columns in an open file.

    Raises
    ------
    InputError
        There is no table or several, or a column is missing or not numeric.
    """
    item = _table(source, file, request.tree)
    names, available = (_of_group if isinstance(item, h5py.Group) else _of_dataset)(source, item, request)
    unused = "columns that were not taken" if len(names) < len(available) else None
    taken = [item[name].name for name in names] if isinstance(item, h5py.Group) else [item.name]
    others = [dataset.name for dataset in _datasets(file) if dataset.name not in taken]
    if others and unused is None:
        unused = f"datasets besides the one taken ({listing(others)})"
    return Selection(item, names, tuple(available), unused)


def _datasets(group: h5py.Group) -> list[h5py.Dataset]:
    found: list[h5py.Dataset] = []
    group.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _table(source: str, file: h5py.File, wanted: str | None) -> h5py.Dataset | h5py.Group:
    """Give the dataset or group that holds the table."""
    tables: dict[str, h5py.Dataset | h5py.Group] = {}
    for dataset in _datasets(file):
        if dataset.ndim == 2 or (dataset.ndim == 1 and dataset.dtype.names):
            tables[dataset.name] = dataset
        elif dataset.ndim == 1:
            tables[dataset.parent.name] = dataset.parent
    if wanted is not None:
        path = "/" + wanted.strip("/")
        if path not in tables:
            raise InputError(f"{source}: has no table {wanted!r}. It has: {listing(list(tables), path)}.")
        return tables[path]
    if len(tables) == 1:
        return next(iter(tables.values()))
    if not tables:
        raise InputError(f"{source}: holds no table: neither a 2-D or compound dataset nor a group of 1-D datasets.")
    raise InputError(f"{source}: holds several tables: {listing(list(tables))}. Choose one with --tree.")


def _of_group(source: str, group: h5py.Group, request: Request) -> tuple[tuple[str, ...], list[str]]:
    available = [key for key, item in group.items() if isinstance(item, h5py.Dataset) and item.ndim == 1]
    names = choose(source, request.columns, available)
    refuse_text(source, [name for name in names if group[name].dtype.kind not in "fiub"])
    lengths = {name: len(group[name]) for name in names}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(f"{source}: the columns of {group.name} differ in length: {sizes}. Choose with --columns.")
    return names, available


def _of_dataset(source: str, dataset: h5py.Dataset, request: Request) -> tuple[tuple[str, ...], list[str]]:
    if dataset.dtype.names:
        available = list(dataset.dtype.names)
        names = choose(source, request.columns, available)
        refuse_text(source, [name for name in names if dataset.dtype[name].kind not in "fiub"])
        return names, available
    if dataset.dtype.kind not in "fiub":
        refuse_text(source, [dataset.name])
    if _NAMES not in dataset.attrs:
        raise InputError(f"{source}: the dataset {dataset.name} has no attribute 'names' that names its columns.")
    labels = np.atleast_1d(dataset.attrs[_NAMES]).tolist()
    available = [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    if len(available) != dataset.shape[1]:
        raise InputError(f"{source}: {dataset.name} has {dataset.shape[1]} columns and {len(available)} names.")
    return choose(source, request.columns, available), available
