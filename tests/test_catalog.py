"""The Snakemake workflow catalog's rules for workflows with standardised usage, as of 2026, checked without network.

A workflow is listed if the README has the words "snakemake" and "workflow", and all files in ``workflow/rules`` end in
``.smk``. Its usage is standardised if its entry is ``workflow/Snakefile``, ``config/README.md`` describes how to
configure it, and ``.snakemake-workflow-catalog.yml`` describes how to use it. ``tests/workflow`` runs `snakemake
--lint`, and `make lint` runs snakefmt.
"""

import re

import yaml

METHODS = {"conda", "apptainer", "apptainer+conda"}


def test_the_workflow_is_found(repository):
    readme = (repository / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (repository / "LICENSE").is_file()
    assert (repository / "workflow" / "Snakefile").is_file()
    # Snakemake uses this file if it is started from the root: it has to be the same workflow.
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


def test_the_catalog_has_the_same_deployment_as_the_snakefile(repository):
    snakefile = (repository / "workflow" / "Snakefile").read_text()
    rules = "".join(path.read_text() for path in (repository / "workflow" / "rules").iterdir())
    deployment = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())["usage"][
        "software-stack-deployment"
    ]
    assert deployment["apptainer"] == bool(re.search(r"^container:", snakefile, flags=re.MULTILINE))
    assert deployment["conda"] == bool(re.search(r"^    conda:", rules, flags=re.MULTILINE))
