"""A user's mistakes end in one message without a traceback, and other points still complete."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long


def refused(workspace, study) -> str:
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert not list((workspace.root / "results").rglob("measurement.json"))
    return done.stdout


def test_a_mistake_in_the_study_is_reported_before_anything_runs(workspace):
    said = refused(workspace, workspace.study(cuntry="CHE", pue=0.5))
    assert "cuntry: unknown key" in said
    assert "pue: is 0.5; should be greater than or equal to 1" in said


def test_a_dataset_that_is_defined_twice_is_reported_before_anything_runs(workspace):
    study = workspace.study()
    study.write_text(study.read_text() + "data: {toy: {source: toy, seed: 2}}\n")
    assert "the key 'data' occurs more than once" in refused(workspace, study)


def test_a_missing_gpu_is_reported_before_any_job(workspace):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    said = refused(workspace, workspace.study(axes={"rows": [400], "epochs": [1], "device": ["cuda"]}))
    assert "no NVIDIA GPU" in said
    assert "snakemake --profile slurm" in said
    assert "rule generate" not in said


def test_bad_and_missing_inputs_are_reported_and_the_other_points_complete(workspace):
    good, bad = workspace.root / "good.parquet", workspace.root / "bad.parquet"
    values = np.random.default_rng(1).normal(size=(300, 4))
    pd.DataFrame(values, columns=list("abcd")).to_parquet(good)
    values[17, 2] = np.nan
    pd.DataFrame(values, columns=list("abcd")).to_parquet(bad)
    paths = {"good": "good.parquet", "bad": "bad.parquet", "missing": "nowhere.root"}
    data = {name: {"source": "file", "path": path} for name, path in paths.items()}
    study = workspace.study(data=data, axes={"rows": ["all"], "epochs": [1]})
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode != 0
    results = workspace.root / "results" / "tiny"
    logs = {name: (results / "logs" / "data" / name / "rows~all.log").read_text() for name in ("bad", "missing")}
    assert "bad.parquet" in logs["bad"] and "'c'" in logs["bad"] and "17" in logs["bad"]
    assert "nowhere.root: cannot be read: No such file or directory" in logs["missing"]
    for name, said in logs.items():
        assert "Traceback" not in said
        assert not (results / "data" / name / "rows~all" / "table.npz").exists()
    assert (results / "runs" / "good" / "rows~all" / "epochs~1" / "repeat~0" / "evaluate" / "summary.json").is_file()


def test_a_meter_that_is_requested_and_missing_is_reported(workspace):
    if Path("/sys/class/powercap/intel-rapl:0").exists():
        pytest.skip("this machine has RAPL")
    measurement = workspace.measurement | {"meters": ["rapl", "process"]}
    study = workspace.study(name="meterless", measurement=measurement)
    calibration = "results/meterless/calibration/device~auto.json"
    done = workspace.run("snakemake", "--cores", "all", calibration, "--configfile", study)
    assert done.returncode != 0
    said = (workspace.root / "results" / "meterless" / "logs" / "calibrate-auto.log").read_text()
    assert "Meter rapl cannot be used" in said and "baler-energy doctor" in said
    assert "Traceback" not in said
