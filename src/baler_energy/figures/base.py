"""Tables of a dataset, figures and tables of the report, and why one is left out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.checked import check_table, read_parquet
from baler_energy.analysis.schema import TABLES, arrow_schema, check_columns
from baler_energy.errors import BalerEnergyError
from baler_energy.figures.selection import at_point, centre_of, datasets_of, notices
from baler_energy.figures.style import styled, title

__all__ = ["Dataset", "FigureSpec", "NoData", "TableSpec", "Tables", "by_dataset", "require_rows", "runs_and_centre"]

#: Tables by their names in the schema.
Tables = Mapping[str, pd.DataFrame]

_AT_CENTRE = ("samples", "errors", "histograms")


class NoData(Exception):  # noqa: N818 - not an error: the figure is left out, with this reason
    """The dataset has no data for a figure; the message is the reason that the report shows."""


def require_rows(reason: str, *tables: pd.DataFrame) -> None:
    """Leave a figure out if a table has no rows.

    Raises
    ------
    NoData
        A table has no rows; the message is `reason`.
    """
    if any(table.empty for table in tables):
        raise NoData(reason)


def runs_and_centre(tables: Tables) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table ``runs`` and the study's centre.

    Raises
    ------
    NoData
        There are no runs.
    """
    runs = tables["runs"]
    require_rows("there are no runs", runs)
    return runs, centre_of(runs)


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the report.

    Parameters
    ----------
    name
        Name of its files.
    title
        Drawn on the figure, and put before its caption.
    caption
        Plain text that is valid reStructuredText.
    function
        Draws the figure without its title; raises `NoData` if it has to be left out.
    by_dataset
        If a study has several datasets, there is a figure for each; otherwise one shows the runs of all.
    """

    name: str
    title: str
    caption: str
    function: Callable[[Tables], Figure]
    by_dataset: bool = True

    def draw(self, tables: Tables, dataset: str = "") -> Figure:
        """Draw the figure in the project's style, with its title, which labels data that are not physics.

        Parameters
        ----------
        tables
            The tables that it shows.
        dataset
            Name of their dataset for the title, if the study has several.

        Raises
        ------
        NoData
            The tables have nothing to show in it.
        """
        with styled():
            figure = self.function(tables)
            said = "; ".join(filter(None, [dataset, *notices(tables["runs"])]))
            title(figure, f"{self.title} ({said})" if said else self.title)
            return figure


def _no_notes(_frame: pd.DataFrame, _tables: Tables) -> list[str]:
    return []


@dataclass(frozen=True)
class TableSpec:
    """A table of the report: a CSV file of numbers in SI units, and a page that shows them as text.

    Parameters
    ----------
    name, title, caption
        As in `FigureSpec`.
    make
        Makes the table of numbers.
    rows
        Writes the first rows as text with units, by heading, up to a number of rows.
    count
        Number of rows on the page, where one row may summarise several of the table.
    notes
        Sentences that depend on the data.
    without_rows
        The reason, if the table has no rows.
    averaged
        Values are means without the flagged runs; the page says how many were excluded.
    by_dataset
        If a study has several datasets, there is a table for each, as it is about the centre; otherwise one has the
        rows of all.
    main
        Headings of the columns that a narrow window shows; it leaves out others, from the right.
    """

    name: str
    title: str
    caption: str
    make: Callable[[Tables], pd.DataFrame]
    rows: Callable[[pd.DataFrame, int], list[dict[str, str]]]
    count: Callable[[pd.DataFrame], int] = len
    notes: Callable[[pd.DataFrame, Tables], list[str]] = _no_notes
    without_rows: str = "The study has no data for it."
    averaged: bool = False
    by_dataset: bool = False
    main: tuple[str, ...] = ()


class Dataset(Tables):
    """Tables of a dataset folder, each read on first access.

    Tables with many rows per run that are only shown at the study's centre (`_AT_CENTRE`) are only read there: the
    other rows may not fit in memory.

    Parameters
    ----------
    folder
        The folder with ``runs.parquet`` and the other tables of the schema.

    Raises
    ------
    InputError
        On access: the table is missing or damaged, or has values that the schema does not allow.
    BalerEnergyError
        On access: its columns are not those of the schema.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in TABLES:
            raise KeyError(name)
        if name not in self._read:
            path = self._folder / f"{name}.parquet"
            table = read_parquet(path, filters=self._filters(name), advice="Run `baler-energy collect` again.")
            try:
                check_columns(name, table.column_names)
            except BalerEnergyError as error:
                raise BalerEnergyError(f"{path}: {error}. Run `baler-energy collect` again.") from error
            check_table(name, table, path)
            schema = arrow_schema(name)
            self._read[name] = table.select(schema.names).cast(schema).to_pandas()
        return self._read[name]

    def _filters(self, name: str) -> list[tuple[str, str, list[str]]] | None:
        from baler_energy.figures.codec_rows import around_centre

        if name not in _AT_CENTRE or self["runs"].empty:
            return None
        found = set[str]()
        for part in by_dataset(self).values():
            own = part["runs"]
            # A figure compares the errors of codecs in each kind of column.
            found |= set((around_centre(own) if name == "errors" else at_point(own, centre_of(own)))["run_id"])
        return [("run_id", "in", sorted(found))]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class _OfDataset(Tables):
    """The tables of one dataset of a study; tables without a column ``dataset`` are those of the study."""

    def __init__(self, tables: Tables, dataset: str) -> None:
        self._tables, self._dataset = tables, dataset
        self._own: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._own:
            table = self._tables[name]
            self._own[name] = table[table["dataset"] == self._dataset] if "dataset" in table else table
        return self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def by_dataset(tables: Tables) -> dict[str, Tables]:
    """Return the tables of each dataset of a study, by its name; of a single one, under an empty name."""
    names = datasets_of(tables["runs"])
    return {name: _OfDataset(tables, name) for name in names} if len(names) > 1 else {"": tables}
