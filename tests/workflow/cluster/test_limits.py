"""A job over its time or its memory comes back with more of it; a long training goes on where it was."""

import json

import pandas as pd
import pytest
from slurm_site import RUN_LIMIT_S

ROWS, TRAINING_S = 20_000, 170
#: The first attempt of a job that gets too little; SLURM looks at time limits every 30 s.
LIMITS = {
    "train": {"runtime": "1 if attempt == 1 else 15"},
    "compress": {"mem_mb": "100 if attempt == 1 else 8000"},
}


@pytest.fixture(scope="module")
def study(make_workspace, study_of_two):
    """Return a function that writes a study of one training that takes about three minutes on this machine."""
    workspace = make_workspace()
    short = {"rows": [ROWS], "epochs": [4]}
    options = {"data": {"toy": {"source": "toy", "shard_rows": ROWS}}, "training": {"save_every_s": 5}}
    workspace.snakemake(study_of_two(workspace, axes=short, **options), "--until", "train")
    record = json.loads(next(workspace.root.rglob("train/measurement.json")).read_text())
    epochs = int(TRAINING_S / (record["window"]["duration_s"] / record["iterations"] / 4))

    def write(workspace):
        return study_of_two(workspace, axes={"rows": [ROWS], "epochs": [epochs], "threads": [1]}, **options)

    return write


def test_limits_grow_and_a_long_training_resumes(study, make_site, make_workspace, same_dataset):
    site, here = make_site(), make_workspace()
    site.describe(on_gpu="nowhere", **LIMITS)
    command = ["snakemake", "--until", "collect", "--configfile"]
    local = here.start(*command, study(here), "--cores", "all")
    said = site.finish(site.start(*command, study(site.workspace), "--profile", "slurm"))
    assert local.wait(timeout=RUN_LIMIT_S) == 0
    same_dataset(site, here.root / "results" / "tiny" / "dataset")

    first, *others = site.jobs("train")
    assert (first.state, first.time_limit) == ("TIMEOUT", "00:01:00")
    assert [(job.state, job.time_limit) for job in others] == [("COMPLETED", "00:15:00")]
    killed, again = site.jobs("compress")
    assert killed.state in ("FAILED", "OUT_OF_MEMORY") and killed.memory_mb == 100
    assert (again.state, again.memory_mb) == ("COMPLETED", 8000)
    assert said.count("Trying to restart job") == 2

    runs = site.dataset("runs").set_index("operation")
    assert "resumed" in runs.loc["train", "flags"].split(",")
    whole = pd.read_parquet(here.root / "results" / "tiny" / "dataset" / "runs.parquet").set_index("operation")
    assert runs.loc["train", "energy_j"] > whole.loc["train", "energy_j"] / 3
