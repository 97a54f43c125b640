"""Baler's npz files: an array ``data`` (rows, columns) and an array ``names``."""

from pathlib import Path

from baler_energy.data.readers.base import Columns, Request, choose, integral_dtype, reading, refuse_text
from baler_energy.errors import InputError
from baler_energy.files import read_npz

__all__ = ["read"]


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
    if data.ndim != 2 or labels.ndim != 1 or data.shape[1] != len(labels):
        raise InputError(
            f"{source}: 'data' has shape {data.shape} and 'names' {labels.shape}; "
            "a table (rows, columns) and a name for each column are needed."
        )
    if data.dtype.kind not in "fiub":
        refuse_text(source, ["'data'"])
    available = [name.decode() if isinstance(name, bytes) else str(name) for name in labels.tolist()]
    names = choose(source, request.columns, available)
    columns = tuple(data[:, available.index(name)] for name in names)
    others = sorted(set(arrays) - {"data", "names"})
    unused = f"arrays {', '.join(others)}" if others else None
    if len(names) < len(available):
        unused = "columns that were not taken"
    return Columns(names, columns, tuple(integral_dtype(column) for column in columns), unused)
