"""Writing the dataset's tables piece by piece, so that the number of rows in memory is bounded."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from baler_energy.analysis.checked import check_names, check_table, read_parquet
from baler_energy.analysis.schema import arrow_schema, check_columns
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
from baler_energy.processes import InOrder

__all__ = ["GROUP_ROWS", "Rows", "TableWriter", "read_parquet", "scan"]

#: Rows per row group, and about the largest number of rows of a table in memory.
GROUP_ROWS = 100_000
#: Limits of what is read at once: number of files, and compressed bytes.
_SLICE_FILES, _SLICE_B = 200, 4_000_000
#: A file, and the start of the window that it belongs to.
_File = tuple[Path, datetime | None]
#: Number of waiting tables that are merged into one.
_PIECES = 500
#: Number of waiting dictionaries that are converted to a table.
_DICTIONARY_ROWS = 5_000


class Rows:
    """Rows of a table of the dataset, given as dictionaries or tables and kept as Arrow tables.

    Parameters
    ----------
    name
        A key of `TABLES`.
    columns
        Columns to keep; others are ignored. By default the rows must have exactly the columns of the schema.
    """

    def __init__(self, name: str, columns: Collection[str] | None = None) -> None:
        self._name, self._is_whole = name, columns is None
        schema = arrow_schema(name)
        self.schema = schema if columns is None else pa.schema([field for field in schema if field.name in columns])
        self._pieces: list[pa.Table] = []
        self._rows = 0
        self._start(as_tables=False, own=(), constant=())

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: Sequence[Mapping[str, Any]], /, **constants: Any) -> None:
        """Add rows, with further columns that have the same value in all of them.

        Raises
        ------
        BalerEnergyError
            The columns are not those of the schema.
        """
        if rows:
            self._expect(False, tuple(rows[0]), constants)
            self._new += rows
            self._count(len(rows), constants)

    def add_table(self, table: pa.Table, /, **constants: Any) -> None:
        """Add a table, with further columns that have the same value in all rows; the order does not matter.

        Raises
        ------
        BalerEnergyError
            The columns are not those of the schema.
        """
        self._expect(True, tuple(table.column_names), constants)
        self._new.append(table)
        self._count(len(table), constants)

    def take(self) -> pa.Table:
        """Return all rows as one table, and remove them."""
        self._convert()
        pieces, self._pieces, self._rows = self._pieces, [], 0
        # Merged, because each column of each piece would be a separate object when sent to another process.
        return pa.concat_tables(pieces).combine_chunks() if pieces else self.schema.empty_table()

    def _start(self, as_tables: bool, own: tuple[str, ...], constant: tuple[str, ...]) -> None:
        self._kind = (as_tables, own, constant)
        self._new: list[Any] = []
        self._counts: list[int] = []
        self._constants: list[Mapping[str, Any]] = []

    def _expect(self, as_tables: bool, own: tuple[str, ...], constants: Mapping[str, Any]) -> None:
        """Prepare for rows with these columns; rows with the same columns wait together."""
        kind = (as_tables, own, tuple(constants))
        if kind != self._kind:
            self._convert()
            if self._is_whole:
                check_columns(self._name, [*own, *constants])
            self._start(*kind)

    def _count(self, rows: int, constants: Mapping[str, Any]) -> None:
        self._counts.append(rows)
        self._constants.append(constants)
        self._rows += rows
        if len(self._new) >= (_PIECES if self._kind[0] else _DICTIONARY_ROWS):
            self._convert()

    def _convert(self) -> None:
        """Convert the waiting rows to one table."""
        as_tables, own, constant = self._kind
        if self._new:
            fields = [field for field in self.schema if field.name in own]
            table = _joined(self._new) if as_tables else _from_rows(self._new, pa.schema(fields))
            if constant:
                schema = pa.schema([field for field in self.schema if field.name in constant])
                table = _with_constants(table, self._counts, pa.Table.from_pylist(self._constants, schema))
            columns = [table.column(field.name).cast(field.type) for field in self.schema]
            self._pieces.append(pa.Table.from_arrays(columns, schema=self.schema))
        self._start(*self._kind)


def _from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema)
    except pa.ArrowInvalid:  # a whole number beyond 2^53, such as a count of FLOP, which pyarrow does not round
        floats = [field.name for field in schema if pa.types.is_floating(field.type)]
        rounded = [{name: float(row[name]) for name in floats if row.get(name) is not None} for row in rows]
        return pa.Table.from_pylist([{**row, **own} for row, own in zip(rows, rounded, strict=True)], schema)


class TableWriter:
    """Writes one table of the dataset to a file, in row groups of about `GROUP_ROWS`.

    Parameters
    ----------
    name
        A key of `TABLES`.
    path
        The file, for messages.
    writer
        Writer of the file; `open` makes both.
    """

    def __init__(self, name: str, path: Path, writer: pq.ParquetWriter) -> None:
        self._name, self._path, self._writer = name, path, writer
        self._waiting = Rows(name)
        self.schema = self._waiting.schema
        self.rows = 0

    @classmethod
    @contextmanager
    def open(cls, name: str, path: Path) -> Iterator[Self]:
        """Yield a writer whose complete file appears when the block succeeds."""
        with (
            atomic_path(path) as temporary,
            pq.ParquetWriter(temporary, arrow_schema(name), compression="zstd", write_page_checksum=True) as parquet,
        ):
            writer = cls(name, path, parquet)
            yield writer
            writer.flush()

    def add(self, rows: Sequence[Mapping[str, Any]], /, **constants: Any) -> None:
        """Add rows, as `Rows.add` does."""
        self._waiting.add(rows, **constants)
        self._flush_groups()

    def add_table(self, table: pa.Table, /, **constants: Any) -> None:
        """Add a table, as `Rows.add_table` does."""
        self._waiting.add_table(table, **constants)
        self._flush_groups()

    def flush(self) -> None:
        """Write the waiting rows."""
        self.rows += len(self._waiting)
        table = self._waiting.take()
        if len(table):
            check_table(self._name, table, self._path)
            self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def _flush_groups(self) -> None:
        if len(self._waiting) >= GROUP_ROWS:
            self.flush()


def scan(
    paths: Sequence[Path],
    constants: pa.Table,
    *,
    in_order: InOrder = map,
    table: str | None = None,
    window_starts: Sequence[datetime] | None = None,
) -> Iterator[pa.Table]:
    """Read many Parquet files with the same columns, in order, and yield a few large tables.

    Parameters
    ----------
    paths
        The files.
    constants
        A row for each file, whose columns are added to the file's rows.
    in_order
        A `map`, which may read several pieces at a time (`baler_energy.processes.mapping`).
    table
        A key of `TABLES`, whose columns the files must have, apart from the constants; None: any columns.
    window_starts
        Start of the measured window that each file belongs to, in UTC; None: any.

    Raises
    ------
    InputError
        A file is missing or damaged, has values that the schema does not allow, or belongs to another run.
    """
    first = 0
    starts = repeat(None, len(paths)) if window_starts is None else window_starts
    slices = list(_slices(list(zip(paths, starts, strict=True))))
    read = partial(_read, table, frozenset(constants.column_names))
    for slice_, (rows, counts) in zip(slices, in_order(read, slices), strict=True):
        yield _with_constants(rows, counts, constants.slice(first, len(slice_)))
        first += len(slice_)


def _slices(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Divide a list of files into pieces of bounded size."""
    slice_: list[_File] = []
    size_b = 0
    for file in files:
        slice_.append(file)
        # A missing file is reported when it is read.
        with suppress(FileNotFoundError):
            size_b += file[0].stat().st_size
        if len(slice_) == _SLICE_FILES or size_b >= _SLICE_B:
            yield slice_
            slice_, size_b = [], 0
    if slice_:
        yield slice_


