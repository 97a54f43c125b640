"""Settings of a training, compared at the error of Baler's own: the rows to show, and their factors in words."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.headline import LEAST, WIDEST
from baler_energy.analysis.savings import comparisons, savings, setting_text, with_setting
from baler_energy.config.recommended import BALER, CHANGES, RECOMMENDED
from baler_energy.figures.base import NoData, Tables, runs_and_centre
from baler_energy.figures.selection import AXES, describe, device_name, interval_text, with_error
from baler_energy.variants import ENGINES, UPSTREAM, load

__all__ = [
    "NOTHING",
    "change_texts",
    "compared_trainings",
    "factor_words",
    "headline",
    "read_by_baler",
    "recommended_text",
    "settings_compared",
    "stated_factor",
    "trainings",
    "where",
]

#: Reason for leaving out what compares settings.
NOTHING = "no training of the same table with another setting than Baler's default"


def trainings(tables: Tables) -> pd.DataFrame:
    """Return all trainings in epochs with their errors, costs and ``setting`` (`analysis.savings.with_setting`)."""
    return with_setting(with_error(tables["runs"]))


def settings_compared(tables: Tables) -> pd.DataFrame:
    """Return the factors of all settings (`analysis.savings.savings`); without columns if there are none."""
    return savings(trainings(tables))


def compared_trainings(tables: Tables) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the trainings of one table: those nearest to the study's centre, of most settings if there are several.

    Returns
    -------
    tuple
        The parameters that they share, with the threads of Baler's default, and their rows as from `trainings`.

    Raises
    ------
    NoData
        There are no two settings to compare.
    """
    _, centre = runs_and_centre(tables)

    def nearness(found: tuple[dict[str, Any], pd.DataFrame]) -> tuple[int, int]:
        shared, part = found
        return sum(shared[axis] == centre[axis] for axis in shared if axis in centre), part["setting"].nunique()

    found = max(comparisons(trainings(tables)), key=nearness, default=None)
    if found is None:
        raise NoData(NOTHING)
    return found


def where(shared: Mapping[str, Any]) -> str:
    """Describe the parameters that compared trainings share."""
    left_out = tuple(axis for axis in AXES if axis not in shared)
    return f"{describe(shared, without=left_out)}, {device_name(shared['device'])} run"


def read_by_baler(row: Mapping[Any, Any]) -> str:
    """Ask the engine that is Baler itself whether it reads a setting's network: yes, no, padded or unknown."""
    answer: str = load(*ENGINES[UPSTREAM]["figures"]).read_as(row["model"], row["pruning"])
    return answer


def recommended_text() -> str:
    """Name the recommended setting by its changes."""
    return setting_text({**BALER, **RECOMMENDED})


def change_texts() -> list[str]:
    """Name each recommended change alone."""
    return [setting_text({**BALER, **change}) for change in CHANGES]


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


def stated_factor(row: Mapping[Any, Any], name: str, what: str) -> str:
    """Write a factor for the first page: only its interval if it is too uncertain to state (`analysis.headline`).

    Parameters
    ----------
    row, name, what
        As for `factor_words`.
    """
    value, low, high = (row[f"{name}_factor{end}"] for end in ("", "_low", "_high"))
    words = factor_words(row, name, what)
    if pd.isna(value) or (row[f"{name}_n"] >= LEAST and high - low <= WIDEST * value):
        return words
    if pd.isna(low):
        return f"an unknown factor ({words} in a single repeat)"
    low, high, word = (low, high, "less") if value >= 1 else (1 / high, 1 / low, "more")
    limits = "at least {}" if row[f"{name}_at_least"] and word == "less" else "between {} and {}"
    return f"{limits.format(_number(low), _number(high))} times {word} {what}"


def _number(value: float) -> str:
    return interval_text(value, math.nan)


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
    recommended = f"the recommended setting ({recommended_text()})"
    time = stated_factor(row, "time", "time")
    if pd.isna(row["time_factor"]):
        return f"Factor of {recommended} at the error of {default}{table} unknown: {time}."
    words = f"At the error of {default}{table}, training with {recommended} takes {time}"
    if not pd.isna(row["energy_factor"]):
        words += " and " + stated_factor(row, "energy", f"{row['evidence']} energy")
    if not pd.isna(row["held_out_time_factor"]):
        words += f"; at its held-out error {stated_factor(row, 'held_out_time', 'time')}"
    return f"{words}; 95 % t intervals, n = {row['time_n']}."
