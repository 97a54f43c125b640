"""docs/open-data.md: each snippet is a valid dataset of a study."""

import re
from pathlib import Path

import pytest
import yaml

from baler_energy.config.sections import FileData


def snippets() -> list[tuple[str, dict[str, object]]]:
    page = Path(__file__).parents[2] / "docs" / "open-data.md"
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [item for block in blocks for item in yaml.safe_load(block)["data"].items()]


@pytest.mark.parametrize(("name", "dataset"), snippets())
def test_a_snippet_is_valid(name: str, dataset: dict[str, object]) -> None:
    checked = FileData.model_validate({**dataset, "sha256": "0" * 64})
    assert checked.columns


def test_every_record_has_one() -> None:
    assert len(snippets()) == 6
