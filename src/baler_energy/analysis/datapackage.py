"""The description of a dataset: meaning, unit and type of each column."""

from typing import Any

from baler_energy.analysis.schema import TABLES, Column

__all__ = ["datapackage"]


def datapackage(study: str) -> dict[str, Any]:
    """Describe the dataset in the Frictionless Data Package standard, with a unit for each field."""
    return {
        "profile": "tabular-data-package",
        "name": f"baler-energy-{study.lower()}",
        "title": f"baler-energy study {study}",
        "resources": [
            {
                "name": name,
                "path": f"{name}.parquet",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                "description": description,
                "schema": {
                    "fields": [
                        {"name": c.name, "type": c.type, "unit": c.unit, "description": _meaning(c)} | _constraints(c)
                        for c in columns
                    ]
                },
            }
            for name, (description, columns) in TABLES.items()
        ],
    }


def _meaning(column: Column) -> str:
    """Describe a column, and how to read it in pandas if ``table.name`` would be something else there."""
    import pandas as pd

    is_attribute = any(hasattr(kind, column.name) for kind in (pd.DataFrame, pd.Series))
    return f"{column.meaning}; in pandas only ['{column.name}']" if is_attribute else column.meaning


def _constraints(column: Column) -> dict[str, Any]:
    """State the lowest value of a column's numbers, or its words."""
    known = {"minimum": column.least, "enum": list(column.words) or None}
    given = {name: value for name, value in known.items() if value is not None}
    return {"constraints": given} if given else {}
