"""Snakemake's lock of the folder: that of a killed run is released without `--unlock`, that of a living one is not."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from baler_energy.stages import study

pytestmark = pytest.mark.long

TARGET = "results/tiny/study.yaml"
LIVING = "from baler_energy.stages.study import release_stale_lock as read; read(); print(flush=True); input()"


def run(workspace):
    return workspace.run("snakemake", TARGET, "--cores", "1", "--configfile", workspace.study())


def test_snakemake_runs_after_one_that_was_killed_and_not_during_a_living_one(workspace):
    lock = workspace.root / ".snakemake" / "locks" / "0.output.lock"
    with subprocess.Popen(
        [sys.executable, "-c", LIVING],
        cwd=workspace.root,
        env=workspace.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as living:
        assert living.stdout is not None
        living.stdout.readline()
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(f"{TARGET}\n")
        refused = run(workspace)
        assert refused.returncode != 0 and "cannot be locked" in refused.stdout
        assert lock.exists() and not (workspace.root / TARGET).exists()
        living.kill()
    done = run(workspace)
    assert done.returncode == 0, done.stdout
    assert "releasing its lock" in done.stdout and (workspace.root / TARGET).exists()
    assert not lock.exists()


def test_snakemake_waits_for_jobs_of_its_study_that_a_killed_one_left(workspace):
    command = Path(sys.executable).with_name("baler-energy")
    # A job that lasts until it is killed, in its idle baseline.
    job = [command, "measure", "--meters", "process", "--idle-s", "3600", "--", "true"]
    mark = {study._RESULTS_VARIABLE: str(workspace.root / "results" / "tiny")}
    words = ["snakemake", TARGET, "--forcerun", "study", "--cores", "1", "--configfile", str(workspace.study())]
    said = workspace.root / "said"
    with (
        subprocess.Popen(job, env=workspace.environment | mark, stderr=subprocess.DEVNULL) as orphan,
        said.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=workspace.root,
            env=workspace.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as snakemake,
    ):
        try:
            while "Waiting for jobs of a killed run" not in said.read_text():
                assert snakemake.poll() is None, said.read_text()
                time.sleep(0.05)
            assert f"kill {orphan.pid}" in said.read_text()
        finally:
            orphan.kill()
        assert snakemake.wait() == 0, said.read_text()
