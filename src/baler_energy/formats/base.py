"""The block, the source that gives blocks and the sink that takes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.errors import InputError
from baler_energy.formats.origin import file_origin
from baler_energy.formats.reading import Request, reading
from baler_energy.variants import FORMATS

__all__ = ["Block", "Opened", "Sink", "Source", "Target", "UnfitError", "matrix", "native", "spans"]

# Rows that are put together at once: their columns stay in the processor's cache while it is written row by row.
_TILE_ROWS = 2048


@dataclass(frozen=True, eq=False)
class Block:
    """Some consecutive rows of a table.

    Parameters
    ----------
    data
        Shape (rows, columns), float64, C-contiguous; it may be read-only.
    counts
        Shape (events,), int32: how many of these rows each event has, in order (their sum is the number of rows, which
        may be 0), where rows are the objects of jagged branches; None where they are not.
    entries
        Shape (rows,): which entry of the file each row is, where entries were left out; None where none were.
    """

    data: NDArray[np.float64]
    counts: NDArray[np.int32] | None = None
    entries: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Opened:
    """An open file, as the formats' modules give it; `Source` says what the other fields are.

    Parameters
    ----------
    read
        Gives the table in blocks of at most so many rows.
    lost
        Sentences on what a file of this kind would not have again, if it were written from the rows.
    origin
        Of a prepared table, which knows where it comes from.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    rows: int | None
    layout: Mapping[str, Any]
    read: Callable[[int], Iterator[Block]]
    unused: str | None = None
    warnings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    origin: Mapping[str, Any] | None = None


class Source:
    """A table in an open file.

    Parameters
    ----------
    opened
        The file.
    source, request, file_format
        Its path or URL, what to take of it, and its format.
    """

    def __init__(self, opened: Opened, source: str, request: Request, file_format: str) -> None:
        self._opened = opened
        self._source = source
        self._request = request
        self._format = file_format

    @property
    def names(self) -> tuple[str, ...]:
        """A different name for each column."""
        return self._opened.names

    @property
    def dtypes(self) -> tuple[str, ...]:
        """NumPy's name of each column's native type."""
        return self._opened.dtypes

    @property
    def rows(self) -> int | None:
        """Number of rows; None where they have to be counted by reading."""
        return self._opened.rows

    @property
    def unused(self) -> str | None:
        """What the file holds besides these columns, as a phrase; None where they are all of it."""
        return self._opened.unused

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the record."""
        return self._opened.warnings

    @property
    def origin(self) -> Mapping[str, Any]:
        """Where the whole table comes from, as `Table.origin`, and what is lost where it is written again."""
        if self._opened.origin is not None:
            return self._opened.origin
        found = self.origin_of(self.rows, self.rows)
        return found | {"warnings": [*found["warnings"], *self._opened.lost]}

    def origin_of(self, rows: int | None, available: int | None) -> dict[str, Any]:
        """Give `Table.origin` of `rows` rows of the `available` ones; both None where they have to be counted."""
        found = file_origin(
            self._source, self._request, unused=self.unused, warnings=self.warnings, rows=rows, available=available
        )
        return found | {"format": self._format}

    @property
    def layout(self) -> Mapping[str, Any]:
        """JSON-able description of the kind of file, for `open_sink`."""
        return self._opened.layout

    def blocks(self, rows: int) -> Iterator[Block]:
        """Read the table from its beginning.

        Parameters
        ----------
        rows
            Rows of a block at most; a single event may have more. The last block, and any before it, may have fewer.

        Raises
        ------
        InputError
            The file turns out to be damaged, or a value is missing.
        """
        if rows < 1:
            raise ValueError(f"blocks of {rows} rows")
        with reading(self._source, FORMATS[self._format].kind):
            yield from self._opened.read(rows)


@dataclass(frozen=True, eq=False)
class Target:
    """What a sink is to write; `open_sink` says what the fields are."""

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    layout: Mapping[str, Any]
    origin: Mapping[str, Any]


class Sink:
    """A file that is being written.

    Parameters
    ----------
    path, target
        The file as the user knows it, and what it is to be.
    append
        Writes a block to it.
    """

    def __init__(self, path: Path, target: Target, append: Callable[[Block], None]) -> None:
        self._path = path
        self._target = target
        self._append = append

    def write(self, block: Block) -> None:
        """Append rows.

        Raises
        ------
        InputError
            A value does not fit its column's type.
        """
        columns = len(self._target.names)
        if block.data.ndim != 2 or block.data.shape[1] != columns:
            raise ValueError(f"a block of shape {block.data.shape} for {columns} columns")
        try:
            self._append(block)
        except UnfitError as error:
            raise InputError(f"{self._path}: cannot be written: {error}.") from error


class UnfitError(ValueError):
    """A value does not fit its column's type."""


def native(name: str, values: NDArray[np.float64], dtype: str) -> NDArray[Any]:
    """Give a column (rows,) in its native type; raises `UnfitError` where the type does not hold a value."""
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
    kept = np.isinf(cast) <= np.isinf(values) if cast.dtype.kind == "f" else cast == values
    if not np.all(kept):
        worst = values[~kept][0]
        raise UnfitError(f"column {name!r} has the value {float(worst)!r}, which does not fit {dtype}")
    return cast


def matrix(columns: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Put columns, each (rows,), side by side: (rows, columns) float64, C-contiguous."""
    data = np.empty((len(columns[0]), len(columns)))
    for start, stop in spans(len(data), _TILE_ROWS):
        for place, values in enumerate(columns):
            data[start:stop, place] = values[start:stop]
    return data


def spans(rows: int, step: int) -> Iterator[tuple[int, int]]:
    """Give the beginning and end of each piece of at most `step` of `rows` rows."""
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
