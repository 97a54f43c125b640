"""Subcommand ``study``: run a whole study with Snakemake and write its report; also restart after a crash."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType, MappingProxyType

import psutil

from baler_energy.config.study import load_study
from baler_energy.errors import BalerEnergyError
from baler_energy.progress import LOG_INTERVAL_S, announce
from baler_energy.runnable import runnable
from baler_energy.warm import warm_start

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "run_study"]

#: Longest wait for an answer from SLURM's clients (s).
_CLIENT_LIMIT_S = 60
HELP = "run a whole study with Snakemake and write its report; also restarts one that was killed"
EPILOG = """\
examples, from the root of the repository:
  baler-energy study                                            the laptop study
  baler-energy study --configfile config/studies/smoke.yaml     another one
  baler-energy study --configfile config/studies/worth.yaml mine.yaml   one with changed keys
  baler-energy study --profile slurm                            on a cluster

Finished steps are kept. After a crash or a kill, the same command waits for jobs that are still running (on a cluster
it cancels them), releases Snakemake's lock and repeats unfinished steps.
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
    parser.add_argument("--cores", default="all", help="cores for Snakemake (default: all)")
    parser.add_argument("--profile", metavar="NAME", help="Snakemake's profile of a cluster, instead of --cores: slurm")


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
    BalerEnergyError
        Another Snakemake runs in this folder, or a step failed.
    """
    study, _ = runnable(load_study(configfiles))
    _await_orphans()
    options = ["--configfile", *map(str, configfiles)]
    locks = Path(".snakemake/locks")
    if locks.is_dir() and any(locks.iterdir()):
        _cancel_orphans()
        announce("An earlier run was killed: releasing its lock and repeating unfinished steps.")
        _snakemake("--unlock", *options)
    # On a cluster, jobs run on other machines.
    start: AbstractContextManager[dict[str, str]] = nullcontext({}) if "--profile" in where else warm_start()
    with start as variables:
        code = _snakemake(*where, *options, variables=variables)
    if code != 0:
        raise BalerEnergyError(
            f"Some steps failed or were stopped; logs are under results/{study.name}/logs, as named above. Finished "
            "steps are kept: fix the cause of a failure, if any, and run the same command again."
        )
    report = Path("results") / study.name / "report.html"
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
    """Pass SIGTERM on to a process, which would otherwise go on alone."""

    def terminate(signal_number: int, frame: FrameType | None) -> None:
        announce("Asked to stop (SIGTERM): waiting for Snakemake, which first lets its running jobs finish.")
        process.terminate()

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _await_orphans() -> None:
    """Wait for jobs that a killed Snakemake left running; refuse to run while another Snakemake runs."""
    last_said = 0.0
    while others := _workers_here():
        for process, command in others:
            if "snakemake" in command:
                raise BalerEnergyError(
                    f"Another Snakemake (process {process.pid}) is running in this folder. Wait for it, or stop it "
                    f"with `kill -INT {process.pid}`, then run again."
                )
        if time.monotonic() - last_said > LOG_INTERVAL_S:
            last_said = time.monotonic()
            announce(f"Waiting for jobs of a killed run: processes {', '.join(str(p.pid) for p, _ in others)}.")
        time.sleep(0.5)


def _workers_here() -> list[tuple[psutil.Process, str]]:
    """Find processes of this workflow in this folder, except this one and its parents."""
    here, own = str(Path.cwd()), {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = [Path(word).name for word in (process.info["cmdline"] or [])[:3]]
        names = [word for word in words if word in {"snakemake", "baler-energy"}]
        if names and process.info["cwd"] == here and process.pid not in own and not _in_slurm_job(process):
            found.append((process, names[0]))
    return found


def _in_slurm_job(process: psutil.Process) -> bool:
    try:
        return "SLURM_JOB_ID" in process.environ()
    except psutil.Error:
        return False


def _cancel_orphans() -> None:
    """Cancel SLURM jobs of this folder that a killed Snakemake left, because their outputs would not be used."""
    if not (jobs := _slurm_jobs_here()):
        return
    announce(f"Cancelling SLURM jobs of a killed run: {', '.join(jobs)}.")
    subprocess.run(["scancel", *jobs], check=True, timeout=_CLIENT_LIMIT_S)
    while _slurm_jobs_here():
        time.sleep(1)


def _slurm_jobs_here() -> list[str]:
    """List the unfinished SLURM jobs that Snakemake submitted from this folder; empty without SLURM."""
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--me", "--noheader", "--format", "%i|%k|%Z"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=_CLIENT_LIMIT_S, check=False)
    if asked.returncode != 0:
        announce(f"SLURM could not be asked for jobs of a killed run: squeue failed with {asked.stderr.strip()!r}.")
    # Snakemake's executor writes the rule to each job's comment.
    found = [line.split("|", maxsplit=2) for line in asked.stdout.splitlines()]
    return [job for job, comment, folder in found if comment.startswith("rule_") and Path(folder) == Path.cwd()]
