"""A block of rows, the source that yields blocks and the sink that writes them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import block_rows, is_url, refusing_damage
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.formats.origin import file_origin
from baler_energy.formats.reading import Request
from baler_energy.variants import FORMATS

__all__ = [
    "Block",
    "Opened",
    "Sink",
    "Source",
    "Target",
    "UnfitError",
    "matrix",
    "native",
    "numeric",
    "rounded",
    "spans",
    "writing",
]

# Rows per tile: their columns fit in the CPU cache while the tile is written row by row.
_TILE_ROWS = 2048
# Integers up to here are exact in float64.
_LARGEST_EXACT = 2**53


@dataclass(frozen=True, eq=False)
class Block:
    """Some consecutive rows of a table.

    Parameters
    ----------
    data
        Shape (rows, columns), float64, C-contiguous; it may be read-only.
    counts
        Shape (events,), int32: rows of each event, in order, if rows are objects of jagged branches; else None. They
        add up to the number of rows, which may be 0.
    entries
        Shape (rows,): entry of the file for each row, if entries were left out; else None.
    wide
        The columns, by position, whose integers `data` has rounded; see `rounded`.
    """

    data: NDArray[np.float64]
    counts: NDArray[np.int32] | None = None
    entries: NDArray[np.int64] | None = None
    wide: Mapping[int, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        columns: Sequence[NDArray[Any]],
        counts: NDArray[np.int32] | None = None,
        entries: NDArray[np.int64] | None = None,
    ) -> Self:
        """Make a block of columns, each (rows,) in its own number type."""
        return cls(matrix(columns), counts, entries, rounded(columns))

    def native(self, names: Sequence[str], dtypes: Sequence[str]) -> list[NDArray[Any]]:
        """Convert the columns to their native types; raises `UnfitError` if a value does not fit."""
        return [
            exact
            if (exact := self.wide.get(place)) is not None and exact.dtype == dtype
            else native(name, self.data[:, place], dtype)
            for place, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
        ]


@dataclass(frozen=True, eq=False)
class Opened:
    """An open file, as the formats' modules return it; see `Source` for the other fields.

    Parameters
    ----------
    read
        Yields the table in blocks of at most this many rows.
    lost
        Sentences on what is lost when a file of this kind is written again from the rows.
    origin
        The origin that a prepared table stores; None for other files.
    count
        Counts the rows by reading as little as possible, up to a number that is enough (None: all); required if `rows`
        is None.
    stored_bytes
        Counts the bytes on disk of the columns, in all rows of the file, or returns why this file does not state them.
        Formats that never do, or columns that hold more than the rows, do not have it.
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
    count: Callable[[int | None], int] | None = None
    stored_bytes: Callable[[], int | str] | None = None


