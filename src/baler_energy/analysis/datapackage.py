"""The description of a dataset: meaning, unit and type of each column."""

from pathlib import Path
from typing import Any

from baler_energy.analysis.schema import TABLES, Column
from baler_energy.errors import InputError
from baler_energy.files import read_json

__all__ = ["datapackage", "title_of"]


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


def title_of(path: Path) -> str:
    """Return the title of a study from the description of its dataset, ``datapackage.json``.

    Raises
    ------
    InputError
        The file is missing or damaged, or has no title.
    """
    package = read_json(path)
    if not isinstance(package, dict) or not isinstance(package.get("title"), str):
        raise InputError(f"{path}: has no title; run `baler-energy collect` again.")
    title: str = package["title"]
    return title


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
