"""A user's mistakes end in one message, without a traceback, and cost no other point."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml


def refused(workspace, study) -> str:
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert not list((workspace.root / "results").rglob("measurement.json"))
    return done.stdout


def test_a_mistake_in_the_study_is_told_before_anything_runs(workspace):
    said = refused(workspace, workspace.study(cuntry="CHE", pue=0.5))
    assert "cuntry: is not a key of the configuration" in said
    assert "pue: is 0.5; should be greater than or equal to 1" in said


def test_a_missing_gpu_is_told_before_any_job(workspace):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    said = refused(workspace, workspace.study(axes={"rows": [400], "epochs": [1], "device": ["cuda"]}))
    assert "no NVIDIA GPU" in said
    assert "snakemake --profile slurm" in said
    assert "rule generate" not in said


def test_a_bad_input_is_told_and_the_other_points_complete(workspace):
    good, bad = workspace.root / "good.parquet", workspace.root / "bad.parquet"
    values = np.random.default_rng(1).normal(size=(300, 4))
    pd.DataFrame(values, columns=list("abcd")).to_parquet(good)
    values[17, 2] = np.nan
    pd.DataFrame(values, columns=list("abcd")).to_parquet(bad)
    data = {name: {"source": "file", "path": f"{name}.parquet"} for name in ("good", "bad")}
    study = workspace.study(data=data, axes={"rows": ["all"], "epochs": [1]})
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode != 0
    results = workspace.root / "results" / "tiny"
    said = (results / "logs" / "data" / "bad" / "rows~all.log").read_text()
    assert "bad.parquet" in said and "'c'" in said and "17" in said
    assert "Traceback" not in said
    assert (results / "runs" / "good" / "rows~all" / "epochs~1" / "repeat~0" / "evaluate" / "summary.json").is_file()
    assert not (results / "data" / "bad" / "rows~all" / "table.npz").exists()


def test_an_input_that_is_not_there_is_told_by_name_and_stops_no_other(workspace):
    data = {"mine": {"source": "file", "path": "nowhere.root"}, "other": {"source": "toy", "shard_rows": 500}}
    study = workspace.study(name="absent", data=data)
    other = "results/absent/data/other/rows~400/table.npz"
    mine = "results/absent/data/mine/rows~400/table.npz"
    done = workspace.run("snakemake", "--cores", "all", mine, other, "--configfile", study)
    assert done.returncode != 0
    said = (workspace.root / "results" / "absent" / "logs" / "data" / "mine" / "rows~400.log").read_text()
    assert "nowhere.root: cannot be read: No such file or directory" in said
    assert "Traceback" not in said
    assert (workspace.root / other).is_file()


def test_a_meter_that_is_asked_for_and_missing_is_told(workspace):
    if Path("/sys/class/powercap/intel-rapl:0").exists():
        pytest.skip("this machine has RAPL")
    measurement = yaml.safe_load(workspace.study().read_text())["measurement"] | {"meters": ["rapl", "process"]}
    study = workspace.study(name="meterless", measurement=measurement)
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode != 0
    said = (workspace.root / "results" / "meterless" / "logs" / "calibrate-auto.log").read_text()
    assert "The meter rapl was asked for" in said and "baler-energy doctor" in said
    assert "Traceback" not in said
