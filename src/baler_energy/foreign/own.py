"""The judgement about the energies in other tools' files, made about the study's own readings."""

import math

import pandas as pd

from baler_energy.analysis.schema import TABLES
from baler_energy.foreign.evidence import constants
from baler_energy.foreign.findings import constant_powers
from baler_energy.vocabulary import Quantity

__all__ = ["OWN", "constant_readings", "own_findings"]

#: What the findings about the study's own readings have in place of a file.
OWN = "measurements.parquet"


def own_findings(measurements: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Find the study's energies that are a constant power times the length of the window.

    Parameters
    ----------
    measurements, runs
        The tables of the dataset.

    Returns
    -------
    pandas.DataFrame
        Rows of the table ``findings``.
    """
    columns = [column.name for column in TABLES["findings"][1]]
    return pd.DataFrame(list(constant_powers(_windows(measurements, runs))), columns=columns)


def constant_readings(measurements: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the energies of ``measurements`` of which each is a constant power times the length of its window.

    Returns
    -------
    pandas.DataFrame
        Their rows, with the power as ``power_w``.
    """
    found = [one.rows.assign(power_w=one.power_w) for one in constants(_windows(measurements, runs))]
    return pd.concat(found) if found else measurements.iloc[:0].assign(power_w=math.nan)


def _windows(measurements: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Give the study's energies the columns that foreign ones have; the host is a machine, not a kind of machine."""
    energies = measurements[(measurements["quantity"] == Quantity.ENERGY) & measurements["value"].notna()]
    windows = runs[["run_id", "operation", "window_s", "hostname", "cpu_model"]]
    joined = energies.merge(windows.rename(columns={"window_s": "duration_s"}), on=["run_id", "operation"])
    host = joined["hostname"].str.cat(joined["cpu_model"], sep=", ", na_rep="an unnamed CPU")
    return joined.assign(cpu_model=host, ram_bytes=math.nan, file=OWN)
