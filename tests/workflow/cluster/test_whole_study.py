"""The smoke study through `--profile slurm`: the right places, nothing beside a measurement, and still side by side."""

import math
from itertools import combinations

import pandas as pd
import pytest
import yaml

MEASURED = {"calibrate", "train", "compress", "decompress", "forward", "profile", "parts"}
RESOURCES_MB = dict.fromkeys(("train", "compress", "decompress", "forward"), 8000) | {"calibrate": 2000}
#: What the jobs of rule `evaluate` are called that share one.
GROUP = "short_evaluate"
#: Jobs that are submitted together start within a second or two; windows as long as this one then overlap.
WINDOW_S = 6.0


@pytest.fixture(scope="module")
def site(make_site):
    """Give a site on which the smoke study ran; its points with one thread on the pretend GPU's node."""
    site = make_site()
    site.describe(on_gpu="threads~1")
    study = site.workspace.root / "config" / "studies" / "smoke.yaml"
    smoke = yaml.safe_load(study.read_text())
    smoke["measurement"]["min_window_s"] = WINDOW_S
    study.write_text(yaml.safe_dump(smoke, sort_keys=False))
    site.finish(site.start("snakemake", "--profile", "slurm", "--configfile", study))
    return site


@pytest.fixture(scope="module")
def runs(site):
    runs = pd.read_parquet(site.workspace.root / "results" / "smoke" / "dataset" / "runs.parquet")
    start = pd.to_datetime(runs["start"], utc=True)
    return runs.assign(begun=start, ended=start + pd.to_timedelta(runs["window_s"], unit="s"))


def test_every_job_succeeds_where_it_belongs_with_what_it_asked_for(site):
    jobs = site.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.rule for job in jobs} >= MEASURED | {"generate", "prepare", "collect", "figures", "tables", "report"}
    for job in jobs:
        on_gpu = job.rule in MEASURED and "threads~1" in job.log
        assert (job.partition, job.gpus) == (("gpu", 1) if on_gpu else ("cpu", 0)), job
        if job.rule != GROUP:
            assert job.cpus == (2 if job.rule in {*MEASURED, "collect"} else 1), job
            assert job.memory_mb == RESOURCES_MB.get(job.rule, job.memory_mb) >= 1000, job


def test_short_jobs_share_a_job_of_slurms(site, runs):
    grouped = site.jobs(GROUP)
    assert not site.jobs("evaluate")
    assert len(grouped) == math.ceil(runs["run_id"].nunique() / 2)
    assert {(job.cpus, job.memory_mb) for job in grouped} <= {(2, 8000), (1, 4000)}


def test_a_measured_job_shares_its_node_with_no_job(site):
    jobs = site.jobs()
    assert all(job.exclusive == (job.rule in MEASURED) for job in jobs)
    together = [
        (one, other)
        for one, other in combinations(jobs, 2)
        if one.node == other.node and one.start < other.end and other.start < one.end
    ]
    assert not [pair for pair in together if any(job.rule in MEASURED for job in pair)]


def test_windows_overlap_on_different_nodes_and_never_on_one(runs):
    assert runs["slurm_node"].nunique() == 3
    windows = list(runs[["begun", "ended", "slurm_node"]].itertuples(index=False))
    overlapping = [(a, b) for a, b in combinations(windows, 2) if a.begun < b.ended and b.begun < a.ended]
    assert [(a, b) for a, b in overlapping if a.slurm_node != b.slurm_node]
    assert not [(a, b) for a, b in overlapping if a.slurm_node == b.slurm_node]


def test_the_records_say_where_slurm_put_them(site, runs):
    jobs = {job.id: job for job in site.jobs()}
    for run in runs.itertuples():
        job = jobs[int(run.slurm_job_id)]
        assert (run.slurm_node, run.slurm_partition) == (job.node, job.partition)
        assert (run.slurm_cpus, run.slurm_memory_bytes) == (job.cpus, job.memory_mb * 2**20)
        assert run.slurm_exclusive
        assert (run.slurm_gpus or 0) == job.gpus
