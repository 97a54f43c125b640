"""The tables of a dataset, what a figure is, and why one is left out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.schema import TABLES, check_columns
from baler_energy.errors import InputError
from baler_energy.figures.catalogue import CATALOGUE
from baler_energy.figures.style import styled, title

__all__ = ["Dataset", "Draw", "FigureSpec", "NoData", "Tables", "specs"]

#: Tables by their names in the schema.
Tables = Mapping[str, pd.DataFrame]
Draw = Callable[[Tables], Figure]


_AT_REFERENCE = ("samples", "errors", "histograms")


class NoData(Exception):  # noqa: N818 - not an error: the figure is left out, with this reason
    """The data of this machine has nothing for a figure; the message is the reason, for the report."""


@dataclass(frozen=True)
class FigureSpec:
    """A figure: its name (of the files), its words, and the function that draws it from the tables."""

    name: str
    title: str
    caption: str
    draw: Draw


class Dataset(Tables):
    """Tables of a dataset folder, each read when it is first asked for.

    Of the tables that have many rows for a run and are shown at the reference point only (`_AT_REFERENCE`), the rows of
    that point are read: the others may be more than memory holds.

    Parameters
    ----------
    folder
        The folder with ``runs.parquet`` and the other tables of the schema.

    Raises
    ------
    InputError
        On access: the table is missing or not Parquet.
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
            try:
                table = pd.read_parquet(path, filters=self._filters(name))
            except FileNotFoundError as error:
                raise InputError(f"{path}: there is no such file; run `baler-energy collect` first.") from error
            except ValueError as error:  # pyarrow's ArrowInvalid is one
                raise InputError(f"{path}: is not a Parquet file ({error}). Delete it and collect again.") from error
            check_columns(name, list(table.columns))
            self._read[name] = table
        return self._read[name]

    def _filters(self, name: str) -> list[tuple[str, str, list[str]]] | None:
        from baler_energy.figures.selection import at_point, reference_point

        if name not in _AT_REFERENCE or self["runs"].empty:
            return None
        shown = at_point(self["runs"], reference_point(self["runs"]))
        return [("run_id", "in", sorted(shown["run_id"].unique()))]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


def specs(chapter: str, draws: Mapping[str, Draw]) -> tuple[FigureSpec, ...]:
    """Join a chapter's drawing functions with their words in the catalogue.

    Each is put in the style, and labels toy data as such.

    Raises
    ------
    ValueError
        The names differ from the catalogue's.
    """
    entries = CATALOGUE[chapter]
    if set(draws) != set(entries):
        raise ValueError(f"{chapter}: functions for {sorted(draws)}, words for {sorted(entries)}")
    return tuple(FigureSpec(name, e.title, e.caption, _in_style(draws[name])) for name, e in entries.items())


def _in_style(draw: Draw) -> Draw:
    @wraps(draw)
    def drawn(tables: Tables) -> Figure:
        with styled():
            figure = draw(tables)
            if (tables["runs"]["source"] == "toy").any():
                head, *lines = figure.get_suptitle().split("\n")
                title(figure, f"{head} (toy data, not physics)", *lines)
            return figure

    return drawn
