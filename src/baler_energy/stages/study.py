"""Subcommand ``study``: run a whole study with Snakemake and write its report; also restart after a crash."""

import argparse
import fcntl
import math
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TextIO

import psutil

from baler_energy.config.study import load_study
from baler_energy.errors import BalerEnergyError, InputError, UnavailableError
from baler_energy.files import output_folder
from baler_energy.progress import LOG_INTERVAL_S, announce
from baler_energy.runnable import runnable
from baler_energy.signals import handling
from baler_energy.slurm import ask
from baler_energy.warm import warm_start

__all__ = ["EPILOG", "HELP", "add_arguments", "await_orphans", "mark_jobs", "release_stale_lock", "run", "run_study"]

#: Longest wait for an answer from SLURM's clients (s).
_CLIENT_LIMIT_S = 60
#: Environment variable of a study's jobs: the folder of its results.
_RESULTS_VARIABLE = "BALER_ENERGY_RESULTS"
#: Where Snakemake looks for a workflow.
_SNAKEFILES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
#: Snakemake's lock of a folder: it names the files of the run that made it, but not its process.
_LOCKS = Path(".snakemake", "locks")
#: Where Snakemake keeps the logs of jobs on SLURM.
_SLURM_LOGS = Path(".snakemake", "slurm_logs")
#: A file that every Snakemake of this workflow locks, together with others, for as long as it lives.
_LIVING = Path(".snakemake", "living.lock")
#: Open files of this process; the kernel releases their locks when it ends.
_OPEN: list[TextIO] = []
HELP = "run a whole study with Snakemake and write its report; also restarts one that was killed"
EPILOG = """\
examples, from the root of the repository:
  baler-energy study                                            the laptop study
  baler-energy study --configfile config/studies/smoke.yaml     another one
  baler-energy study --configfile config/studies/worth.yaml mine.yaml   one with changed keys
  baler-energy study --profile slurm                            on a cluster

Finished steps are kept. After a crash or a kill, the same command waits for the study's jobs that are still running
(on a cluster it cancels them), releases Snakemake's lock and repeats unfinished steps. Only one study runs in a folder
at a time.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[Path("config/config.yaml")],
        metavar="FILE",
        help="the study (YAML); further files change or add keys (default: config/config.yaml)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cores", default="all", help="cores for Snakemake (default: all)")
    where.add_argument(
        "--profile", metavar="NAME", help="Snakemake's profile of a cluster, instead of --cores: slurm or htcondor"
    )


def run(args: argparse.Namespace) -> None:
    """Run this subcommand."""
    report = run_study(args.configfile, ["--profile", args.profile] if args.profile else ["--cores", args.cores])
    print(f"The report is at {report}")


def run_study(configfiles: Sequence[Path], where: Sequence[str]) -> Path:
    """Run a study in the working directory and write its report.

    Parameters
    ----------
    configfiles
        The study, as of `config.study.load_study`.
    where
        Snakemake's options for where it runs: ``--cores all`` or ``--profile slurm``.

    Returns
    -------
    pathlib.Path
        The report, ``results/<study>/report.html``.

    Raises
    ------
    UnavailableError
        The machine lacks an engine that the study requires.
    InputError
        There is no Snakefile here, the study or what it reads has mistakes, or the results cannot be written.
    BalerEnergyError
        Another study or Snakemake runs in this folder, or a step failed.
    """
    _check_folder()
    study, _ = runnable(load_study(configfiles))
    results = output_folder(f"results/{study.name}")
    with _alone():
        await_orphans(results)
        return _run_steps(results, ["--configfile", *map(str, configfiles)], where)


def _check_folder() -> None:
    """Refuse a folder in which Snakemake would find no workflow."""
    if any(Path(name).is_file() for name in _SNAKEFILES):
        return
    root = Path(__file__).parents[3]
    how = f"`cd {shlex.quote(str(root))}`" if (root / "Snakefile").is_file() else "clone the repository first"
    raise InputError(
        f"There is no Snakefile in this folder, {Path.cwd()}. A study runs in the root of a clone of baler-energy, "
        f"with Snakefile, config and profiles: {how}. The study file and its data may be anywhere."
    )


def _run_steps(results: Path, options: Sequence[str], where: Sequence[str]) -> Path:
    if _is_locked():
        _cancel_orphans()  # Snakemake then releases the lock, see `release_stale_lock`
    # On a cluster, jobs run on other machines.
    start: AbstractContextManager[dict[str, str]] = nullcontext({}) if "--profile" in where else warm_start()
    with start as variables:
        code = _snakemake(*where, *options, variables=variables)
    for kind in (InputError, UnavailableError):
        if code == kind.exit_code:
            raise kind("Nothing was run, for the reason above.")
    if code != 0:
        raise BalerEnergyError(
            f"Some steps failed or were stopped; their messages are above, their logs under {results}/logs. Finished "
            "steps are kept: fix the cause of a failure, if any, and run the same command again."
        )
    report = results / "report.html"
    if _snakemake("--report", str(report), *options) != 0:
        raise BalerEnergyError("The study is done, but its report could not be written; see the messages above.")
    return report


def _snakemake(*options: str, variables: Mapping[str, str] = MappingProxyType({})) -> int:
    # The rules call `baler-energy`, which is in this interpreter's folder whether or not its environment is active.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    command = [sys.executable, "-m", "snakemake", *options]
    process = subprocess.Popen(command, env={**os.environ, **variables, "PATH": path})
    interrupted = False
    with _terminating(process):
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                # A terminal also sends Ctrl-C to Snakemake, which first ends its jobs; wait for that.
                interrupted = True
            else:
                break
    if interrupted:
        raise KeyboardInterrupt
    return code


@contextmanager
def _terminating(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass a request to end on to a process, which would otherwise go on alone."""

    def terminate(number: int, frame: FrameType | None) -> None:
        process.terminate()  # before the message, as the terminal may be gone
        name = signal.Signals(number).name
        announce(f"Asked to stop ({name}): waiting for Snakemake, which first lets its running jobs finish.")

    with handling(terminate):
        yield


