"""Settings of a training, compared at the error of Baler's own: the rows to show, and their factors in words."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.savings import savings, setting_text, with_setting
from baler_energy.config.recommended import BALER, RECOMMENDED
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import spread_text, with_error

__all__ = ["factor_words", "headline", "settings_compared", "trainings"]


def trainings(tables: Tables) -> pd.DataFrame:
    """Return all trainings in epochs with their errors, costs and ``setting`` (`analysis.savings.with_setting`)."""
    return with_setting(with_error(tables["runs"]))


def settings_compared(tables: Tables) -> pd.DataFrame:
    """Return the factors of all settings (`analysis.savings.savings`); without columns if there are none."""
    return savings(trainings(tables))


def factor_words(row: Mapping[Any, Any], name: str, what: str = "") -> str:
    """Write a factor with its interval, such as ``at least 62.3 times less time (55.1 to 70.2)``.

    Parameters
    ----------
    row
        A row of `settings_compared`.
    name
        The factor, such as ``time`` or ``held_out_energy``.
    what
        What there is less of.

    Returns
    -------
    str
        The reason if the factor is null.
    """
    if pd.isna(value := row[f"{name}_factor"]):
        return str(row[f"{name}_reason"])
    low, high = row[f"{name}_factor_low"], row[f"{name}_factor_high"]
    word = "less"
    if value < 1:
        value, low, high, word = 1 / value, 1 / high, 1 / low, "more"
    # A lower limit of "less" is an upper limit of "more".
    limit = {"less": "at least ", "more": "at most "}[word] if row[f"{name}_at_least"] else ""
    interval = "" if pd.isna(low) else f" ({_number(low)} to {_number(high)})"
    return " ".join(filter(None, [f"{limit}{_number(value)} times {word}", what])) + interval


def _number(value: float) -> str:
    return spread_text(value, math.nan)


def headline(tables: Tables) -> list[str]:
    """Say how much less the recommended setting costs at the error of Baler's default; empty if one is missing."""
    card = settings_compared(tables)
    if card.empty:
        return []
    rows = card[card["part"] == "together"].to_dict("records")
    return [_headline(row, alone=len(rows) == 1) for row in rows]


def _headline(row: Mapping[Any, Any], *, alone: bool) -> str:
    table = "" if alone else f" on {row['rows']:,} rows of {row['dataset']}"
    default = f"Baler's default ({row['default_epochs']} epochs, {_number(100 * row['default_error'])} % of the range)"
    recommended = f"the recommended setting ({setting_text({**BALER, **RECOMMENDED})})"
    time = factor_words(row, "time", "time")
    if pd.isna(row["time_factor"]):
        return f"Factor of {recommended} at the error of {default}{table} unknown: {time}."
    words = f"At the error of {default}{table}, training in {recommended} takes {time}"
    if not pd.isna(row["energy_factor"]):
        words += " and " + factor_words(row, "energy", f"{row['evidence']} energy")
    return f"{words}; 95 % t intervals, n = {row['time_n']}."
