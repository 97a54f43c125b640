"""Baler's npz files: an array ``data`` (rows, columns) and an array ``names``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns, Request, choose, integral_dtype, reading, refuse_text
from baler_energy.errors import InputError
from baler_energy.files import read_npz

__all__ = ["labelled", "read", "unused_arrays"]


def read(source: str, request: Request) -> Columns:
    """Read columns of an npz file as Baler writes it.

    Raises
    ------
    InputError
        The file is damaged, holds Python objects, or its arrays do not fit together.
    """
    with reading(source, "npz file"):
        arrays = read_npz(Path(source), ("data", "names"))
    data, labels = arrays["data"], arrays["names"]
    names, places = labelled(source, data.shape, data.dtype, labels, request)
    columns = tuple(data[:, place] for place in places)
    unused = unused_arrays(arrays, len(names) < len(labels))
    return Columns(names, columns, tuple(integral_dtype(column) for column in columns), unused)


def labelled(
    source: str, shape: tuple[int, ...], dtype: np.dtype[Any], labels: NDArray[Any], request: Request
) -> tuple[tuple[str, ...], list[int]]:
    """Give the wanted names and their columns' places, from the shape and dtype of ``data`` and the array ``names``.

    Raises
    ------
    InputError
        The arrays do not fit together, are no numbers, or lack a name.
    """
    if len(shape) != 2 or labels.ndim != 1 or shape[1] != len(labels):
        raise InputError(
            f"{source}: 'data' has shape {shape} and 'names' {labels.shape}; "
            "a table (rows, columns) and a name for each column are needed."
        )
    if dtype.kind not in "fiub":
        refuse_text(source, ["'data'"])
    available = [name.decode() if isinstance(name, bytes) else str(name) for name in labels.tolist()]
    names = choose(source, request.columns, available)
    return names, [available.index(name) for name in names]


def unused_arrays(arrays: Iterable[str], columns_left: bool) -> str | None:
    """Say what the file holds besides the columns taken, as `Columns.unused`."""
    if columns_left:
        return "columns that were not taken"
    others = sorted(set(arrays) - {"data", "names"})
    return f"arrays {', '.join(others)}" if others else None
