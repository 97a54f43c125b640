"""The rules of the Snakemake workflow catalog for workflows of standardised usage, as of 2026, checked without network.

A workflow is listed where the README has the words "snakemake" and "workflow", and all of ``workflow/rules`` ends in
``.smk``; it is one of standardised usage where its entry is ``workflow/Snakefile``, ``config/README.md`` says how to
configure it, and ``.snakemake-workflow-catalog.yml`` says how to use it. That it passes `snakemake --lint` is tested in
``tests/workflow``, and snakefmt by `make lint`.
"""

import re

import yaml

METHODS = {"conda", "apptainer", "apptainer+conda"}


def test_the_workflow_is_found(repository):
    readme = (repository / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (repository / "LICENSE").is_file()
    assert (repository / "workflow" / "Snakefile").is_file()
    # Snakemake, started from the root, takes that one: it has to be the same workflow.
    assert 'include: "workflow/Snakefile"' in (repository / "Snakefile").read_text()
    assert {path.suffix for path in (repository / "workflow" / "rules").iterdir()} == {".smk"}


def test_its_usage_is_standardised(repository):
    assert (repository / "config" / "config.yaml").is_file()
    readme = (repository / "config" / "README.md").read_text()
    assert re.match(r"# \w", readme) and readme.count("```") % 2 == 0
    settings = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())
    assert set(settings) == {"usage"}
    usage = settings["usage"]
    assert set(usage) <= {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["report"] is True
    assert set(usage["mandatory-flags"]) <= {"desc", "flags"} and usage["mandatory-flags"]["desc"]
    assert set(usage["software-stack-deployment"]) == METHODS
    assert any(usage["software-stack-deployment"].values())


def test_the_deployment_that_it_names_is_the_snakefiles(repository):
    snakefile = (repository / "workflow" / "Snakefile").read_text()
    rules = "".join(path.read_text() for path in (repository / "workflow" / "rules").iterdir())
    deployment = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())["usage"][
        "software-stack-deployment"
    ]
    assert deployment["apptainer"] == bool(re.search(r"^container:", snakefile, flags=re.MULTILINE))
    assert deployment["conda"] == bool(re.search(r"^    conda:", rules, flags=re.MULTILINE))
