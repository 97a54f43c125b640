"""Reads foreign files into the tables ``foreign`` and ``findings``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from baler_energy.errors import InputError
from baler_energy.foreign.detect import read_file
from baler_energy.foreign.evidence import judge
from baler_energy.foreign.findings import findings
from baler_energy.foreign.rows import EXTRA, frame
from baler_energy.foreign.totals import increments

__all__ = ["read_foreign"]


def read_foreign(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read foreign files and draw conclusions from them.

    All files are judged together, because a power that is constant across files is better evidence than one row.

    Parameters
    ----------
    paths
        Files of the tools in `detect.TOOLS`, recognised by their content.

    Returns
    -------
    tuple
        The tables ``foreign`` (a row per reading) and ``findings`` (a row per finding), with the columns of the
        schema.

    Raises
    ------
    InputError
        No file is given, or a file is missing, empty, given twice, damaged, or not from a supported tool.
    """
    if not paths:
        raise InputError("No file to import. Name at least one result of another tool.")
    times = Counter(path.resolve() for path in paths)
    twice = sorted({str(path) for path in paths if times[path.resolve()] > 1})
    if twice:
        raise InputError(f"{twice[0]}: is given twice, which would count its rows twice. Name each file once.")
    names = [path.name for path in paths]
    unique = len(set(names)) == len(names)
    windows = [
        (name if unique else str(path), window)
        for name, path in zip(names, paths, strict=True)
        for window in read_file(path)
    ]
    table = judge(frame(increments(windows)))
    return table.drop(columns=EXTRA), findings(table)
