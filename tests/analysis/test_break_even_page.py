"""docs/break-even.md: its constants and its published energies are those of the code."""

import re
from pathlib import Path

import pytest

from baler_energy.config.sections import BreakEven
from baler_energy.figures.tables.break_even import TABLE

PAGE = (Path(__file__).parents[2] / "docs" / "break-even.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """Return the second cell of each table row of a section, by the first one."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {cells[0]: cells[1] for cells in re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", section, flags=re.MULTILINE)}


def test_published_energies_agree() -> None:
    page = {
        name: cell.partition(", ")[0].replace(",", "")
        for name, cell in rows("Published energies of compressors").items()
    }
    caption = re.findall(r"\b([A-Za-z]+\d?) (\d+\.\d+)(?=,| and| kJ/GB)", TABLE.caption)
    assert len(caption) == 4
    for name, kilojoules in caption:
        assert float(page[name]) / 1000 == pytest.approx(float(kilojoules))


def test_constants_agree() -> None:
    ranges = BreakEven().ranges
    page = {name.strip("`"): cell for name, cell in rows("Constants").items() if name.startswith("`")}
    assert page.keys() == ranges.keys()
    for name, cell in page.items():
        value, low, high = ([float(number) for number in re.findall(r"[\d.]+", cell)] * 3)[:3]
        assert (low, value, high) == ranges[name], name