def mark_jobs(results: Path) -> None:
    """Mark the jobs that this process starts as those of a study, so that they are recognised if they outlive it."""
    os.environ[_RESULTS_VARIABLE] = str(results.resolve())


@contextmanager
def _alone() -> Iterator[None]:
    """Refuse to run while another study or Snakemake runs in this folder: two would wait for each other, or worse."""
    path = Path(".snakemake", "study.lock")
    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not _flock(file):
            file.seek(0)
            raise _occupied(f"process {file.read()}")
        file.truncate(0)
        file.write(f"{os.getpid()} on {platform.node()}")
        file.flush()
        for process in _snakemakes_here():
            raise _occupied(f"process {process.pid}")
        with _LIVING.open("a", encoding="utf-8") as living:
            if not _flock(living):
                raise _occupied("on another host or in another container")
        yield


def _flock(file: TextIO) -> bool:
    """Lock a file for this process alone; False if another one has locked it; True if its file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def release_stale_lock() -> None:
    """Release Snakemake's lock of this folder if the Snakemake that made it is dead; never that of a living one.

    Every Snakemake calls this when it reads the workflow, before it looks at the lock. The lock is only released if no
    other one lives here: none on any host that has locked `_LIVING`, and no process on this host. It is also kept while
    SLURM has jobs of the killed run, whose outputs would get mixed with those of the next.
    """
    try:
        _LIVING.parent.mkdir(exist_ok=True)
        file = _LIVING.open("a", encoding="utf-8")
    except OSError:  # nothing runs in a folder where nothing can be written
        return
    _OPEN.append(file)
    if _flock(file) and _is_locked() and not list(_snakemakes_here()):
        try:
            _unlock()
        except BalerEnergyError as error:
            announce(f"An earlier run was killed. {error}")
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH)


def _unlock() -> None:
    """Release the lock of a killed run, unless SLURM has its jobs."""
    if jobs := _slurm_jobs_here():
        raise BalerEnergyError(
            f"SLURM still has its jobs. Cancel them (scancel {' '.join(jobs)}), or use `baler-energy study`, which "
            "does so."
        )
    announce("An earlier run was killed: releasing its lock and repeating unfinished steps.")
    with suppress(OSError):  # Snakemake then says what it cannot do
        for lock in _LOCKS.iterdir():
            lock.unlink()


def _is_locked() -> bool:
    return _LOCKS.is_dir() and any(_LOCKS.iterdir())


def _snakemakes_here() -> Iterator[psutil.Process]:
    """Find the Snakemakes that run in this folder on this host, except this process and its parents."""
    return (process for process in _running({"snakemake"}) if process.info["cwd"] == str(Path.cwd()))


def _occupied(which: str) -> BalerEnergyError:
    return BalerEnergyError(
        f"Another Snakemake ({which}) is running in this folder. Wait for it, or end it with `kill`, which "
        "lets its running jobs finish; then run again."
    )


def await_orphans(results: Path) -> None:
    """Wait for jobs of the study with these results that a killed Snakemake left running."""
    _wait(
        lambda: [str(process.pid) for process in _orphans(results)],
        lambda pids: (
            f"Waiting for jobs of a killed run: processes {', '.join(pids)}. To end them instead: kill {' '.join(pids)}"
        ),
    )


def _wait(left: Callable[[], list[str]], words: Callable[[list[str]], str]) -> None:
    """Wait until nothing is left, and say from time to time what is."""
    last_said = -math.inf
    while found := left():
        if time.monotonic() - last_said > LOG_INTERVAL_S:
            last_said = time.monotonic()
            announce(words(found))
        time.sleep(0.5)


def _orphans(results: Path) -> list[psutil.Process]:
    """Find jobs of the study with these results; none of them has a Snakemake, as none runs in this folder."""
    mark, jobs = str(results.resolve()), _running({"baler-energy", "baler_energy.cli"})
    return [job for job in jobs if _variable(job, _RESULTS_VARIABLE) == mark]


def _running(names: set[str]) -> Iterator[psutil.Process]:
    """Find processes of these Python programs, except this one, its parents, and those in other jobs of SLURM."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = [Path(word).name for word in (process.info["cmdline"] or [])[:3]]
        if names.isdisjoint(words) or not words[0].startswith(("python", *names)) or process.pid in own:
            continue
        if _variable(process, "SLURM_JOB_ID") in (None, os.environ.get("SLURM_JOB_ID")):
            yield process


