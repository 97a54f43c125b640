"""HDF5 files: a 2-D dataset with names, a compound dataset, or a group of 1-D datasets."""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns, Request, choose, integral_dtype, listing, reading, refuse_text
from baler_energy.errors import InputError

__all__ = ["read"]

_NAMES = "names"


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
        item = _table(source, file, request.tree)
        if isinstance(item, h5py.Group):
            names, arrays, available = _from_group(source, item, request)
            taken = [item[name].name for name in names]
        else:
            names, arrays, available = _from_dataset(source, item, request)
            taken = [item.name]
        unused = "columns that were not taken" if len(names) < len(available) else None
        others = [dataset.name for dataset in _datasets(file) if dataset.name not in taken]
        if others and unused is None:
            unused = f"datasets besides the one taken ({listing(others)})"
    uniform = isinstance(item, h5py.Dataset) and len({array.dtype for array in arrays}) == 1
    dtypes = tuple(integral_dtype(array) if uniform else array.dtype.name for array in arrays)
    return Columns(names, arrays, dtypes, unused)


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


def _from_group(
    source: str, group: h5py.Group, request: Request
) -> tuple[tuple[str, ...], tuple[NDArray[Any], ...], list[str]]:
    available = [key for key, item in group.items() if isinstance(item, h5py.Dataset) and item.ndim == 1]
    names = choose(source, request.columns, available)
    refuse_text(source, [name for name in names if group[name].dtype.kind not in "fiub"])
    lengths = {name: len(group[name]) for name in names}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(f"{source}: the columns of {group.name} differ in length: {sizes}. Choose with --columns.")
    return names, tuple(group[name][()] for name in names), available


def _from_dataset(
    source: str, dataset: h5py.Dataset, request: Request
) -> tuple[tuple[str, ...], tuple[NDArray[Any], ...], list[str]]:
    if dataset.dtype.names:
        available = list(dataset.dtype.names)
        names = choose(source, request.columns, available)
        refuse_text(source, [name for name in names if dataset.dtype[name].kind not in "fiub"])
        rows = dataset[()]
        return names, tuple(np.ascontiguousarray(rows[name]) for name in names), available
    if dataset.dtype.kind not in "fiub":
        refuse_text(source, [dataset.name])
    if _NAMES not in dataset.attrs:
        raise InputError(f"{source}: the dataset {dataset.name} has no attribute 'names' that names its columns.")
    labels = np.atleast_1d(dataset.attrs[_NAMES]).tolist()
    available = [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    if len(available) != dataset.shape[1]:
        raise InputError(f"{source}: {dataset.name} has {dataset.shape[1]} columns and {len(available)} names.")
    names = choose(source, request.columns, available)
    data = dataset[()]
    return names, tuple(data[:, available.index(name)] for name in names), available
