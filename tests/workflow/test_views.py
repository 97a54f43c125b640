"""Snakemake's views of a finished study: report, summary, lint and graphs."""

import csv
import re

import pytest
from rule_names import FINISHED

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def study(done):
    return done.finished_study()


@pytest.fixture(scope="module")
def page(done, study):
    """Text of the report."""
    done.snakemake(study, "--report", "report.html")
    return (done.root / "report.html").read_text()


def test_the_report_holds_every_figure_and_table_in_one_page(done, page):
    results = done.root / "results" / "tiny"
    drawn = [path.name for path in (results / "figures").rglob("*.svg")]
    drawn += [path.name for path in (results / "tables").rglob("*.html")]
    assert len(drawn) > 10
    for name in drawn:
        assert name in page, name
    assert "What does it cost?" in page
    assert "Training loss after each epoch" in page and "Compression ratios relative to three sizes" in page, "captions"


def test_the_report_needs_no_network(page):
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(https?:[^\"' >]+)", page)
    assert loaded == []


def test_one_command_runs_what_is_left_and_writes_the_report(done, study):
    overview, report = done.root / "results" / "tiny" / "overview.rst", done.root / "again.html"
    for missing in (overview, report):
        missing.unlink(missing_ok=True)
        said = done.snakemake(study, "--report-after-run", "--report", report.name)
        assert ("Nothing to be done" in said) == (missing == report)
        assert overview.is_file() and "What does it cost?" in report.read_text()


def test_a_summary_names_the_state_of_every_file(done, study):
    said = done.snakemake(study, "--summary")
    table = said[said.index("output_file") :].splitlines()
    rows = list(csv.DictReader(table, delimiter="\t"))
    assert {row["rule"] for row in rows} == FINISHED - {"all"}
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["plan"] for row in rows} == {"no update"}


@pytest.mark.parametrize("view", ["--rulegraph", "--dag", "--filegraph"])
def test_graphs_name_every_rule(done, study, view):
    said = done.snakemake(study, view)
    graph = said[said.index("digraph") :]
    assert graph.count("{") == graph.count("}")
    named = re.findall(r'label ?= ?"(\w+)|<font point-size="18">(\w+)<', graph)
    assert {one or other for one, other in named} == FINISHED
    assert "->" in graph


def test_the_picture_in_the_readme_shows_the_rules_of_the_smoke_study(done, repository):
    said = done.snakemake(done.root / "config" / "studies" / "smoke.yaml", "--rulegraph")
    drawn = re.findall(r"<text [^>]*>(\w+)</text>", (repository / "docs" / "images" / "rulegraph.svg").read_text())
    assert sorted(drawn) == sorted(re.findall(r'label = "(\w+)"', said)), "draw it anew: CONTRIBUTING.md"


def test_there_is_nothing_to_lint(done, study):
    done = done.run("snakemake", "--lint", "--configfile", study)
    assert done.returncode == 0, done.stdout
    assert "Lints for" not in done.stdout and "in a good condition" in done.stdout
