"""The names of a run's files: those in the rules are those that the stages write."""

import re
from pathlib import Path

import pytest

from baler_energy.stages import file_names

#: The outputs of profiles are folders.
IN_FOLDERS = {"HOTSPOTS"}


@pytest.mark.parametrize("name", sorted(set(file_names.__all__) - IN_FOLDERS))
def test_the_rules_have_the_names_of_the_stages(name: str, repository: Path) -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow").rglob("*.smk"))
    assert re.search(rf'["/]{re.escape(getattr(file_names, name))}"', rules)
