"""Delimited text, read row by row, with cells by column name."""

import csv
from collections.abc import Iterator
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.files import check_distinct
from baler_energy.foreign.rows import Cells

__all__ = ["header", "records"]


def header(text: str, delimiter: str) -> list[str]:
    """Column names in the first line of `text`."""
    first = text.split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    except csv.Error:  # a cell exceeds csv's limit: not a table of any tool
        return []


def records(text: str, path: Path, delimiter: str = ",") -> Iterator[Cells]:
    """Yield the rows below the header. Row numbers are line numbers of the file; the header is row 1.

    Raises
    ------
    InputError
        A row has fewer or more cells than the header, two columns have the same name, or there are no rows.
    """
    names = header(text, delimiter)
    check_distinct(path, filter(None, names))
    reader = csv.reader(text.split("\n"), delimiter=delimiter)
    next(reader, None)
    empty = True
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise InputError(
                f"{path}, row {reader.line_num}: has {len(cells)} cells where the header has {len(names)}. "
                "Remove the row, or export the file again."
            )
        empty = False
        yield Cells(path, reader.line_num, dict(zip(names, cells, strict=True)))
    if empty:
        raise InputError(f"{path}: has a header and no rows. Run the tool to its end, or leave the file out.")
