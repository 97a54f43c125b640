"""What imported files tell by themselves."""

import pandas as pd

from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing

__all__ = ["TABLE"]


def findings(tables: Tables) -> pd.DataFrame:
    """Give what imported files tell by themselves, as the dataset has it."""
    return tables["findings"]


def _row(row: Row) -> dict[str, str]:
    return {
        "finding": str(row["finding"]).replace("_", " "),
        "subject": unless_missing(str(row["subject"]), row["subject"], ""),
        "in words": row["sentence"],
        "files": row["file"],
    }


TABLE = TableSpec(
    "findings",
    "What imported files tell by themselves",
    "Constants, proportions and disagreements found in the imported results of other tools, without being told.",
    make=findings,
    rows=each(_row),
    without_rows="No results of other studies were imported: the study names none (imports).",
)
