"""Stage ``tables``: the report's tables, as CSV and HTML."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.errors import InputError
from baler_energy.figures import chapters
from baler_energy.files import discard, output_folder, write_json, write_text
from baler_energy.stages.file_names import LEFT_OUT
from baler_energy.variants import TABLES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "tables"]

HELP = "write the report's tables as CSV and HTML"
EPILOG = f"""example:
  baler-energy tables --dataset results/laptop/dataset --out results/laptop/tables

Writes each table as NAME.csv (numbers, SI units) and NAME.html (to read: it sorts, filters and contains the CSV).
A table without rows in this study has no page; left_out.json gives the reason. In a study with several datasets,
tables about the centre are in a folder for each. In the CSV, text that a spreadsheet would read as a formula begins
with an apostrophe.
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
    """Write each table as CSV and, if it has rows, as a self-contained HTML page.

    Parameters
    ----------
    dataset
        Folder with the tables of the schema.
    out
        Folder for ``NAME.csv``, ``NAME.html``, and ``left_out.json``: by title, why a table has no rows. With several
        datasets, ``NAME`` of a table about the centre is ``DATASET/NAME``.

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
    left_out = dict[str, str]()
    for (table, name, part), frame in zip(found, frames, strict=True):
        title = f"{table.title} ({name})" if name else table.title
        file, csv = f"{table.name}.csv", _without_formulas(frame).to_csv(index=False)
        page, shown = out / name / f"{table.name}.html", readable(table, frame)
        write_text(out / name / file, csv)
        if shown.empty:
            left_out[title] = table.without_rows
            discard(page)
        else:
            words, main = notes(table, frame, part), table.main
            write_text(page, html_page(title, words, shown, about=table.caption, main=main, csv=(file, csv)))
    write_json(out / LEFT_OUT, left_out)
    missing = f", {len(left_out)} without rows: {out / LEFT_OUT}" if left_out else ""
    print(f"{out}: {len(found) - len(left_out)} tables{missing}")
