"""Writing the dataset's tables piece by piece, so that memory holds a bounded number of rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Rows that come as dictionaries, kept as an Arrow table."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._new: list[Mapping[str, Any]] = []
        self._pieces: list[pa.Table] = []

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; keys that the schema lacks are left out."""
        self._new += rows
        if len(self._new) >= _DICTIONARY_ROWS:
            self._convert()

    def table(self) -> pa.Table:
        """Give all rows as one table."""
        self._convert()
        return pa.concat_tables(self._pieces) if self._pieces else self._schema.empty_table()

    def _convert(self) -> None:
        if self._new:
            self._pieces.append(pa.Table.from_pylist(self._new, schema=self._schema))
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
        self._name, self._writer = name, writer
        self.schema = arrow_schema(name)
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._dictionaries: list[Mapping[str, Any]] = []

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
        """Add rows, each of which has every column of the schema and no other.

        Raises
        ------
        BalerEnergyError
            They have other columns.
        """
        if rows and not self._dictionaries:
            check_columns(self._name, list(rows[0]))
        self._dictionaries += rows
        if len(self._dictionaries) >= _DICTIONARY_ROWS:
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
        self._wait(pa.Table.from_arrays(columns, schema=self.schema))

    def flush(self) -> None:
        """Write what waits."""
        self._convert()
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=GROUP_ROWS)
        self._waiting, self._waiting_rows = [], 0

    def _convert(self) -> None:
        rows, self._dictionaries = self._dictionaries, []
        if rows:
            self._wait(pa.Table.from_pylist(rows, schema=self.schema))

    def _wait(self, table: pa.Table) -> None:
        self.rows += len(table)
        self._waiting.append(table)
        self._waiting_rows += len(table)
        if self._waiting_rows >= GROUP_ROWS:
            self.flush()
        elif len(self._waiting) >= _PIECES:
            # A table of a few rows takes kilobytes.
            self._waiting = [pa.concat_tables(self._waiting).combine_chunks()]


def scan(paths: Sequence[Path], constants: pa.Table) -> Iterator[pa.Table]:
    """Read many Parquet files of the same columns, in their order, as few large tables.

    Parameters
    ----------
    paths
        The files.
    constants
        A row for each file, whose columns are added to the file's rows.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    first = 0
    for slice_ in _slices(paths):
        yield _read(slice_, constants.slice(first, len(slice_)))
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


def _read(paths: Sequence[Path], constants: pa.Table) -> pa.Table:
    names = [str(path) for path in paths]
    try:
        dataset = ds.dataset(names, format="parquet")
        table = dataset.to_table(columns=[*dataset.schema.names, "__filename"])
    except (OSError, pa.ArrowException):
        # Which of the files it is, in the words of a reader's message.
        for path in paths:
            read_parquet(path)
        raise
    place = pc.index_in(table.column("__filename"), value_set=pa.array(names))
    table = table.drop_columns(["__filename"])
    for name, column in zip(constants.column_names, constants.take(place).columns, strict=True):
        table = table.append_column(name, column)
    return table


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
