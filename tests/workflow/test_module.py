"""The workflow as a module of another one, with that one's studies and names, in that one's folder."""

import shutil

import pandas as pd
import pytest
import yaml

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
        rules.other_study.output,
    output:
        "totals.txt",
    shell:
        "ls {{input}} > {{output}}"
"""


@pytest.fixture(scope="module")
def elsewhere(workspace, tmp_path_factory):
    """Give a folder with another workflow, which takes this one as a module for two studies."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "Snakefile").write_text(SNAKEFILE.format(snakefile=workspace.root / "workflow" / "Snakefile"))
    study = yaml.safe_load(workspace.study().read_text())
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study))
    (folder / "other.yaml").write_text(yaml.safe_dump(study | {"name": "other", "country": "FRA"}))
    return folder


@pytest.fixture(scope="module")
def run(workspace, elsewhere):
    """Run Snakemake in that folder; it has to succeed."""

    def run(*words):
        done = workspace.run("snakemake", *words, cwd=elsewhere)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_two_studies_stand_beside_each_other_there(elsewhere, run):
    run("--cores", "2")
    runs = pd.read_parquet(elsewhere / "results" / "tiny" / "dataset" / "runs.parquet")
    assert set(runs["operation"]) == {"train", "compress", "decompress"}
    for name, country in (("tiny", "CHE"), ("other", "FRA")):
        assert yaml.safe_load((elsewhere / "results" / name / "study.yaml").read_text())["country"] == country
    written = {".snakemake", "Snakefile", "other.yaml", "results", "tiny.yaml", "totals.txt"}
    assert {path.name for path in elsewhere.iterdir()} == written
    assert "Nothing to be done" in run("--cores", "2", "--dry-run")


def test_its_report_is_made_there(elsewhere, run):
    run("--cores", "2", "baler_all")
    run("--cores", "2", "baler_all", "--report", "report.html")
    page = (elsewhere / "report.html").read_text()
    assert "loss_epochs.svg" in page and "What does it cost?" in page


def test_its_checks_before_a_run_are_made_there(workspace, elsewhere):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    study = yaml.safe_load((elsewhere / "tiny.yaml").read_text())
    (elsewhere / "tiny.yaml").write_text(yaml.safe_dump(study | {"axes": study["axes"] | {"device": ["cuda"]}}))
    done = workspace.run("snakemake", "--cores", "2", cwd=elsewhere)
    assert done.returncode != 0 and "no NVIDIA GPU" in done.stdout
