"""The process that forks jobs: they behave as if each had been started separately."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from baler_energy import warm
from baler_energy.data import toy
from baler_energy.forked import SOCKET_VARIABLE
from baler_energy.meters.codecarbon import CodecarbonMeter
from baler_energy.records import Measurement
from baler_energy.warm import handed_over, warm_start

#: Time limit for a process that hangs (s).
LIMIT_S = 300
SERVING = "baler_energy.warm"
#: A job that waits (for its idle baseline) without a child process that would outlive it.
WAITING = ("measure", "--meters", "process", "--idle-s", LIMIT_S, "--", "true")
COMMAND = Path(sys.executable).with_name("baler-energy")


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """Keep the process running for the tests of this module."""
    with warm_start() as found:
        yield found


@pytest.fixture
def start(variables: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts a command in a folder; the process runs it."""

    def run(*words: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, **variables, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def children() -> list[psutil.Process]:
    """Find the jobs: children of the forking process, which is a child of this one."""
    return [
        job for child in psutil.Process().children() for job in child.children() if "warm" in " ".join(job.cmdline())
    ]


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"no {what} within {LIMIT_S} s")


def test_a_job_has_the_folder_the_files_and_the_exit_code_of_its_command(start, tmp_path):
    made = start("generate", "--source", "toy", "--rows", 200, "--seed", 1, "--out", "shard.npz")
    said, wrong = made.communicate(timeout=LIMIT_S)
    assert made.returncode == 0, wrong
    assert (tmp_path / "shard.npz").is_file()
    refused = start("prepare", "--input", "none.npz", "--rows", "5", "--out", "table.npz")
    said, wrong = refused.communicate(timeout=LIMIT_S)
    assert refused.returncode == 2 and said == ""
    assert "none.npz" in wrong and "Traceback" not in wrong
    helped = start("train", "--help")
    said, wrong = helped.communicate(timeout=LIMIT_S)
    assert helped.returncode == 0 and "usage: baler-energy train" in said and wrong == ""
    mistaken = start("train", "--nonsense")
    assert "the following arguments are required" in mistaken.communicate(timeout=LIMIT_S)[1]
    assert mistaken.returncode == 2


def test_a_job_has_the_environment_of_its_command_and_does_not_hand_over_commands(start):
    words = ("measure", "--meters", "process", "--idle-s", 0, "--")
    code = f"import os; print(os.environ['ONE_MORE'], [os.environ['{SOCKET_VARIABLE}']])"
    seen = start(*words, sys.executable, "-c", code, ONE_MORE="yes")
    said, wrong = seen.communicate(timeout=LIMIT_S)
    assert seen.returncode == 0, wrong
    assert "yes ['']" in said


def test_a_forked_training_equals_one_in_a_separate_process(start, tmp_path):
    toy.generate(300, 1).write(tmp_path / "table.npz")
    quick = ("--meters", "process", "--min-window-s", 0, "--idle-s", 0, "--threads", 1, "--device", "cpu")
    words = ("train", "--data", "table.npz", "--epochs", 2, *quick)
    forked, alone = start(*words, "--out", "forked"), start(*words, "--out", "alone", **{SOCKET_VARIABLE: "nowhere"})
    for command in (forked, alone):
        said = command.communicate(timeout=LIMIT_S)
        assert command.returncode == 0, said
    records = [Measurement.read(tmp_path / name / "measurement.json") for name in ("forked", "alone")]
    assert [record.provenance["forked"] for record in records] == [True, False]
    assert records[0].results["final_loss"] == records[1].results["final_loss"]
    assert records[0].provenance["source"] == records[1].provenance["source"]
    checkpoints = [(tmp_path / name / "checkpoint.pt").read_bytes() for name in ("forked", "alone")]
    assert checkpoints[0] == checkpoints[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_ends_with_the_command_that_handed_it_over(start, number):
    waiting = start(*WAITING)
    (job,) = wait_for(children, "job")
    waiting.send_signal(number)
    waiting.communicate(timeout=LIMIT_S)
    job.wait(timeout=LIMIT_S)
    assert not job.is_running()


def test_a_killed_job_is_reported(start):
    waiting = start(*WAITING)
    (job,) = wait_for(children, "job")
    job.kill()
    assert "The job's process was killed." in waiting.communicate(timeout=LIMIT_S)[1]
    assert waiting.returncode == 1


def test_without_the_process_a_command_runs_by_itself(monkeypatch, tmp_path):
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    assert handed_over(["doctor"]) is None
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "nobody"))
    assert handed_over(["doctor"]) is None


def test_commands_run_by_themselves_if_the_process_has_died(monkeypatch):
    with warm_start() as found:
        serving = [child for child in psutil.Process().children() if SERVING in child.cmdline()]
        process = max(serving, key=psutil.Process.create_time)
        process.kill()
        process.wait(timeout=LIMIT_S)
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        assert handed_over(["doctor"]) is None


def test_it_ends_with_the_process_that_started_it():
    code = "import time, baler_energy.warm as w\nwith w.warm_start():\n    print(1, flush=True)\n    time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None and starter.stdout.readline()
        (process,) = psutil.Process(starter.pid).children()
        starter.kill()
    process.wait(timeout=LIMIT_S)


DETECTION = """
import threading, time
from codecarbon.core import hardware_cache
from baler_energy import devices, warm
devices.count_gpus = lambda: 0
warm._detect_hardware()
print("plans:", len(hardware_cache._plans), flush=True)
while threading.active_count() > 1:  # cancelled timers take a moment to end
    time.sleep(0.05)
"""


def test_codecarbon_detects_the_hardware_before_jobs_are_forked():
    """A process with threads must not be forked. In a process of its own: other tests leave trackers behind."""
    done = subprocess.run(
        [sys.executable, "-c", DETECTION], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert done.stdout == "plans: 1\n"


def test_a_process_that_forks_jobs_does_not_start_nvml(monkeypatch):
    monkeypatch.setattr("baler_energy.devices.count_gpus", lambda: 1)
    opened = []
    monkeypatch.setattr(CodecarbonMeter, "open", opened.append)
    warm._detect_hardware()
    assert not opened, "codecarbon would initialise NVML"


def test_a_tracker_that_does_not_start_is_left_to_the_jobs(monkeypatch):
    called = []

    def fails(self):
        called.append("open")
        raise RuntimeError("codecarbon's tracker does not start")

    monkeypatch.setattr("baler_energy.devices.count_gpus", lambda: 0)
    monkeypatch.setattr(CodecarbonMeter, "open", fails)
    monkeypatch.setattr(CodecarbonMeter, "close", lambda self: called.append("close"))
    warm._detect_hardware()
    assert called == ["open", "close"]
