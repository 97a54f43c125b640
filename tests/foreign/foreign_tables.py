"""Kinds of files of other tools, and the rows that are read from them; shared by the tests of reading."""

import pandas as pd

#: The meter of each kind of file that the fixture `write` writes.
KINDS = {
    "codecarbon": "codecarbon",
    "eco2ai": "eco2ai",
    "pyjoules": "pyjoules",
    "pyjoules_log": "pyjoules",
    "zeus_log": "zeus",
    "zeus_csv": "zeus",
    "carbontracker": "carbontracker",
    "carbontracker_output": "carbontracker",
}


def pick(table: pd.DataFrame, component: str, quantity: str = "energy") -> pd.DataFrame:
    """Return the rows of a component and quantity."""
    return table[(table["component"] == component) & (table["quantity"] == quantity)].reset_index(drop=True)
