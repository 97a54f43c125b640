"""What a table must not have (errors) and had better not have (warnings)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns
from baler_energy.errors import InputError

__all__ = ["MIN_ROWS", "check_finite", "check_rows", "find_oddities"]

#: A single row has no range to scale by.
MIN_ROWS = 2

_EXACT_INTEGERS = 2.0**53


def check_finite(source: str, columns: Columns) -> None:
    """Refuse NaN and infinity anywhere in the file's columns, also in rows that would not be selected.

    Raises
    ------
    InputError
        There is one; the message names the file, the column and the first such row of the file.
    """
    for name, values in zip(columns.names, columns.arrays, strict=True):
        if values.dtype.kind != "f":
            continue
        bad = np.flatnonzero(~np.isfinite(values))
        if not len(bad):
            continue
        first = int(bad[0])
        what = "NaN" if np.isnan(values[first]) else "infinity"
        place = f"row {first}" if columns.entries is None else f"event {columns.entries[first]}"
        raise InputError(
            f"{source}: column {name!r} has {what} at {place} (counting from 0); {len(bad)} of {len(values)} values "
            "are NaN or infinite. Remove these rows or leave the column out."
        )


def check_rows(source: str, available: int, rows: int | None) -> int:
    """Give the number of rows to take, `rows` or, where None, all.

    Raises
    ------
    InputError
        There are none, or fewer than asked for, or fewer than two.
    """
    if available == 0:
        raise InputError(f"{source}: the table is empty: it has no rows.")
    wanted = available if rows is None else rows
    if wanted > available:
        raise InputError(f"{source}: has {available} rows, but {wanted} were asked for.")
    if wanted < MIN_ROWS:
        raise InputError(f"{source}: {wanted} row(s) are too few; at least {MIN_ROWS} are needed.")
    return wanted


def find_oddities(data: NDArray[np.float64], names: Sequence[str], integer: NDArray[np.bool_]) -> list[str]:
    """Describe what a codec can handle but its user should know.

    Parameters
    ----------
    data, names, integer
        Shape (rows, columns), the columns' names, and which hold integers.

    Returns
    -------
    list of str
        A sentence each on constant columns, on rows that repeat an earlier one, and on integers beyond 2^53.
    """
    found = []
    constant = [name for name, still in zip(names, np.ptp(data, axis=0) == 0, strict=True) if still]
    if constant:
        found.append(f"constant columns, whose min-max range is zero: {', '.join(constant)}")
    repeated = int(pd.DataFrame(data).duplicated().sum())
    if repeated:
        found.append(f"{repeated} of {len(data)} rows are exact duplicates of an earlier row")
    large = [
        name for name, big in zip(names, integer & (np.abs(data).max(axis=0) > _EXACT_INTEGERS), strict=True) if big
    ]
    if large:
        found.append(f"integers beyond 2^53, which float64 rounds: {', '.join(large)}")
    return found
