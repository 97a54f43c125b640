"""Forecasts as printed by ``baler-energy forecast``, read back, for the tests of forecasts."""

import re
from pathlib import Path

import pytest

from baler_energy.cli import main

JOB = ["--rows", "5e6", "--columns", "24", "--epochs", "100"]
Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, *words: str | Path) -> str:
    assert main(["forecast", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys: Capture, *words: str | Path) -> str:
    assert main(["forecast", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert not said.out and "Traceback" not in said.err
    return said.err


#: Units of forecasts in s, J and g.
UNITS = {"ms": 1e-3, "s": 1.0, "h": 3600.0, "mJ": 1e-3, "J": 1.0, "kJ": 1e3, "MJ": 1e6, "kWh": 3.6e6}
UNITS |= {"µg": 1e-6, "mg": 1e-3, "g": 1.0, "kg": 1e3}
UNITS |= {"µCHF": 1e-6, "mCHF": 1e-3, "CHF": 1.0, "W": 1.0, "kW": 1e3, "": 1.0}
UNITS |= {"µg/GB": 1e-6, "mg/GB": 1e-3, "g/GB": 1.0, "kg/GB": 1e3}


def intervals(said: str, operation: str) -> list[tuple[float, ...]]:
    """Value and ends of each forecast in the row of an operation (s, J, g)."""
    row = next(line for line in said.splitlines() if line.split()[:1] == [operation])
    number = r"([\d,.e+-]+)"
    found = re.findall(rf"{number} ([a-zA-Zµ/]+) \({number} to {number}\)", row)
    return [
        tuple(UNITS[unit] * float(text.replace(",", "")) for text in ends)
        for unit, ends in ((unit, (value, low, high)) for value, unit, low, high in found)
    ]
