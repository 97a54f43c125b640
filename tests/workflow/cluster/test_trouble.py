"""One study through many faults: it recovers, repeats nothing, and gives the numbers of an undisturbed local run."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import slurm
import slurm_power
from slurm_faults import LONG, PLAIN, SMALL, live, write_study
from slurm_rules import APPLY, MEASURED, MEMORY_MB, PROFILE, REPORTED, SHARED, TRAIN

#: Columns of a dataset that do not depend on where it was made.
KEYS = ["run_id", "dataset", "rows", "engine", "model", "device", "batch_size", "threads", "epochs", "repeat"]


@pytest.fixture(scope="module")
def local(make_site):
    """Return the site of a local run of the same study, and a function that starts it."""
    here = make_site()
    words = ("snakemake", "--cores", "2", "--until", "collect", "--configfile")
    return here, lambda: here.start(*words, write_study(here.workspace, on_slurm=False))


@pytest.fixture(scope="module")
def story(make_site, local):
    return live(make_site(), meanwhile=local[1])


@pytest.fixture(scope="module")
def site(story):
    return story.site


@pytest.fixture(scope="module")
def here(story, local):
    """Return the local site once its run is done."""
    (run,) = local[0].processes
    local[0].finish(run)
    return local[0]


@pytest.fixture(scope="module")
def runs(site):
    runs = site.dataset("runs")
    start = pd.to_datetime(runs["window_start"], utc=True)
    return runs.assign(begun=start, ended=start + pd.to_timedelta(runs["window_s"], unit="s"))


@pytest.fixture(scope="module")
def resumed(site):
    """Return the record of the training that ran out of time."""
    return json.loads(next(site.results.rglob(f"{LONG}/*/{TRAIN}/measurement.json")).read_text())


def states(jobs):
    return [job.state for job in jobs]


def started(site):
    """Leave out the jobs that still waited for the drained node when Snakemake was killed."""
    return [job for job in site.jobs() if job.node]


def test_every_run_does_only_the_rest(story, site):
    assert states(story.interrupted).count("CANCELLED") == 2
    assert {job.rule for job in story.interrupted if job.state == "COMPLETED"} == SHARED
    assert not {job.rule for job in site.jobs()[len(story.interrupted) :]} & SHARED
    trained = [job for job in story.killed if (job.rule, job.state) == (TRAIN, "COMPLETED")]
    assert len(trained) == 3 and site.jobs(TRAIN, state="COMPLETED") == trained
    assert site.workspace.planned(story.study) == []


def test_a_cancelled_training_is_tried_again(site):
    assert states(site.jobs(TRAIN, PLAIN)) == ["CANCELLED", "CANCELLED", "COMPLETED"]
    assert states(site.jobs(TRAIN, SMALL)) == ["CANCELLED", "COMPLETED"]


def test_the_run_waits_for_a_drained_node(story):
    before, later = story.waiting
    assert before == later and before.state == "PENDING"


def test_a_job_over_its_time_or_its_memory_gets_more_of_it(story, site):
    first, *others = site.jobs(TRAIN, LONG)
    assert first == story.long[1]
    assert (story.long[0].time_limit, first.state) == ("00:20:00", "TIMEOUT")
    assert [(job.state, job.time_limit) for job in others] == [("COMPLETED", "00:40:00")]
    killed, again = site.jobs(APPLY, PLAIN)
    assert killed.state in ("FAILED", "OUT_OF_MEMORY") and killed.memory_mb == 100
    assert (again.state, again.memory_mb) == ("COMPLETED", 8000)
    assert story.said.count("Trying to restart job") == 3, "one was cancelled, too"


def test_a_training_that_ran_out_of_time_resumes_and_reports_it(site, here, resumed):
    (segment,) = resumed["provenance"]["segments"]
    assert 0 < segment["duration_s"] < resumed["window"]["duration_s"]
    run, whole = (place.dataset("runs").query("operation == 'train'").set_index("epochs") for place in (site, here))
    run, whole = run.loc[resumed["parameters"]["epochs"]], whole.loc[resumed["parameters"]["epochs"]]
    assert run["run_notes"].split(",").count("resumed") == 1 and "resumed" not in str(run["run_flags"])
    assert run["energy_j"] > 0 and run["energy_scope"] == whole["energy_scope"]
    assert pd.isna(run["memory_peak_b"])
    reasons = [r["reason"] for r in resumed["readings"] if r["quantity"] == "memory_peak"]
    # SLURM's own energy is of the step that a process runs in.
    reasons += [r["reason"] for r in resumed["readings"] if (r["meter"], r["quantity"]) == ("slurm", "energy")]
    assert len(reasons) > 1 and all("interrupted" in reason for reason in reasons)


def test_the_jobs_of_a_killed_run_are_cancelled_and_its_lock_released(story, site):
    assert "Cancelling SLURM jobs of a killed run" in story.said
    assert "releasing its lock" in story.said
    orphan, again = site.jobs(APPLY, SMALL)
    assert orphan.id == story.waiting[0].id
    assert states([orphan, again]) == ["CANCELLED", "COMPLETED"]
    assert (site.results / "report.html").stat().st_size > 100_000
    left = {path.name for path in site.results.parent.rglob(".*") if path.is_file()}
    assert left <= {".snakemake_timestamp"}, "temporary files left"


def test_the_dataset_is_a_local_runs(site, here):
    """Compare its keys, and its errors to 1e-9."""
    for table, keys in {"runs": [*KEYS, "operation"], "errors": [*KEYS, "on_rows", "column"]}.items():
        ours, theirs = (place.dataset(table).sort_values(keys, ignore_index=True) for place in (site, here))
        pd.testing.assert_frame_equal(ours[keys], theirs[keys])
        assert list(ours) == list(theirs)
        if table == "errors":
            numbers = ours.select_dtypes("number").columns
            np.testing.assert_allclose(ours[numbers], theirs[numbers], rtol=1e-9, atol=1e-12)


def test_slurm_counted_the_nodes_energy(site):
    """Compare with the nodes' power, which is known because the counters are simulated; `runs` has one iteration."""
    runs = site.dataset("runs").set_index(["run_id", "operation"])
    readings = site.dataset("measurements").query("meter == 'slurm' and quantity == 'energy'")
    assert len(readings) == len(runs) and set(readings["component"]) == {"node"}
    counted = set()
    for reading in readings.itertuples():
        run = runs.loc[(reading.run_id, reading.operation)]
        # Where SLURM's clients take long to answer, the meter refuses a window of this length.
        if "resumed" in str(run["run_notes"]) or "raise measurement.min_window_s" in str(reading.reason):
            continue
        assert abs(reading.value - slurm_power.POWER_W * run["window_s"]) <= reading.bound, reading.reason
        assert reading.bound < reading.value
        assert run["node_energy_j"] == pytest.approx(reading.value / run["iterations"])
        counted.add(reading.operation)
    assert counted, readings["reason"].tolist()