def _read(name: str | None, elsewhere: Collection[str], files: Sequence[_File]) -> tuple[pa.Table, list[int]]:
    """Read files as one table; return it with the number of rows of each file."""
    tables = [read_parquet(path, window_start=start) for path, start in files]
    if name is not None:
        _check(name, elsewhere, [path for path, _ in files], tables)
    return _joined(tables), [len(table) for table in tables]


def _check(name: str, elsewhere: Collection[str], paths: Sequence[Path], tables: Sequence[pa.Table]) -> None:
    """Check tables against the schema: the names in each, and the values in all at once, which is faster."""
    for path, table in zip(paths, tables, strict=True):
        check_names(name, table, path, elsewhere)
    try:
        check_table(name, _joined(tables), paths[0], elsewhere)
    except (InputError, pa.ArrowException):
        for path, table in zip(paths, tables, strict=True):
            check_table(name, table, path, elsewhere)
        raise


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Merge tables into one contiguous table: small ones take kilobytes each. A column of nulls may have no type."""
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


def _with_constants(table: pa.Table, counts: Sequence[int], constants: pa.Table) -> pa.Table:
    """Add columns to a table: row n of `constants` is repeated for the next ``counts[n]`` rows."""
    place = pa.array(np.repeat(np.arange(len(counts)), counts))
    for name, column in zip(constants.column_names, constants.columns, strict=True):
        table = table.append_column(name, column.take(place))
    return table
