"""What energies show by themselves, those of the study and those of imported files."""

from operator import itemgetter

from baler_energy.figures.base import TableSpec
from baler_energy.figures.readable import Row, each, unless_missing

__all__ = ["TABLE"]


def _row(row: Row) -> dict[str, str]:
    return {
        "finding": str(row["finding"]).replace("_", " "),
        "subject": unless_missing(str(row["subject"]), row["subject"], ""),
        "in words": row["sentence"],
        "files": row["file"],
    }


TABLE = TableSpec(
    "findings",
    "What energies show by themselves",
    "Constants, proportions and disagreements in the study's own readings (measurements.parquet) and in the imported "
    "results of other tools, judged in the same way.",
    make=itemgetter("findings"),
    rows=each(_row),
    without_rows="No energy of this study is a constant power times the duration in three windows or more of different "
    "lengths. No results of other studies were imported: the study lists none (imports).",
)
