"""What can be concluded from imported files alone."""

import pandas as pd

from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing

__all__ = ["TABLE"]


def findings(tables: Tables) -> pd.DataFrame:
    """Return the dataset's table of findings."""
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
    "What can be concluded from imported files alone",
    "Constants, proportions and disagreements in the imported results of other tools.",
    make=findings,
    rows=each(_row),
    without_rows="No results of other studies were imported: the study lists none (imports).",
)
