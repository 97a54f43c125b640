"""A killed run can be resumed, and files that an orphan wrote are not trusted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from rule_names import OPERATIONS

from baler_energy.data.table import Table
from baler_energy.records import Measurement

pytestmark = pytest.mark.long

#: A guard against hangs, not a time that anything should take.
HANGS_S = 1800


def wait_for(condition, what: str):
    """Poll until a condition holds."""
    deadline = time.monotonic() + HANGS_S
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    pytest.fail(f"no {what} within {HANGS_S} s")


def working(root: Path, stage: str) -> list[psutil.Process]:
    """Find the processes that run a stage in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        is_stage = len(words) > 2 and Path(words[1]).name == "baler-energy" and words[2] == stage
        if is_stage and process.as_dict(["cwd"])["cwd"] == str(root):
            found.append(process)
    return found


def start(workspace: Any, study: Path) -> subprocess.Popen[bytes]:
    """Start a study; its output goes to the file ``said``."""
    command = [sys.executable, "-m", "baler_energy.cli", "study", "--configfile", str(study)]
    with (workspace.root / "said").open("wb") as said:
        return subprocess.Popen(
            command, cwd=workspace.root, env=workspace.environment, stdout=said, stderr=subprocess.STDOUT
        )


def stopped_training(workspace: Any) -> psutil.Process:
    """Wait for the training and suspend it, so that it lasts as long as a test needs it."""
    training = wait_for(lambda: working(workspace.root, "train"), "training")[0]
    training.suspend()
    return training


def study_and_snakemake(study: subprocess.Popen[bytes]) -> list[int]:
    """Find the process numbers of a study and its Snakemake."""
    return [study.pid, *(p.pid for p in psutil.Process(study.pid).children() if "snakemake" in p.cmdline())]


@pytest.fixture(scope="module")
def study(workspace, repository):
    """Write a study of a file's jets, without an energy meter."""
    path = repository / "tests" / "formats" / "fixtures" / "jets.parquet"
    return workspace.study(
        data={"jets": {"source": "file", "path": str(path)}},
        axes={"rows": [50], "epochs": [1]},
        measurement=workspace.measurement | {"meters": ["process"]},
    )


@pytest.fixture(scope="module")
def killed(workspace, study):
    """Start a study a second time during its training, then kill it; return the orphan and what the second run said."""
    first = start(workspace, study)
    orphan = stopped_training(workspace)
    second = workspace.run("baler_energy.cli", "study", "--configfile", study)
    for process in study_and_snakemake(first):
        os.kill(process, signal.SIGKILL)
    first.wait()
    assert orphan.is_running(), "the training outlives its Snakemake"
    return orphan, second


@pytest.fixture(scope="module")
def restarted(workspace, study, killed):
    """Start the killed study again and check the restart; return the results."""
    orphan, _ = killed
    again, said = start(workspace, study), workspace.root / "said"
    wait_for(lambda: "Waiting for jobs of a killed run" in said.read_text() or again.poll() is not None, "waiting")
    orphan.resume()
    assert again.wait(timeout=HANGS_S) == 0, said.read_text()
    assert "Waiting for jobs of a killed run" in said.read_text()
    assert "releasing its lock" in said.read_text()
    assert not orphan.is_running()
    return workspace.root / "results" / "tiny"


def test_a_request_to_stop_that_each_process_gets_is_followed(workspace, study):
    """As SLURM's: Snakemake gets its own and the one that the study passes on, and must not wait for itself."""
    path = study.with_name("stopped.yaml")
    path.write_text(study.read_text().replace("name: tiny", "name: stopped"))
    running = start(workspace, path)
    training = stopped_training(workspace)
    for process in study_and_snakemake(running):
        os.kill(process, signal.SIGTERM)
    training.resume()
    assert running.wait(timeout=HANGS_S) == 1
    assert "Some steps failed or were stopped" in (workspace.root / "said").read_text()
    assert (workspace.root / "results" / "stopped" / "runs").is_dir()
    assert not (workspace.root / "results" / "stopped" / "report.html").exists()


def test_a_second_run_is_refused_while_one_is_alive(killed):
    _, second = killed
    assert second.returncode == 1
    assert "Another Snakemake" in second.stdout
    assert "Traceback" not in second.stdout


def test_sigkill_in_the_middle_then_the_documented_restart(workspace, study, restarted):
    folder = restarted / "runs" / "jets" / "rows~50" / "epochs~1" / "repeat~0"
    records = [Measurement.read(folder / operation / "measurement.json") for operation in OPERATIONS]
    assert all(record.iterations >= 1 for record in records)
    starts = [record.window.start for record in records]
    assert starts == sorted(starts), "the training that counts is the one that the others read"
    assert len(Table.read(folder / "decompress" / "reconstructed.npz").data) == 50
    left = {path.name for path in restarted.rglob(".*") if path.is_file()}
    assert left <= {".snakemake_timestamp"}, "temporary files left"
    assert workspace.planned(study) == []
    assert (restarted / "report.html").stat().st_size > 100_000


def test_a_study_without_any_energy_completes_and_reports_it(restarted):
    runs = pd.read_parquet(restarted / "dataset" / "runs.parquet")
    assert len(runs) == len(OPERATIONS)
    assert runs["energy_j"].isna().all(), "missing, not zero"
    assert np.isfinite(runs["mean_rms_over_range"]).all()
    assert "NO ENERGY" in (restarted / "overview.rst").read_text()
    assert (restarted / "report.html").is_file(), "chapters without a figure do not stop the report"
