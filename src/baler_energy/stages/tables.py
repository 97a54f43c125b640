"""Stage ``tables``: the report's tables, as CSV and HTML."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.errors import InputError
from baler_energy.figures import chapters
from baler_energy.files import atomic_path, output_folder, write_text
from baler_energy.variants import TABLES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "tables"]

HELP = "write the report's tables as CSV and HTML"
EPILOG = f"""example:
  baler-energy tables --dataset results/laptop/dataset --out results/laptop/tables

Writes NAME.csv (numbers, SI units) and NAME.html (for reading) of each table. A table without data in this study is
empty and gives the reason. Of a study with several datasets, tables about the centre are in a folder for each. In the
CSV, text that a spreadsheet would take for a formula has an apostrophe in front.
Tables: {", ".join(TABLES)}.
"""

#: What text begins with that spreadsheets take for a formula, also in full width (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the dataset (Parquet)")
    parser.add_argument("--out", type=output_folder, required=True, help="folder of the tables")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    tables(args.dataset, args.out)


def _without_formulas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Put an apostrophe in front of text that a spreadsheet would compute; numbers stay as they are."""
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"])
    return frame.assign(**{str(name): texts[name].astype(object).map(_as_text) for name in texts})


def _as_text(cell: Any) -> Any:
    is_formula = isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def tables(dataset: Path, out: Path) -> None:
    """Write each table as CSV and as a self-contained HTML page.

    Parameters
    ----------
    dataset
        Folder with the tables of the schema.
    out
        Folder for ``NAME.csv`` and ``NAME.html``. With several datasets, ``NAME`` of a table about the centre is
        ``DATASET/NAME``.

    Raises
    ------
    InputError
        A table of the dataset is missing or damaged, or there are no runs.
    """
    from baler_energy.figures.base import Dataset, NoData, Tables, by_dataset
    from baler_energy.figures.page import html_page
    from baler_energy.figures.readable import notes, readable

    data: Tables = Dataset(dataset)
    each, whole = by_dataset(data), {"": data}
    found = [
        (table, name, part)
        for table in chapters.tables()
        for name, part in (each if table.by_dataset else whole).items()
    ]
    try:
        frames = [table.make(part) for table, _, part in found]
    except NoData as reason:
        raise InputError(f"{dataset}: {reason}; the tables need at least one.") from reason
    for (table, name, part), frame in zip(found, frames, strict=True):
        with atomic_path(out / name / f"{table.name}.csv") as temporary:
            _without_formulas(frame).to_csv(temporary, index=False)
        words = [*notes(table, frame, part), table.caption]
        title = f"{table.title} ({name})" if name else table.title
        write_text(out / name / f"{table.name}.html", html_page(title, words, readable(table, frame)))
