"""Studies with upstream Baler, on machines with and without it."""

import pandas as pd
import pytest
from rule_names import DOWNSTREAM, OF_A_POINT, PROFILING

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.upstream import files, install
from baler_energy.config.study import load_study

pytestmark = pytest.mark.long

AXES = {"rows": [400], "epochs": [1], "engine": ["reference", "upstream"]}
PROFILE = {"points": [{"engine": "upstream"}, {"engine": "reference"}], "profilers": ["cprofile"]}


@pytest.fixture
def without_baler(workspace, monkeypatch):
    """Return a folder in which Baler was not installed."""
    monkeypatch.delenv(install.VARIABLE, raising=False)
    return workspace


def engines_of(jobs, rule):
    return {"upstream" if "engine~upstream" in wildcards else "reference" for name, wildcards in jobs if name == rule}


def test_without_baler_its_points_are_left_out_with_one_message(without_baler):
    study = without_baler.study(name="partly", axes=AXES, profile=PROFILE)
    said = without_baler.snakemake(study, "--dry-run")
    assert said.count("Skipped 1 of the study's 2 runs, with engine 'upstream'.") == 1
    assert said.count("make upstream") == 1
    jobs = without_baler.jobs_in(said)
    assert {rule for rule, _ in jobs} >= OF_A_POINT | PROFILING | DOWNSTREAM
    for rule in OF_A_POINT | PROFILING:
        assert engines_of(jobs, rule) == {"reference"}


def test_with_baler_its_points_run(workspace, stand_in_baler):
    study = workspace.study(name="partly", axes=AXES, profile=PROFILE)
    said = workspace.snakemake(study, "--dry-run")
    for rule in OF_A_POINT | PROFILING:
        assert engines_of(workspace.jobs_in(said), rule) == {"reference", "upstream"}
    assert "left out" not in said


def test_another_version_of_baler_runs_only_its_points_again(done, stand_in_baler, tmp_path, monkeypatch):
    results = done.root / "results" / "tiny" / "runs" / "toy" / "rows~400"
    files.write_model(tmp_path / "model.pt", Checkpoint.read(results / "epochs~1/repeat~0/train/checkpoint.pt"))
    monkeypatch.setenv("STAND_IN_MODEL", str(tmp_path / "model.pt"))
    study = done.finished_study(axes=AXES, profile=PROFILE)
    applied = "engine~upstream/epochs~1/repeat~0/evaluate/summary.json"
    done.snakemake(study, (results / applied).relative_to(done.root))
    assert not {rule for rule, _ in done.planned(study)} & OF_A_POINT
    description = stand_in_baler / "baler-0.1.dist-info" / "METADATA"
    description.write_text(description.read_text().replace("Version: 0.1", "Version: 0.2"))
    again = [(rule, wildcards) for rule, wildcards in done.planned(study) if rule in OF_A_POINT]
    assert again == [(rule, f"point=toy/rows~400/{applied.rpartition('/evaluate')[0]}") for rule in sorted(OF_A_POINT)]


def test_a_study_without_its_points_does_not_start_baler(done, stand_in_baler):
    (stand_in_baler / "python").write_text(f'#!/bin/sh\ntouch "{stand_in_baler}/started"\n')
    assert done.planned(done.finished_study()) == []
    assert not (stand_in_baler / "started").exists()
    # It does start for a study with its points.
    done.snakemake(done.finished_study(axes=AXES, profile=PROFILE), "--dry-run")
    assert (stand_in_baler / "started").exists()


def test_without_baler_a_study_that_requires_it_does_not_run(without_baler):
    study = without_baler.study(name="only", axes=AXES | {"engine": ["upstream"]})
    for words in (("snakemake", "--cores", "1"), ("baler_energy.cli", "study")):
        done = without_baler.run(*words, "--configfile", study)
        assert done.returncode == 3, done.stdout
        assert done.stdout.count("requires engine 'upstream'") == done.stdout.count("make upstream") == 1
        assert "Traceback" not in done.stdout
    assert not (without_baler.root / "results" / "only").exists()


def test_the_study_that_is_collected_is_the_one_that_ran(without_baler):
    study = without_baler.study(name="rest", axes=AXES, profile=PROFILE)
    done = without_baler.run("snakemake", "--cores", "1", "results/rest/study.yaml", "--configfile", study)
    assert done.returncode == 0, done.stdout
    collected = load_study(without_baler.root / "results" / "rest" / "study.yaml")
    assert collected == load_study(study).without("engine", "upstream")


def test_with_baler_itself_a_study_is_collected_with_its_engine(workspace, real_baler):
    axes = AXES | {"rows": [300]}
    study = workspace.study(name="whole", axes=axes, profile=PROFILE)
    workspace.snakemake(study)
    results = workspace.root / "results" / "whole"
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    assert runs.groupby("engine", observed=True).size().to_dict() == {"reference": 3, "upstream": 3}
    # Both learn the same network, but Baler truncates integers and the reference rounds them.
    assert runs.loc[runs["operation"] == "train", "final_loss"].nunique() == 1
    errors = runs.groupby("engine", observed=True)["mean_rms_over_range"].first()
    assert errors["upstream"] == pytest.approx(errors["reference"], abs=0.02)
    history = pd.read_parquet(results / "dataset" / "history.parquet").set_index("engine")
    assert history.loc["upstream", ["duration_s", "energy_j", "energy_evidence"]].isna().all()
    hotspots = pd.read_parquet(results / "dataset" / "hotspots.parquet")
    assert (results / "overview.rst").is_file()
    assert set(hotspots.loc[hotspots["kind"] == "function", "engine"]) == {"reference", "upstream"}
