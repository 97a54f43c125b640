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


@pytest.mark.parametrize("name", ["worth-file", "worth-nanoaod"])
def test_a_study_of_a_record_reads_what_its_snippet_reads(repository: Path, name: str) -> None:
    study = yaml.safe_load((repository / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    ((dataset, found),) = study["data"].items()
    snippet = dict(snippets())[dataset]
    varied = ("path", "sha256", "derived")
    assert {k: v for k, v in found.items() if k not in varied} == {k: v for k, v in snippet.items() if k not in varied}


def test_every_record_has_one() -> None:
    assert len(snippets()) == 6
