"""What a cluster's nodes can measure: ``baler-energy doctor`` as a job on each partition."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baler_energy.errors import InputError, UnavailableError
from baler_energy.progress import LOG_INTERVAL_S, announce
from baler_energy.slurm import ask
from baler_energy.temporaries import temporary_folder
from baler_energy.vocabulary import Evidence

__all__ = ["diagnose_cluster", "report_cluster", "requests"]

_POLL_S = 2.0
_SUBMIT_LIMIT_S = 60.0
_ALONE = {True: "yes", False: "no", None: "unknown"}
#: How long a shared file system may take to show a file (s).
_LATENCY_S = 10.0
#: `doctor --json` writes to a temporary name first, so that a half-written answer is never read.
_SCRIPT = """#!/bin/sh
{python} -m baler_energy.cli doctor --json > {answer}.part && mv {answer}.part {answer}
"""


@dataclass(frozen=True)
class _Partition:
    name: str
    has_gpus: bool


def diagnose_cluster(
    names: Sequence[str] | None = None, *, account: str | None = None, wait_s: float = 300.0
) -> dict[str, dict[str, Any]]:
    """Run ``baler-energy doctor`` on a node of each partition, exclusively if the cluster allows it.

    Parameters
    ----------
    names
        Partitions; None: all that are up.
    account
        Account that the jobs are charged to.
    wait_s
        Longest wait (s); jobs that have not answered by then are cancelled.

    Returns
    -------
    dict
        For each partition the findings of `doctor.diagnose`, or ``{"reason": ...}`` if there are none.

    Raises
    ------
    InputError
        A partition does not exist or is not up.
    UnavailableError
        SLURM is not installed here, or does not answer.
    """
    partitions = _partitions(names)
    # The nodes see the working folder; /tmp is local to each node.
    with temporary_folder(Path.cwd() / "baler-energy-doctor") as folder:
        answers: dict[str, dict[str, Any]] = {}
        jobs: dict[str, str] = {}
        with _cancelled_in_the_end(jobs):
            for number, partition in enumerate(partitions):
                job, reason = _submit(partition, account, Path(folder, f"{number}.json"))
                if job is None:
                    answers[partition.name] = {"reason": reason}
                else:
                    jobs[partition.name] = job
            reasons = _wait(jobs, wait_s)
        for number, partition in enumerate(partitions):
            if partition.name not in answers:
                answers[partition.name] = _answer(Path(folder, f"{number}.json"), reasons.get(partition.name))
        return {partition.name: answers[partition.name] for partition in partitions}


def report_cluster(answers: dict[str, dict[str, Any]]) -> str:
    """Write the answers of `diagnose_cluster` as text."""
    blocks = []
    for name, answer in answers.items():
        lines = [f"Partition {name}"]
        if "machine" in answer:
            lines += [f"  {line}" for line in _node_lines(answer)]
            asked = requests(answer)
            lines += ["  to ask an administrator for:", *(f"    - {request}" for request in asked)] if asked else []
        else:
            lines.append(f"  no answer: {answer['reason']}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def requests(answer: dict[str, Any]) -> list[str]:
    """List what an administrator could enable so that more energy is measured on a node."""
    found = []
    job = answer["slurm"] or {}
    if job.get("exclusive") is not True:
        why = "could not be determined" if job.get("exclusive") is None else "was not granted"
        found.append(f"exclusive nodes: --exclusive {why}; without it, the counters include other jobs' energy")
    for line in answer["meters"]:
        if line["evidence"] is None and line["remedy"]:
            found.append(f"{line['meter']} ({line['detail']}): {line['remedy']}")
    if job.get("gpus") and not answer["machine"]["gpus"]:
        found.append("the GPU driver: the job was given a GPU, but NVML shows none")
    for gpu in answer["machine"]["gpus"]:
        if gpu.get("accounting") is False:
            found.append(
                f"NVML accounting on GPU {gpu['index']}, which reports how much of it each process used: sudo "
                f"nvidia-smi -i {gpu['index']} --accounting-mode=1"
            )
    return found


def _node_lines(answer: dict[str, Any]) -> list[str]:
    machine, job = answer["machine"], answer["slurm"] or {}
    gpus = ", ".join(gpu["name"] for gpu in machine["gpus"]) or "no GPU visible to NVML"
    lines = [
        f"node       {job.get('node') or machine['hostname']}",
        f"CPU        {machine['cpu_model'] or 'unknown'}, {machine['logical_cpus']} logical CPUs",
        f"GPU        {gpus}",
        f"exclusive  {_ALONE[job.get('exclusive')]}",
    ]
    for evidence in (Evidence.MEASURED, Evidence.MODELLED):
        named = [
            f"{line['component']} ({line['meter']})"
            for line in answer["meters"]
            if line["energy"] and line["evidence"] == evidence
        ]
        lines.append(f"{evidence:<11}{', '.join(named) or 'nothing'}")
    return lines


def _partitions(names: Sequence[str] | None) -> list[_Partition]:
    if shutil.which("sbatch") is None:
        raise UnavailableError("sbatch was not found. Run `baler-energy doctor --slurm` on a cluster's login node.")
    shown, reason = ask("sinfo", "--noheader", "--format", "%R|%a|%G")
    if shown is None:
        raise UnavailableError(f"The cluster's partitions could not be listed: {reason}.")
    found: dict[str, _Partition] = {}
    for line in shown.splitlines():
        name, up, resources = line.split("|", maxsplit=2)
        if up == "up":
            gpus_before = name in found and found[name].has_gpus
            found[name] = _Partition(name, gpus_before or "gpu" in resources)
    if unknown := sorted(set(names or ()) - set(found)):
        known = ", ".join(sorted(found))
        raise InputError(f"--partition {' '.join(unknown)}: does not exist or is not up. Available: {known}.")
    return [partition for name, partition in found.items() if not names or name in names]


def _submit(partition: _Partition, account: str | None, answer: Path) -> tuple[str | None, str | None]:
    """Submit a job that writes its answer to a file; return its id, or None and the reason."""
    words = ["sbatch", "--parsable", "--time=1", "--exclusive", "--job-name=baler-energy-doctor"]
    words += [f"--partition={partition.name}", f"--output={answer.with_suffix('.log')}", f"--chdir={Path.cwd()}"]
    words += [f"--account={account}"] if account else []
    words += ["--gres=gpu:1"] if partition.has_gpus else []
    script = _SCRIPT.format(python=shlex.quote(sys.executable), answer=shlex.quote(str(answer)))
    said, reason = ask(*words, script=script, limit_s=_SUBMIT_LIMIT_S)
    # In a federation, the cluster's name follows the id.
    return said and said.strip().partition(";")[0], reason


@contextmanager
def _cancelled_in_the_end(jobs: dict[str, str]) -> Iterator[None]:
    """Cancel all jobs when the block ends, even by an error; this does not affect jobs that have ended."""
    try:
        yield
    finally:
        if jobs:
            ask("scancel", "--quiet", *jobs.values())


def _wait(jobs: dict[str, str], wait_s: float) -> dict[str, str]:
    """Wait until the jobs have ended; return the reasons for those that have not."""
    start_s = said_s = time.monotonic()
    while jobs:
        shown, reason = ask("squeue", "--noheader", "--format", "%i|%T|%r", "--jobs", ",".join(jobs.values()))
        states = dict(line.split("|", maxsplit=1) for line in (shown or "").splitlines())
        open_jobs = {name: states[job] for name, job in jobs.items() if job in states}
        now_s = time.monotonic()
        # For a single job that has ended, squeue reports an invalid id.
        if not open_jobs and (shown is not None or "Invalid job id" in str(reason)):
            return {}
        if now_s - start_s > wait_s:
            return {
                name: f"its job had not ended after {wait_s:g} s ({open_jobs[name].replace('|', ': ')})"
                if name in open_jobs
                else f"SLURM does not know its job: {reason}"
                for name in jobs
                if name in open_jobs or shown is None
            }
        if now_s - said_s > LOG_INTERVAL_S:
            said_s = now_s
            waiting = ", ".join(f"{name} {state.partition('|')[0].lower()}" for name, state in open_jobs.items())
            announce(f"Waiting for jobs: {waiting or reason}")
        time.sleep(_POLL_S)
    return {}


def _answer(path: Path, reason: str | None) -> dict[str, Any]:
    deadline_s = time.monotonic() + (0 if reason else _LATENCY_S)
    while not path.exists() and time.monotonic() < deadline_s:
        time.sleep(0.5)
    if path.exists():
        answer: dict[str, Any] = json.loads(path.read_text())
        return answer
    log = path.with_suffix(".log")
    last = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
    return {"reason": reason or f"its job left no answer; its log ends: {' / '.join(last) or 'empty'}"}
