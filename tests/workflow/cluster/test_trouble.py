"""Jobs cancelled, a node drained, Snakemake interrupted or killed: nothing is lost, the numbers are a local run's."""

import os
import signal

import psutil
import pytest
import slurm
import slurm_power
from slurm_site import wait_for

ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT")


@pytest.fixture(scope="module")
def local(make_site, study_of_two):
    """Start the same study here, and give a function that waits for its dataset."""
    here = make_site()
    words = ("snakemake", "--cores", "all", "--until", "collect", "--configfile")
    run = here.start(*words, study_of_two(here.workspace, on_slurm=False))

    def dataset():
        here.finish(run)
        return here.workspace.root / "results" / "tiny" / "dataset"

    return dataset


@pytest.fixture
def site(make_site):
    """Give a site whose points of two epochs go to the pretend GPU's node."""
    site = make_site()
    site.describe(on_gpu="epochs~2")
    return site


def test_a_cancelled_training_is_tried_again_and_a_drained_node_waited_for(site, local, study_of_two, same_dataset):
    study = study_of_two(site.workspace)
    run = site.start("snakemake", "--profile", "slurm", "--until", "collect", "--configfile", study)
    cancelled = wait_for(lambda: site.jobs("train", "epochs~1", "RUNNING"), "training")[0]
    slurm.sh("scancel", str(cancelled.id))
    wait_for(lambda: site.jobs("train", "epochs~2", "RUNNING"), "training on the GPU's node")
    slurm.sh("scontrol", "update", "nodename=g1", "state=drain", "reason=test")
    try:
        waiting = wait_for(lambda: site.jobs("compress", "epochs~2", "PENDING"), "job that waits for the drained node")
        wait_for(lambda: site.jobs("decompress", "epochs~1", "COMPLETED"), "end of the other point")
        assert site.jobs("compress", "epochs~2") == waiting
    finally:
        slurm.sh("scontrol", "update", "nodename=g1", "state=resume")
    site.finish(run)
    assert [job.state for job in site.jobs("train", "epochs~1")] == ["CANCELLED", "COMPLETED"]
    assert [job.state for job in site.jobs("train", "epochs~2")] == ["COMPLETED"]
    same_dataset(site, local())
    assert_slurm_counted_the_nodes_energy(site)


def assert_slurm_counted_the_nodes_energy(site):
    """Compare with the nodes' power, which is known, as their counters are simulated; `runs` is of one iteration."""
    runs = site.dataset("runs").set_index(["run_id", "operation"])
    readings = site.dataset("measurements").query("meter == 'slurm' and quantity == 'energy'")
    assert len(readings) == len(runs) and set(readings["component"]) == {"node"}
    for reading in readings.itertuples():
        run = runs.loc[(reading.run_id, reading.operation)]
        assert abs(reading.value - slurm_power.POWER_W * run["window_s"]) <= reading.bound, reading.reason
        assert reading.bound < reading.value
        assert run["node_energy_j"] == pytest.approx(reading.value / run["iterations"])


def test_interrupted_and_killed_and_each_time_only_the_rest_is_done(site, local, study_of_two, same_dataset):
    study = study_of_two(site.workspace)
    snakemake = ["snakemake", "--profile", "slurm", "--configfile", study]

    run = site.start(*snakemake)
    wait_for(lambda: site.jobs("train", state="RUNNING"), "training")
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=120) != 0
    wait_for(lambda: all(job.state in ENDED for job in site.jobs()), "end of the interrupted run's jobs")
    assert site.jobs("train", state="CANCELLED")
    before = site.jobs()

    run = site.start(*snakemake)
    orphan = wait_for(lambda: site.jobs("compress", state="RUNNING"), "compression")[0]
    for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
        os.kill(process.pid, signal.SIGKILL)
    run.wait()
    assert not {job.rule for job in site.jobs() if job not in before} & {"generate", "prepare", "calibrate"}
    trained = site.jobs("train", state="COMPLETED")

    said = site.finish(site.start("baler_energy.cli", "study", "--profile", "slurm", "--configfile", study))
    assert "Cancelling SLURM jobs of a killed run" in said
    assert "releasing its lock" in said
    assert next(job for job in site.jobs() if job.id == orphan.id).state == "CANCELLED"
    assert site.jobs("train", state="COMPLETED") == trained
    assert site.workspace.planned(study) == []
    assert (site.workspace.root / "results" / "tiny" / "report.html").stat().st_size > 100_000
    left = {path.name for path in (site.workspace.root / "results").rglob(".*") if path.is_file()}
    assert left <= {".snakemake_timestamp"}, "temporary files left"
    same_dataset(site, local())
