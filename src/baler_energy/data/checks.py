"""What a table must not contain (errors) or should not contain (warnings)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.errors import InputError
from baler_energy.formats.reading import listing

__all__ = ["FiniteCheck", "check_columns", "check_rows", "find_oddities"]

#: A single row has no range to scale by.
_MIN_ROWS = 2
#: A float64 of this size or more may be another integer, rounded.
_ROUNDED = 2.0**53


class FiniteCheck:
    """Looks for NaN and infinity in all rows of a table, including rows that are not selected.

    Parameters
    ----------
    names
        Names of the columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._rows = 0
        self._bad = np.zeros(len(names), np.int64)
        self._first: dict[int, str] = {}

    def look(self, data: NDArray[np.float64], entries: NDArray[np.int64] | None = None) -> None:
        """Check the next rows.

        Parameters
        ----------
        data
            Shape (rows, columns).
        entries
            As in `formats.Block`.
        """
        unfit = ~np.isfinite(data)
        for column in np.flatnonzero(unfit.any(axis=0)):
            row = int(np.argmax(unfit[:, column]))
            what = "NaN" if np.isnan(data[row, column]) else "infinity"
            place = f"row {self._rows + row}" if entries is None else f"event {entries[row]}"
            self._first.setdefault(int(column), f"{what} at {place} (counting from 0)")
        self._bad += unfit.sum(axis=0)
        self._rows += len(data)

    def refuse(self, source: str) -> None:
        """Refuse the table if it contains NaN or infinity.

        Raises
        ------
        InputError
            It does; the message names the file, the first such column, and the first such row in that column.
        """
        if not self._first:
            return
        column = min(self._first)
        raise InputError(
            f"{source}: column {self._names[column]!r} has {self._first[column]}; {self._bad[column]} of {self._rows} "
            "values are NaN or infinite. Remove these rows or leave the column out."
        )


def check_rows(source: str, available: int, rows: int | None) -> int:
    """Return the number of rows to use: `rows`, or all if it is None.

    Raises
    ------
    InputError
        The table is empty or has fewer rows than requested, or fewer than two rows would be used.
    """
    if available == 0:
        raise InputError(f"{source}: the table is empty: it has no rows.")
    wanted = available if rows is None else rows
    if wanted > available:
        raise InputError(f"{source}: has {available} rows, but {wanted} were requested.")
    if wanted < _MIN_ROWS:
        raise InputError(f"{source}: {wanted} row(s) are too few; at least {_MIN_ROWS} are needed.")
    return wanted


def check_columns(source: str, names: Sequence[str], needed: Mapping[str, Sequence[str]]) -> None:
    """Refuse a table without the required columns.

    Parameters
    ----------
    source, names
        Name of the table for messages, and its columns.
    needed
        Required columns, by what requires them, such as a key of the study.

    Raises
    ------
    InputError
        A column is missing; the message names what requires it and lists the table's columns, similar names first.
    """
    for key, columns in needed.items():
        for name in columns:
            if name not in names:
                raise InputError(f"{key}: {source} has no column {name!r}. It has: {listing(names, name)}.")


def find_oddities(data: NDArray[np.float64], names: Sequence[str], integer: NDArray[np.bool_]) -> list[str]:
    """Describe properties that a codec can handle but a user should know about.

    Parameters
    ----------
    data, names, integer
        Values, shape (rows, columns); the columns' names; whether each column contains integers.

    Returns
    -------
    list of str
        A sentence for each problem found: constant columns, duplicate rows, integers of 2^53 or more.
    """
    found = []
    constant = [name for name, still in zip(names, np.ptp(data, axis=0) == 0, strict=True) if still]
    if constant:
        found.append(f"constant columns, whose min-max range is zero: {', '.join(constant)}")
    repeated = int(pd.DataFrame(data).duplicated().sum())
    if repeated:
        found.append(f"{repeated} of {len(data)} rows are exact duplicates of an earlier row")
    large = [name for name, big in zip(names, integer & (np.abs(data).max(axis=0) >= _ROUNDED), strict=True) if big]
    if large:
        found.append(f"integers of 2^53 or more, which float64 may round: {', '.join(large)}")
    return found
