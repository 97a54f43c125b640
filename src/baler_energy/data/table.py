"""The prepared table: what every later stage reads."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.errors import InputError
from baler_energy.files import read_npz, write_npz

__all__ = ["TABLE_ARRAYS", "Table", "annotations"]

#: Arrays in the file of a table.
TABLE_ARRAYS = ("data", "names", "dtypes", "origin")
#: Types of what is known of an origin.
_ORIGIN: Mapping[str, Any] = {
    "source": str,
    "label": str,
    "source_bytes": int | None,
    "source_bytes_reason": str | None,
    "warnings": list,
}


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and named columns of numbers, with their origin.

    Parameters
    ----------
    data
        Shape (rows, columns), float64, C-contiguous.
    names
        Name of each column, all different.
    dtypes
        NumPy name of each column's dtype in its source, such as ``float32`` or ``int32``.
    origin
        JSON-able record of the source. ``source`` is ``pythia8``, ``toy`` or ``file``; ``label`` is its name in
        figures; ``source_bytes`` is the size of these rows in the source file as stored on disk, or null with
        ``source_bytes_reason``; ``warnings`` is a list of sentences.
    """

    data: NDArray[np.float64]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or self.data.dtype != np.float64 or not self.data.flags.c_contiguous:
            raise ValueError(f"data must be 2-D C-contiguous float64, not {self.data.ndim}-D {self.data.dtype}")
        if not len(self.names) == len(self.dtypes) == self.data.shape[1]:
            raise ValueError(f"{self.data.shape[1]} columns, {len(self.names)} names and {len(self.dtypes)} dtypes")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two columns have the same name")
        for name in self.dtypes:
            if np.dtype(name).kind not in "fiub":
                raise ValueError(f"{name!r} is not a numeric dtype")

    @property
    def integer(self) -> NDArray[np.bool_]:
        """Shape (columns,): whether the column contains integers (or booleans) in its source."""
        return np.array([np.dtype(name).kind in "iub" for name in self.dtypes], dtype=np.bool_)

    @property
    def native_bytes(self) -> int:
        """Size of the rows in their native dtypes, uncompressed, in bytes."""
        return int(self.data.shape[0]) * sum(np.dtype(name).itemsize for name in self.dtypes)

    def words(self, path: Path) -> str:
        """Describe the table, which is in the file `path`, in a line."""
        rows, columns = self.data.shape
        of = f" of {self.origin['label']}" if "label" in self.origin else ""
        return f"{path}: {rows:,} rows, {columns} columns{of}, {self.native_bytes:,} B in their own number types"

    def first(self, rows: int | None) -> Self:
        """Return a table of the first rows (None: all), which shares its memory."""
        return type(self)(self.data[:rows], self.names, self.dtypes, self.origin)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a table written by `write`.

        Raises
        ------
        InputError
            The file is missing, damaged or not a prepared table (such as an npz file of Baler, which ``prepare``
            reads).
        """
        return cls.of(path, read_npz(path))

    @classmethod
    def of(cls, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make a table from the arrays of the file `path`; raises `InputError` if they are not a prepared table."""
        missing = [name for name in TABLE_ARRAYS if name not in arrays]
        if missing:
            raise InputError(
                f"{path}: is not a prepared table (missing: {', '.join(missing)}). Create one with `baler-energy "
                "prepare`."
            )
        try:
            columns = arrays["data"].shape[1:]
            if 0 in columns:  # rows without columns take no bytes, so that there may be any number
                raise ValueError("it has no columns")
            if not arrays["names"].shape == arrays["dtypes"].shape == columns:
                raise ValueError(f"names {arrays['names'].shape} and dtypes {arrays['dtypes'].shape} for {columns}")
            names, dtypes = (tuple(str(value) for value in arrays[key]) for key in ("names", "dtypes"))
            origin = json.loads(str(arrays["origin"]))
            _check_origin(origin)
            return cls(arrays["data"], names, dtypes, origin)
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: is not a complete prepared table: {error}. Prepare it again.") from error

    def write(self, path: Path) -> None:
        """Write to an uncompressed npz file, whole or not at all."""
        write_npz(path, {"data": self.data, **annotations(self.names, self.dtypes, self.origin)})


def _check_origin(origin: Any) -> None:
    """Raise `ValueError` if what is known of an origin has another type than `Table` states."""
    if not isinstance(origin, dict):
        raise ValueError("its origin is not a mapping")
    for key, kind in _ORIGIN.items():
        if key in origin and not isinstance(origin[key], kind):
            raise ValueError(f"its origin has {key} {origin[key]!r}")


def annotations(names: Sequence[str], dtypes: Sequence[str], origin: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the arrays other than ``data`` in the file of a table, in order."""
    return {
        "names": np.array(names, dtype=np.str_),
        "dtypes": np.array(dtypes, dtype=np.str_),
        "origin": np.array(json.dumps(dict(origin), allow_nan=False)),
    }
