"""A job over its time or its memory comes back with more of it; a long training goes on where it was."""

import json

import pandas as pd
import pytest

ROWS, TRAINING_S = 20_000, 110
#: The first attempt of a job that gets too little; SLURM looks at time limits every 30 s.
LIMITS = {
    "train": {"runtime": "1 if attempt == 1 else 15"},
    "compress": {"mem_mb": "100 if attempt == 1 else 8000"},
}


@pytest.fixture(scope="module")
def study(make_workspace, study_of_two):
    """Return a function that writes a study of one training that outlasts a limit of one minute."""
    workspace = make_workspace()
    short = {"rows": [ROWS], "epochs": [4]}
    options = {"data": {"toy": {"source": "toy", "shard_rows": ROWS}}, "training": {"save_every_s": 5}}
    workspace.snakemake(study_of_two(workspace, on_slurm=False, axes=short, **options), "--until", "train")
    record = json.loads(next(workspace.root.rglob("train/measurement.json")).read_text())
    epochs = int(TRAINING_S / (record["window"]["duration_s"] / record["iterations"] / 4))

    def write(workspace, on_slurm):
        axes = {"rows": [ROWS], "epochs": [epochs], "threads": [1]}
        return study_of_two(workspace, on_slurm=on_slurm, axes=axes, **options)

    return write


def test_limits_grow_and_a_long_training_resumes(study, make_site, same_dataset):
    site, here = make_site(), make_site()
    site.describe(on_gpu="nowhere", **LIMITS)
    command = ["snakemake", "--until", "collect", "--configfile"]
    local = here.start(*command, study(here.workspace, on_slurm=False), "--cores", "all")
    said = site.finish(site.start(*command, study(site.workspace, on_slurm=True), "--profile", "slurm"))
    here.finish(local)
    same_dataset(site, here.workspace.root / "results" / "tiny" / "dataset")

    first, *others = site.jobs("train")
    assert (first.state, first.time_limit) == ("TIMEOUT", "00:01:00")
    assert [(job.state, job.time_limit) for job in others] == [("COMPLETED", "00:15:00")]
    killed, again = site.jobs("compress")
    assert killed.state in ("FAILED", "OUT_OF_MEMORY") and killed.memory_mb == 100
    assert (again.state, again.memory_mb) == ("COMPLETED", 8000)
    assert said.count("Trying to restart job") == 2

    record = json.loads(next(site.workspace.root.rglob("train/measurement.json")).read_text())
    (segment,) = record["provenance"]["segments"]
    assert 30 < segment["duration_s"] < record["window"]["duration_s"]
    run = site.dataset("runs").set_index("operation").loc["train"]
    assert "resumed" in run["flags"].split(",")
    whole = here.dataset("runs").set_index("operation").loc["train"]
    assert run["energy_j"] > 0 and run["energy_scope"] == whole["energy_scope"]
    assert pd.isna(run["memory_peak_b"])
    reasons = [r["reason"] for r in record["readings"] if r["quantity"] == "memory_peak"]
    # SLURM's own energy is of the step that a process runs in.
    reasons += [r["reason"] for r in record["readings"] if (r["meter"], r["quantity"]) == ("slurm", "energy")]
    assert len(reasons) > 1 and all("interrupted" in reason for reason in reasons)
