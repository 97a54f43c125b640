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


def write_table(path: Path, rows: int = 300) -> np.ndarray:
    """Write columns a to d."""
    values = np.random.default_rng(1).normal(size=(rows, 4))
    pd.DataFrame(values, columns=list("abcd")).to_parquet(path)
    return values


@pytest.mark.parametrize("words", [["--dry-run"], []])
def test_mistakes_in_files_are_reported_together_before_any_job(workspace, words):
    write_table(workspace.root / "good.parquet")
    data = {
        "good": {"path": "good.parquet"},
        "missing": {"path": "nowhere.root"},
        "column": {"path": "good.parquet", "columns": ["a", "e"]},
        "tree": {"path": "good.parquet", "tree": "Events"},
    }
    data = {name: {"source": "file"} | keys for name, keys in data.items()}
    study = workspace.study(name="wrong", data=data, axes={"rows": [50, 2000], "epochs": [1]})
    done = workspace.run("snakemake", "--cores", "all", *words, "--configfile", study)
    assert done.returncode == 2, done.stdout
    assert "4 mistakes in what it reads, so nothing was run" in done.stdout
    assert "data.good: good.parquet: has 300 rows, but 2000 were requested" in done.stdout
    assert "data.missing: nowhere.root: cannot be read: no such file" in done.stdout
    assert "data.column: good.parquet: has no column 'e'. It has: a, b, c, d" in done.stdout
    assert "data.tree: good.parquet: --tree 'Events' is only supported for ROOT files and HDF5 files" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (workspace.root / "results" / "wrong").exists(), "no job has started"
    assert not list((workspace.root / ".snakemake" / "locks").glob("*")), "the next run needs no --unlock"


def test_missing_values_are_on_the_terminal_and_the_other_points_complete(workspace):
    write_table(workspace.root / "good.parquet")
    values = write_table(workspace.root / "bad.parquet")
    values[17, 2] = np.nan
    pd.DataFrame(values, columns=list("abcd")).to_parquet(workspace.root / "bad.parquet")
    data = {name: {"source": "file", "path": f"{name}.parquet"} for name in ("good", "bad")}
    study = workspace.study(data=data, axes={"rows": ["all"], "epochs": [1]})
    done = workspace.run("snakemake", "--cores", "all", "--configfile", study)
    assert done.returncode == 1
    assert "bad.parquet: column 'c' has no value at row 17" in done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.index("has no value at row 17") < done.stdout.index("rule train"), "before anything is measured"
    results = workspace.root / "results" / "tiny"
    assert not (results / "data" / "bad" / "rows~all" / "table.npz").exists()
    assert (results / "runs" / "good" / "rows~all" / "epochs~1" / "repeat~0" / "evaluate" / "summary.json").is_file()


def test_a_meter_that_is_requested_and_missing_is_reported(workspace):
    if Path("/sys/class/powercap/intel-rapl:0").exists():
        pytest.skip("this machine has RAPL")
    measurement = workspace.measurement | {"meters": ["rapl", "process"]}
    study = workspace.study(name="meterless", measurement=measurement)
    calibration = "results/meterless/calibration/device~auto.json"
    done = workspace.run("snakemake", "--cores", "all", calibration, "--configfile", study)
    assert done.returncode != 0
    assert "Meter rapl cannot be used" in done.stdout and "baler-energy doctor" in done.stdout
    assert "Traceback" not in done.stdout
