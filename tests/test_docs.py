"""The documentation's index has all pages, its links lead somewhere, and the version is in one place."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md"), *ROOT.glob("results/*.md")])


def links(page: Path) -> list[str]:
    """Targets of a page's links to other files of the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [link for link in found if "://" not in link and not link.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path):
    for link in links(page):
        assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_index_has_every_page_once():
    index = [(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(ROOT / "docs" / "README.md")]
    assert len(set(index)) == len(index)
    assert {path for path in PAGES if path.name != "README.md"} <= set(index)
    assert "docs/README.md" in links(ROOT / "README.md")


def test_the_version_is_in_one_place_and_has_its_notes():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changes = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (.+))?$", changes, flags=re.MULTILINE)
    assert headings[0] == ("Unreleased", "") and headings[1][0] == version
    assert all(date.fromisoformat(day) for _, day in headings[1:])
    kinds = set(re.findall(r"^### (.+)$", changes, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    others = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("src/**/*.py")]
    assert not [path for path in others if version in path.read_text()]
