"""The workflow as a module of another workflow, with the other's studies, rule names and folder."""

import shutil

import pandas as pd
import pytest
import yaml
from rule_names import OPERATIONS

pytestmark = pytest.mark.long

SNAKEFILE = """\
from pathlib import Path

import yaml


def study(name):
    return yaml.safe_load(Path(f"{{name}}.yaml").read_text())


module baler_energy:
    snakefile:
        "{snakefile}"
    config:
        study("tiny")


use rule * from baler_energy as baler_*


module other:
    snakefile:
        "{snakefile}"
    config:
        study("other")


use rule * from other as other_*


onstart:
    baler_energy.onstart()


rule totals:
    default_target: True
    input:
        rules.baler_collect.output,
        rules.other_collect.output,
    output:
        "totals.txt",
    shell:
        "ls {{input}} > {{output}}"
"""


@pytest.fixture(scope="module")
def elsewhere(done, tmp_path_factory):
    """Return a folder with another workflow that uses this one as a module for two studies; one of them is done."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "Snakefile").write_text(SNAKEFILE.format(snakefile=done.root / "workflow" / "Snakefile"))
    (folder / "tiny.yaml").write_text(done.finished_study().read_text())
    (folder / "other.yaml").write_text(done.study(name="other", country="FRA").read_text())
    for name in ("results", ".snakemake"):
        shutil.copytree(done.root / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def run(done, elsewhere):
    """Run Snakemake in that folder; it must succeed."""

    def run(*words):
        ended = done.run("snakemake", *words, cwd=elsewhere)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    return run


def test_what_the_workflow_itself_has_done_is_done_in_the_module(done, run):
    rules = {rule for rule, _ in done.jobs_in(run("--cores", "2", "--dry-run"))}
    assert rules and all(rule == "totals" or rule.startswith("other_") for rule in rules)


def test_two_studies_run_in_one_workflow(elsewhere, run):
    run("--cores", "2")
    for name, country in (("tiny", "CHE"), ("other", "FRA")):
        runs = pd.read_parquet(elsewhere / "results" / name / "dataset" / "runs.parquet")
        assert set(runs["operation"]) == set(OPERATIONS)
        assert yaml.safe_load((elsewhere / "results" / name / "study.yaml").read_text())["country"] == country
    written = {".snakemake", "Snakefile", "other.yaml", "results", "tiny.yaml", "totals.txt"}
    assert {path.name for path in elsewhere.iterdir()} == written
    assert "Nothing to be done" in run("--cores", "2", "--dry-run")


def test_its_report_is_made_in_the_other_folder(elsewhere, run):
    run("--cores", "2", "baler_all", "--report", "report.html")
    page = (elsewhere / "report.html").read_text()
    assert "loss_epochs.svg" in page and "What does it cost?" in page


def test_its_checks_before_a_run_are_made_in_the_other_workflow(done, elsewhere):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    study = yaml.safe_load((elsewhere / "tiny.yaml").read_text())
    (elsewhere / "tiny.yaml").write_text(yaml.safe_dump(study | {"axes": study["axes"] | {"device": ["cuda"]}}))
    ended = done.run("snakemake", "--cores", "2", cwd=elsewhere)
    assert ended.returncode != 0 and "no NVIDIA GPU" in ended.stdout
