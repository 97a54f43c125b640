"""Snakemake's views of a finished study: report, summary, lint and graphs."""

import csv
import re

import pytest

RULES = {
    "all",
    "generate",
    "prepare",
    "calibrate",
    "train",
    "compress",
    "decompress",
    "evaluate",
    "study",
    "collect",
    "figures",
    "tables",
    "report",
}


@pytest.fixture(scope="module")
def study(workspace):
    study = workspace.study()
    workspace.snakemake(study)
    return study


@pytest.fixture(scope="module")
def page(workspace, study):
    """Text of the report."""
    workspace.snakemake(study, "--report", "report.html")
    return (workspace.root / "report.html").read_text()


def test_the_report_holds_every_figure_and_table_in_one_page(workspace, page):
    results = workspace.root / "results" / "tiny"
    drawn = [path.name for path in (results / "figures").rglob("*.svg")]
    drawn += [path.name for path in (results / "tables").rglob("*.html")]
    assert len(drawn) > 10
    for name in drawn:
        assert name in page, name
    assert "What does it cost?" in page


def test_the_report_needs_no_network(page):
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(https?:[^\"' >]+)", page)
    assert loaded == []


def test_a_summary_names_the_state_of_every_file(workspace, study):
    said = workspace.snakemake(study, "--summary")
    table = said[said.index("output_file") :].splitlines()
    rows = list(csv.DictReader(table, delimiter="\t"))
    assert {row["rule"] for row in rows} == RULES - {"all"}
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["plan"] for row in rows} == {"no update"}


@pytest.mark.parametrize("view", ["--rulegraph", "--dag", "--filegraph"])
def test_graphs_name_every_rule(workspace, study, view):
    said = workspace.snakemake(study, view)
    graph = said[said.index("digraph") :]
    assert graph.count("{") == graph.count("}")
    named = re.findall(r'label ?= ?"(\w+)|<font point-size="18">(\w+)<', graph)
    assert {one or other for one, other in named} == RULES
    assert "->" in graph


def test_the_picture_in_the_readme_shows_the_rules_of_the_smoke_study(workspace, repository):
    said = workspace.snakemake(workspace.root / "config" / "studies" / "smoke.yaml", "--rulegraph")
    drawn = re.findall(r"<text [^>]*>(\w+)</text>", (repository / "docs" / "images" / "rulegraph.svg").read_text())
    assert sorted(drawn) == sorted(re.findall(r'label = "(\w+)"', said)), "draw it anew: CONTRIBUTING.md"


def test_there_is_nothing_to_lint(workspace, study):
    done = workspace.run("snakemake", "--lint", "--configfile", study)
    assert done.returncode == 0, done.stdout
    assert "Lints for" not in done.stdout and "in a good condition" in done.stdout
