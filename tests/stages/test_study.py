"""The subcommand ``study``: how it ends its Snakemake, and which processes it waits for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from baler_energy.cli import main
from baler_energy.errors import BalerEnergyError
from baler_energy.stages import study

#: A guard against hangs (s).
LIMIT_S = 300
COMMAND = Path(sys.executable).with_name("baler-energy")
#: Replaces Snakemake: runs until SIGTERM, then takes a moment to end, as Snakemake does.
SNAKEMAKE = """
import signal, sys, time
from pathlib import Path

def end(*_):
    time.sleep(0.3)
    Path("ended").touch()
    sys.exit(1)

signal.signal(signal.SIGTERM, end)
Path("started").touch()
time.sleep(600)
"""


def test_sigterm_ends_snakemake_too(tmp_path: Path) -> None:
    (tmp_path / "snakemake").mkdir()
    (tmp_path / "snakemake" / "__init__.py").touch()
    (tmp_path / "snakemake" / "__main__.py").write_text(SNAKEMAKE)
    code = "import sys; from baler_energy.stages.study import _snakemake; sys.exit(10 + _snakemake())"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE
    )
    while not (tmp_path / "started").exists():
        assert process.poll() is None, "it runs until SIGTERM"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert (tmp_path / "ended").exists() and process.returncode == 11, "it waited for Snakemake, and passed its code on"
    assert b"Asked to stop" in said and b"Traceback" not in said


# which processes it waits for

#: Replaces Snakemake: runs until there is a file ``go``, and writes an empty report.
SHORT_SNAKEMAKE = """
import sys, time
from pathlib import Path

if "--report" in sys.argv:
    report = Path(sys.argv[sys.argv.index("--report") + 1])
    report.parent.mkdir(parents=True, exist_ok=True)
    sys.exit(report.touch())
with Path("started").open("a") as file:
    file.write("x")
while not Path("go").exists():
    time.sleep(0.02)