def test_every_job_runs_where_it_belongs_with_what_it_requested(site):
    jobs = started(site)
    assert {job.rule for job in jobs} >= MEASURED | SHARED | REPORTED
    second_attempts = [*site.jobs(TRAIN, PLAIN, "COMPLETED"), *site.jobs(TRAIN, LONG, "COMPLETED")]
    (short_of_memory, _) = site.jobs(APPLY, PLAIN)
    for job in jobs:
        on_gpu = job.rule in MEASURED and SMALL in job.log
        assert (job.partition, job.gpus) == (("gpu", 1) if on_gpu else ("cpu", 0)), job
        assert job.cpus == (slurm.CORES if job.rule in {*MEASURED, "collect"} else 1), job
        if job != short_of_memory:
            attempt = 2 if job in second_attempts else 1
            assert job.memory_mb == MEMORY_MB.get(job.rule, job.memory_mb) * attempt >= 1000, job


def test_no_job_fails_except_those_that_should(story, site):
    meant = [*story.interrupted, *site.jobs(TRAIN, PLAIN)[1:2], story.long[1], *site.jobs(APPLY, PLAIN)[:1]]
    meant += [job for job in story.killed if job.state in ("PENDING", "RUNNING", "COMPLETING")]
    assert not [job for job in site.jobs() if job.state != "COMPLETED" and job.id not in {one.id for one in meant}]
    assert site.jobs(PROFILE, PLAIN, "COMPLETED")


def test_a_measured_job_shares_its_node_with_no_job(site):
    jobs = started(site)
    assert all(job.exclusive == (job.rule in MEASURED) for job in jobs)
    together = [
        (one, other)
        for one, other in combinations(jobs, 2)
        if one.node == other.node and one.start < other.end and other.start < one.end
    ]
    assert not [pair for pair in together if any(job.rule in MEASURED for job in pair)]


def test_windows_overlap_on_different_nodes_and_never_on_one(story, runs, resumed):
    assert runs["slurm_node"].nunique() == 3
    whole = runs[~runs["run_notes"].str.contains("resumed", na=False)]
    windows = list(whole[["begun", "ended", "slurm_node"]].itertuples(index=False))
    overlapping = [(a, b) for a, b in combinations(windows, 2) if a.begun < b.ended and b.begun < a.ended]
    assert not [(a, b) for a, b in overlapping if a.slurm_node == b.slurm_node]
    # The other window was open until its job ran out of time.
    job, begun = story.long[1], pd.Timestamp(resumed["window"]["start"])
    overlapping = [window for window in windows if window.begun < job.end and begun < window.ended]
    assert overlapping and not [window for window in overlapping if window.slurm_node == job.node]


def test_the_records_name_the_nodes_that_slurm_chose(site, runs):
    jobs = {job.id: job for job in site.jobs()}
    for run in runs.itertuples():
        job = jobs[int(run.slurm_job_id)]
        assert (run.slurm_node, run.slurm_partition) == (job.node, job.partition)
        assert (run.slurm_cpus, run.slurm_memory_bytes) == (job.cpus, job.memory_mb * 2**20)
        assert run.slurm_exclusive
        assert (run.slurm_gpus or 0) == job.gpus