def _variable(process: psutil.Process, name: str) -> str | None:
    """Return an environment variable of a process; None if it is not set, or not visible to this user."""
    try:
        return process.environ().get(name)
    except psutil.Error:
        return None


def _cancel_orphans() -> None:
    """Cancel SLURM jobs of this folder that a killed Snakemake left, because their outputs would not be used."""
    if not (jobs := _slurm_jobs_here()):
        return
    announce(f"Cancelling SLURM jobs of a killed run: {', '.join(jobs)}.")
    _, reason = ask("scancel", *jobs, limit_s=_CLIENT_LIMIT_S)
    if reason:
        raise BalerEnergyError(
            f"SLURM jobs {', '.join(jobs)} of a killed run cannot be cancelled: {reason}. Cancel them, then run again."
        )
    _wait(
        _slurm_jobs_here,
        lambda left: f"Waiting for SLURM to end {', '.join(left)}. If it does not, a node may be down: see `squeue`.",
    )


def _slurm_jobs_here() -> list[str]:
    """List the unfinished SLURM jobs that Snakemake submitted from this folder; empty without SLURM.

    Raises
    ------
    BalerEnergyError
        SLURM has run jobs of this folder, but does not answer: they may still run.
    """
    if shutil.which("squeue") is None:
        return []
    said, reason = ask("squeue", "--me", "--noheader", "--format", "%i|%k|%Z", limit_s=_CLIENT_LIMIT_S)
    if reason and _SLURM_LOGS.is_dir():
        raise BalerEnergyError(
            f"SLURM could not be asked for jobs of a killed run: {reason}. Run again when `squeue` answers; or, if "
            "none of these jobs is left, `snakemake --unlock`."
        )
    if reason:
        announce(f"SLURM could not be asked for jobs of a killed run: {reason}.")
    # Snakemake's executor writes the rule to each job's comment.
    found = [line.split("|", maxsplit=2) for line in (said or "").splitlines()]
    return [job for job, comment, folder in found if comment.startswith("rule_") and Path(folder) == Path.cwd()]