"""
STUDY = {
    "name": "tiny",
    "country": "CHE",
    "data": {"toy": {"source": "toy"}},
    "design": "factorial",
    "axes": {"rows": [400], "epochs": [1]},
}
#: A job that lasts until it is killed, in its idle baseline.
JOB = ("measure", "--meters", "process", "--idle-s", "600", "--", "true")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts our command in a folder with a study; all of them end with the test."""
    (tmp_path / "modules" / "snakemake").mkdir(parents=True)
    (tmp_path / "modules" / "snakemake" / "__init__.py").touch()
    (tmp_path / "modules" / "snakemake" / "__main__.py").write_text(SHORT_SNAKEMAKE)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (tmp_path / "Snakefile").touch()
    path = os.pathsep.join([str(tmp_path / "modules"), *sys.path])

    with ExitStack() as stack:

        def run(*words: str, **environment: str) -> "subprocess.Popen[str]":
            process = stack.enter_context(
                subprocess.Popen(
                    [COMMAND, *words],
                    cwd=tmp_path,
                    env=os.environ | {"PYTHONPATH": path} | environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield run


def start_study(start: Start) -> "subprocess.Popen[str]":
    return start("study", "--configfile", "study.yaml", "--profile", "none")


def running(process: "subprocess.Popen[str]") -> bool:
    """Whether our command runs, rather than what starts it."""
    return COMMAND.name in " ".join(psutil.Process(process.pid).cmdline()[:2])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"no {what} within {LIMIT_S} s")


def test_of_two_studies_that_start_at_once_one_runs(start, tmp_path):
    both = [start_study(start) for _ in range(2)]
    wait_for(lambda: any(one.poll() is not None for one in both), "end of the second")
    (refused,) = (one for one in both if one.poll() is not None)
    (first,) = (one for one in both if one is not refused)
    (said,) = refused.communicate()[0].splitlines()
    assert refused.returncode == 1, said
    assert f"Another Snakemake (process {first.pid} on " in said and "is running in this folder" in said
    (tmp_path / "go").touch()
    assert first.wait(LIMIT_S) == 0, first.communicate()[0]
    assert (tmp_path / "started").read_text() == "x"
    again = start_study(start)
    assert again.wait(LIMIT_S) == 0, again.communicate()[0]


def test_a_study_that_was_killed_but_not_its_snakemake_refuses_another(start, tmp_path):
    first = start_study(start)
    wait_for((tmp_path / "started").exists, "Snakemake")
    (snakemake,) = psutil.Process(first.pid).children()
    first.kill()
    second = start_study(start)
    assert second.wait(LIMIT_S) == 1
    assert f"Another Snakemake (process {snakemake.pid})" in second.communicate()[0]
    (tmp_path / "go").touch()


@pytest.mark.parametrize("mark", [None, "results/another"])
def test_a_process_that_is_no_job_of_the_study_does_not_block_it(start, tmp_path, mark):
    variables = {} if mark is None else {study._RESULTS_VARIABLE: str(tmp_path / mark)}
    other = start(*JOB, **variables)
    wait_for(lambda: running(other), "other process")
    (tmp_path / "go").touch()
    first = start_study(start)
    assert first.wait(LIMIT_S) == 0, first.communicate()[0]
    assert "Waiting" not in first.communicate()[0]
    assert other.poll() is None


def test_a_job_that_a_killed_snakemake_left_is_waited_for(start, tmp_path, monkeypatch):
    monkeypatch.setenv(study._RESULTS_VARIABLE, "")  # restored after the test
    study.mark_jobs(tmp_path / "results" / "tiny")
    orphan = start(*JOB)
    wait_for(lambda: running(orphan), "orphan")
    (tmp_path / "go").touch()
    first = start_study(start)
    assert first.stdout is not None
    said = first.stdout.readline()
    assert "Waiting for jobs of a killed run" in said and f"kill {orphan.pid}" in said
    assert not (tmp_path / "started").exists()
    orphan.kill()
    orphan.wait()
    assert first.wait(LIMIT_S) == 0, first.communicate()[0]


def test_results_that_cannot_be_written_are_refused(start, tmp_path):
    (tmp_path / "results").touch()
    refused = start_study(start)
    assert refused.wait(LIMIT_S) == 2
    assert "results/tiny: cannot be written: Not a directory" in refused.communicate()[0]
    assert not (tmp_path / "started").exists()


# jobs that a killed Snakemake left in SLURM


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that installs scripts as SLURM's commands, in whose folder the test runs."""
    monkeypatch.chdir(tmp_path)

    def install(squeue: str, scancel: str) -> None:
        for name, script in (("squeue", squeue), ("scancel", scancel)):
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    return install


def test_jobs_in_slurm_are_cancelled_and_awaited(clients, tmp_path, capsys):
    listed = f"echo '7|rule_train|{tmp_path}'; echo '8|rule_train|/elsewhere'; echo '9|mine|{tmp_path}'"
    clients(f"[ -e ended ] || {{ {listed}; }}; [ ! -e cancelled ] || touch ended", 'echo "$@" > cancelled')
    study._cancel_orphans()
    assert (tmp_path / "cancelled").read_text() == "7\n"
    said = capsys.readouterr().err
    assert "Cancelling SLURM jobs of a killed run: 7." in said and "Waiting for SLURM to end 7." in said


def test_jobs_in_slurm_that_cannot_be_cancelled_are_an_error_with_a_way_out(clients, tmp_path):
    clients(f"echo '7|rule_train|{tmp_path}'", "echo 'Access denied' >&2; exit 1")
    with pytest.raises(BalerEnergyError, match=r"SLURM jobs 7 .* scancel failed: Access denied\. Cancel them"):
        study._cancel_orphans()


def test_a_slurm_that_does_not_answer_is_reported(clients, tmp_path, monkeypatch, capsys):
    clients("exec sleep 60", "touch cancelled")
    monkeypatch.setattr(study, "_CLIENT_LIMIT_S", 0.2)
    study._cancel_orphans()
    assert "SLURM could not be asked for jobs of a killed run: squeue did not answer" in capsys.readouterr().err
    assert not (tmp_path / "cancelled").exists()


# what is refused before Snakemake starts


def test_outside_a_clone_it_says_where_to_run(start, tmp_path, repository):
    (tmp_path / "Snakefile").unlink()
    for words in ((), ("--configfile", "study.yaml")):
        refused = start("study", *words)
        assert refused.wait(LIMIT_S) == 2
        said = refused.communicate()[0]
        assert f"There is no Snakefile in this folder, {tmp_path}." in said and "Traceback" not in said
        assert f"`cd {repository}`" in said
    assert not (tmp_path / "started").exists()


def test_cores_do_not_apply_to_a_cluster(capsys):
    with pytest.raises(SystemExit):
        main(["study", "--cores", "2", "--profile", "slurm"])
    assert "--profile: not allowed with argument --cores" in capsys.readouterr().err


@pytest.mark.parametrize("code", [2, 3])
def test_a_study_that_snakemake_refuses_is_not_a_failed_step(start, tmp_path, code):
    (tmp_path / "modules" / "snakemake" / "__main__.py").write_text(f"import sys; sys.exit({code})")
    refused = start_study(start)
    assert refused.wait(LIMIT_S) == code
    assert "Nothing was run, for the reason above." in refused.communicate()[0]


# whose lock it releases

#: A Snakemake, as far as the lock is concerned: it reads the workflow, then lives until it is killed.
LIVING = "from baler_energy.stages.study import release_stale_lock as read; read(); print(flush=True); input()"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Return a function that makes a Snakemake's lock, reads the workflow, and returns whether the lock is kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "_OPEN", [])
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"

    def kept() -> bool:
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text("results/tiny/report.html\n")
        study.release_stale_lock()
        while study._OPEN:  # as if this process had ended
            study._OPEN.pop().close()
        return lock.exists()

    return kept


def begun(*command: str | Path) -> "subprocess.Popen[str]":
    """Start a process in this folder, and wait for its first line."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_the_lock_of_a_killed_snakemake_is_released(locked, capsys):
    assert not locked()
    assert "An earlier run was killed: releasing its lock" in capsys.readouterr().err


def test_the_lock_of_a_living_snakemake_is_kept(locked, capsys):
    with begun(sys.executable, "-c", LIVING) as living:
        assert locked()
        with begun(sys.executable, "-c", LIVING) as other:  # such as a dry run
            other.kill()
        assert locked()
        living.kill()
    assert "releasing" not in capsys.readouterr().err
    assert not locked()


def test_a_snakemake_of_another_workflow_keeps_its_lock(locked, tmp_path):
    (tmp_path / "snakemake").write_text("print(flush=True)\ninput()")
    with begun(sys.executable, tmp_path / "snakemake") as living:
        assert locked()
        living.kill()
    assert not locked()


def test_the_lock_is_kept_while_slurm_has_jobs_of_the_killed_run(locked, capsys, monkeypatch):
    monkeypatch.setattr(study, "_slurm_jobs_here", lambda: ["17", "18"])
    assert locked()
    assert "scancel 17 18" in capsys.readouterr().err


def test_the_lock_is_kept_while_slurm_does_not_answer_about_jobs_of_this_folder(locked, clients, tmp_path, capsys):
    clients("echo 'Unable to contact slurm controller' >&2; exit 1", "touch cancelled")
    assert not locked(), "no job of this folder has run on SLURM"
    (tmp_path / ".snakemake" / "slurm_logs").mkdir()
    capsys.readouterr()
    assert locked()
    assert "Unable to contact slurm controller" in (said := capsys.readouterr().err) and "snakemake --unlock" in said
    with pytest.raises(BalerEnergyError, match="Run again when `squeue` answers"):
        study._cancel_orphans()
    assert not (tmp_path / "cancelled").exists()


def test_a_study_is_refused_while_a_snakemake_lives_elsewhere(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with begun(sys.executable, "-c", LIVING) as living:
        refused = start_study(start)
        assert refused.wait(LIMIT_S) == 1
        assert "Another Snakemake (on another host or in another container)" in refused.communicate()[0]
        living.kill()
    assert not (tmp_path / "started").exists()
