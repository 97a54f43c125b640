"""Writing the dataset's tables piece by piece, so that memory holds a bounded number of rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from baler_energy.analysis.schema import arrow_schema, check_columns
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
from baler_energy.processes import InOrder

__all__ = ["GROUP_ROWS", "Rows", "TableWriter", "read_parquet", "scan"]

#: Rows of a row group, and of what memory holds of a table.
GROUP_ROWS = 100_000
#: Files that are read at once: so many, or so many bytes (compressed).
_SLICE_FILES, _SLICE_B = 200, 4_000_000
#: Pieces of a table that wait, before they become one.
_PIECES = 500
#: Rows that are dictionaries, before they become a piece of a table.
_DICTIONARY_ROWS = 5_000


class Rows:
    """Rows of a table of the dataset, which come as dictionaries or as tables and are kept as Arrow tables.

    Parameters
    ----------
    name
        A key of `TABLES`.
    columns
        Those to keep, whatever else the rows have. By default the rows have to have all of the schema and no other.
    """

    def __init__(self, name: str, columns: Collection[str] | None = None) -> None:
        self._name, self._is_whole = name, columns is None
        schema = arrow_schema(name)
        self.schema = schema if columns is None else pa.schema([field for field in schema if field.name in columns])
        self._new: list[Mapping[str, Any]] = []
        self._pieces: list[pa.Table] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows.

        Raises
        ------
        BalerEnergyError
            They have other columns.
        """
        if rows and self._is_whole and not self._new:
            check_columns(self._name, list(rows[0]))
        self._new += rows
        self._rows += len(rows)
        if len(self._new) >= _DICTIONARY_ROWS:
            self._convert()

    def add_table(self, table: pa.Table, **constants: Any) -> None:
        """Add a table, with columns that have one value; the order of columns does not matter.

        Raises
        ------
        BalerEnergyError
            They are not the schema's columns.
        """
        self._convert()
        check_columns(self._name, [*table.column_names, *constants])
        columns = [
            pa.repeat(pa.scalar(constants[field.name], field.type), len(table))
            if field.name in constants
            else table.column(field.name).cast(field.type)
            for field in self.schema
        ]
        self._pieces.append(pa.Table.from_arrays(columns, schema=self.schema))
        self._rows += len(table)
        if len(self._pieces) >= _PIECES:
            # A table of a few rows takes kilobytes.
            self._pieces = [pa.concat_tables(self._pieces).combine_chunks()]

    def take(self) -> pa.Table:
        """Give all rows as one table, and keep none."""
        self._convert()
        pieces, self._pieces, self._rows = self._pieces, [], 0
        # In one piece: each column of each piece is an object of its own on the way to another process.
        return pa.concat_tables(pieces).combine_chunks() if pieces else self.schema.empty_table()

    def _convert(self) -> None:
        if self._new:
            self._pieces.append(pa.Table.from_pylist(self._new, schema=self.schema))
            self._new = []


class TableWriter:
    """Writes one table of the dataset to a file, in row groups of about `GROUP_ROWS`.

    Parameters
    ----------
    name
        A key of `TABLES`.
    writer
        Of the file; `open` makes both.
    """

    def __init__(self, name: str, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting = Rows(name)
        self.schema = self._waiting.schema
        self.rows = 0

    @classmethod
    @contextmanager
    def open(cls, name: str, path: Path) -> Iterator[Self]:
        """Give a writer whose file is there, whole, when the block ends well."""
        with (
            atomic_path(path) as temporary,
            pq.ParquetWriter(temporary, arrow_schema(name), compression="zstd") as parquet,
        ):
            writer = cls(name, parquet)
            yield writer
            writer.flush()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, as `Rows.add` does."""
        self._waiting.add(rows)
        self._flush_groups()

    def add_table(self, table: pa.Table, **constants: Any) -> None:
        """Add a table, as `Rows.add_table` does."""
        self._waiting.add_table(table, **constants)
        self._flush_groups()

    def flush(self) -> None:
        """Write what waits."""
        self.rows += len(self._waiting)
        table = self._waiting.take()
        if len(table):
            self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def _flush_groups(self) -> None:
        if len(self._waiting) >= GROUP_ROWS:
            self.flush()


def scan(paths: Sequence[Path], constants: pa.Table, *, in_order: InOrder = map) -> Iterator[pa.Table]:
    """Read many Parquet files of the same columns, in their order, as few large tables.

    Parameters
    ----------
    paths
        The files.
    constants
        A row for each file, whose columns are added to the file's rows.
    in_order
        Reads one piece after the other, or several at a time (`baler_energy.processes.mapping`).

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    first = 0
    slices = list(_slices(paths))
    for slice_, (table, place) in zip(slices, in_order(_read, slices), strict=True):
        for name, column in zip(constants.column_names, constants.slice(first, len(slice_)).columns, strict=True):
            table = table.append_column(name, column.take(place))
        yield table
        first += len(slice_)


def _slices(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Cut a list of files into pieces of bounded size."""
    slice_: list[Path] = []
    size_b = 0
    for path in paths:
        slice_.append(path)
        # One that is missing is told when it is read.
        size_b += path.stat().st_size if path.exists() else 0
        if len(slice_) == _SLICE_FILES or size_b >= _SLICE_B:
            yield slice_
            slice_, size_b = [], 0
    if slice_:
        yield slice_


def _read(paths: Sequence[Path]) -> tuple[pa.Table, pa.ChunkedArray]:
    """Read files as one table; give it with the place of each row's file among them."""
    names = [str(path) for path in paths]
    try:
        dataset = ds.dataset(names, format="parquet")
        table = dataset.to_table(columns=[*dataset.schema.names, "__filename"]).combine_chunks()
    except (OSError, pa.ArrowException):
        # Which of the files it is, in the words of a reader's message.
        for path in paths:
            read_parquet(path)
        raise
    place = pc.index_in(table.column("__filename"), value_set=pa.array(names))
    return table.drop_columns(["__filename"]), place


def read_parquet(path: Path) -> pa.Table:
    """Read a Parquet file.

    Raises
    ------
    InputError
        It is missing or damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: cannot be read as Parquet ({error}). Delete its run's folder and run again."
        ) from error
