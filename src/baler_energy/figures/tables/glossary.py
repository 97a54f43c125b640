"""The definitions of the efficiency metrics."""

import pandas as pd

from baler_energy.analysis.glossary import GLOSSARY
from baler_energy.analysis.glossary_errors import ERRORS
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each

__all__ = ["TABLE"]


def glossary(_tables: Tables) -> pd.DataFrame:
    """Return a row for each metric and each error measure: column, name, formula, unit, source, misleads."""
    return pd.DataFrame([vars(entry) for entry in (*GLOSSARY, *ERRORS)])


def _row(row: Row) -> dict[str, str]:
    return {
        "metric": row["name"],
        "column": row["column"],
        "formula": row["formula"],
        "unit": "pure number" if row["unit"] == "1" else row["unit"],
        "source": row["source"],
        "when it misleads": row["misleads"],
    }


TABLE = TableSpec(
    "glossary",
    "Glossary of metrics",
    "The efficiency metrics and the error measures: formula, unit, source, and when they mislead.",
    make=glossary,
    rows=each(_row),
)
