"""A killed run is taken up again, and nothing that an orphan wrote is taken for good."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from baler_energy.data.table import Table
from baler_energy.records import Measurement

OPERATIONS = ("train", "compress", "decompress")
SLOW = {
    "meters": ["codecarbon", "process"],
    "min_window_s": 4.0,
    "idle_s": 0.2,
    "idle_lifetime_s": 3600,
    "sample_interval_s": 0.05,
    "calibrate_s": 1,
}


def wait_for(condition, what: str, limit_s: float = 90.0):
    """Poll until a condition holds."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail(f"no {what} within {limit_s} s")


def working(root: Path, stage: str) -> list[psutil.Process]:
    """Find the processes that run a stage in a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        is_stage = len(words) > 2 and Path(words[1]).name == "baler-energy" and words[2] == stage
        if is_stage and process.info["cwd"] == str(root):
            found.append(process)
    return found


def start(workspace: Any, study: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "baler_energy.cli", "study", "--configfile", str(study)]
    return subprocess.Popen(
        command, cwd=workspace.root, env=workspace.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_sigkill_in_the_middle_then_the_documented_restart(workspace):
    study = workspace.study(measurement=SLOW)
    first = start(workspace, study)
    orphan = wait_for(lambda: working(workspace.root, "train"), "training")[0]
    for process in [first.pid, *(p.pid for p in psutil.Process(first.pid).children() if "snakemake" in p.cmdline())]:
        os.kill(process, signal.SIGKILL)
    first.wait()
    assert orphan.is_running(), "the training outlives its Snakemake"

    again = workspace.run("baler_energy.cli", "study", "--configfile", study)
    assert again.returncode == 0, again.stdout
    assert "Waiting for jobs of a killed run" in again.stdout
    assert "releasing its lock" in again.stdout
    assert not orphan.is_running()
    folder = workspace.root / "results" / "tiny" / "runs" / "toy" / "rows~400" / "epochs~1" / "repeat~0"
    starts = [Measurement.read(folder / operation / "measurement.json").window.start for operation in OPERATIONS]
    assert starts == sorted(starts), "the training that counts is the one that the others read"
    assert len(Table.read(folder / "decompress" / "reconstructed.npz").data) == 400
    left = {path.name for path in (workspace.root / "results").rglob(".*") if path.is_file()}
    assert left <= {".snakemake_timestamp"}, "temporary files left"
    assert workspace.planned(study) == []
    assert (workspace.root / "results" / "tiny" / "report.html").stat().st_size > 100_000


def test_a_second_run_beside_a_living_one_is_refused(workspace):
    study = workspace.study(measurement=SLOW | {"min_window_s": 4.5})
    first = start(workspace, study)
    try:
        wait_for(lambda: working(workspace.root, "train"), "training")
        beside = workspace.run("baler_energy.cli", "study", "--configfile", study)
        assert beside.returncode == 1
        assert "Another Snakemake" in beside.stdout
        assert "Traceback" not in beside.stdout
    finally:
        for process in psutil.Process(first.pid).children():
            process.send_signal(signal.SIGINT)
        first.wait(timeout=120)
    records = (workspace.root / "results").rglob("measurement.json")
    assert all(json.loads(path.read_text())["iterations"] >= 1 for path in records)