class Source:
    """A table in an open file.

    Parameters
    ----------
    opened
        The file.
    source, request, file_format
        Its path or URL, what to read from it, and its format.
    """

    def __init__(self, opened: Opened, source: str, request: Request, file_format: str) -> None:
        self._opened = opened
        self._source = source
        self._request = request
        self._format = file_format

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, all different."""
        return self._opened.names

    @property
    def dtypes(self) -> tuple[str, ...]:
        """NumPy name of each column's native type."""
        return self._opened.dtypes

    @property
    def rows(self) -> int | None:
        """Number of rows; None if they can only be counted by reading."""
        return self._opened.rows

    def count_rows(self, enough: int | None = None) -> int:
        """Return the number of rows, counted by reading if the file does not state it.

        Parameters
        ----------
        enough
            The count may stop at this number; None: all rows are counted.

        Raises
        ------
        InputError
            The file is damaged.
        """
        if self._opened.rows is not None:
            return self._opened.rows
        assert self._opened.count is not None, "a format that does not state its rows counts them"
        with refusing_damage(self._source, FORMATS[self._format].kind):
            return self._opened.count(enough)

    @property
    def unused(self) -> str | None:
        """What else the file holds apart from these columns, as a phrase; None if nothing."""
        return self._opened.unused

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the record."""
        return self._opened.warnings

    @cached_property
    def origin(self) -> Mapping[str, Any]:
        """`Table.origin` of the whole table; its warnings include what is lost when the file is written again.

        Found once, before the measured window: a format may read in the file for it.
        """
        if self._opened.origin is not None:
            return self._opened.origin
        found = self.origin_of(self.rows, self.rows)
        return found | {"warnings": [*found["warnings"], *self._opened.lost]}

    def origin_of(self, rows: int | None, available: int | None) -> dict[str, Any]:
        """Return `Table.origin` for `rows` of the `available` rows; both None if only reading can count them."""
        is_known = self.unused is None and not is_url(self._source)
        found = file_origin(
            self._source,
            self._request,
            unused=self.unused,
            warnings=self.warnings,
            rows=rows,
            available=available,
            stored_bytes=None if is_known else self._stored_bytes,
        )
        return found | {"format": self._format}

    @cached_property
    def _stored_bytes(self) -> int | str:
        """The bytes on disk of the columns, or why they are unknown; counted once, as the file may be closed later.

        Raises
        ------
        InputError
            The file does not have so many.
        """
        if self._opened.stored_bytes is None:
            return "the size of what was read is not known"
        with refusing_damage(self._source, FORMATS[self._format].kind):
            found = self._opened.stored_bytes()
            if isinstance(found, int) and not is_url(self._source):
                size = Path(self._source).stat().st_size
                if found > size:
                    raise ValueError(f"its columns state {found:,} B, but it has {size:,} B")
        return found

    @property
    def layout(self) -> Mapping[str, Any]:
        """JSON-able description of the kind of file, for `open_sink`."""
        return self._opened.layout

    def blocks(self, rows: int) -> Iterator[Block]:
        """Read the table from its beginning.

        Parameters
        ----------
        rows
            Most rows in a block; a single event may have more. Any block may have fewer, as those of a table with very
            many columns do (`damage.block_rows`).

        Raises
        ------
        InputError
            The file is damaged, has other rows than it states, or a value is missing.
        """
        if rows < 1:
            raise ValueError(f"blocks of {rows} rows")
        stated, found = self._opened.rows, 0
        with refusing_damage(self._source, FORMATS[self._format].kind):
            for block in self._opened.read(min(rows, block_rows(len(self.names)))):
                found += len(block.data)
                yield block
            if stated is not None and found != stated:
                raise InputError(f"is damaged: it should have {stated} rows, but {found} can be read.")


@dataclass(frozen=True, eq=False)
class Target:
    """What a sink writes; see `open_sink` for the fields."""

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    layout: Mapping[str, Any]
    origin: Mapping[str, Any]


class Sink:
    """A file that is being written.

    Parameters
    ----------
    path, target
        Path for messages, and what to write.
    append
        Writes a block to the file.
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
            A value does not fit its column's type, or the block does not fit the layout.
        """
        columns = len(self._target.names)
        if block.data.ndim != 2 or block.data.shape[1] != columns:
            raise ValueError(f"a block of shape {block.data.shape} for {columns} columns")
        with writing(self._path):
            self._append(block)


class UnfitError(ValueError):
    """A value does not fit its column's type."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any exception of a library that cannot write what a compressed file asks for into one message.

    Errors of the file system, such as a full disk, are passed on.
    """
    try:
        yield
    except (BalerEnergyError, MemoryError):
        raise
    except UnfitError as error:
        raise InputError(f"{path}: cannot be written: {error}.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"{path}: cannot be written: its layout is incomplete, or does not fit ({type(error).__name__}: {error})."
        ) from error


def numeric(name: str) -> np.dtype[Any]:
    """Return a number type by its name; raises `ValueError` for other types, such as text and Python objects."""
    dtype = np.dtype(name)
    if dtype.kind not in "fiub":
        raise ValueError(f"{name!r} is not a type of numbers")
    return dtype


def native(name: str, values: NDArray[np.float64], dtype: str) -> NDArray[Any]:
    """Convert a column (rows,) to its native type; raises `UnfitError` if a value does not fit.

    The largest int64 and uint64, which often mark a missing value, are not exact in float64, but come back as such.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
    kept = np.isinf(cast) <= np.isinf(values) if cast.dtype.kind == "f" else cast == values
    if not np.all(kept) and cast.dtype.kind in "iu":
        largest = np.iinfo(cast.dtype).max
        cast[values == float(largest)] = largest
        kept |= values == float(largest)
    if not np.all(kept):
        worst = values[~kept][0]
        raise UnfitError(f"column {name!r} has the value {float(worst)!r}, which does not fit {dtype}")
    return cast


def matrix(columns: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Stack columns, each (rows,), to (rows, columns), float64, C-contiguous."""
    data = np.empty((len(columns[0]), len(columns)))
    for start, stop in spans(len(data), _TILE_ROWS):
        for place, values in enumerate(columns):
            data[start:stop, place] = values[start:stop]
    return data


def rounded(columns: Iterable[NDArray[Any]]) -> dict[int, NDArray[Any]]:
    """Return the columns (rows,), by position, with 64-bit integers beyond 2^53, which float64 cannot distinguish."""
    return {
        place: values.astype(values.dtype.newbyteorder("="), copy=False)
        for place, values in enumerate(columns)
        if values.dtype.kind in "iu" and values.itemsize == 8 and values.size
        if values.max() > _LARGEST_EXACT or values.min() < -_LARGEST_EXACT
    }


def spans(rows: int, step: int) -> Iterator[tuple[int, int]]:
    """Split `rows` rows into pieces of at most `step`; yield start and stop of each."""
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
