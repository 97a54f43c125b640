"""The SLURM job that this process runs in: its allocation, and whether it has the node to itself."""

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

__all__ = ["ask", "job", "step"]

#: Time limit for SLURM's commands (s).
_CLIENT_LIMIT_S = 10
_MEMORY_UNITS = {"": 2**20, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
#: Names of special step numbers.
_NAMED_STEPS = {2**32 - 5: "batch", 2**32 - 6: "interactive"}


def job(environment: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """Describe the job, for a record's provenance; None outside of SLURM.

    Parameters
    ----------
    environment
        Environment variables.

    Returns
    -------
    dict
        ``job_id``, ``array_job_id`` and ``array_task_id`` (null: no job array), ``restarts``, ``cluster``,
        ``partition``, ``qos`` and ``node``; allocated ``cpus``, ``gpus`` and ``memory_bytes``; ``exclusive``, whether
        no other job may share the node; and ``reason``, why the controller could not be queried: then ``exclusive`` and
        everything that is not in the environment are null.
    """
    job_id = environment.get("SLURM_JOB_ID")
    if job_id is None:
        return None
    facts: dict[str, Any] = {
        "job_id": job_id,
        "array_job_id": environment.get("SLURM_ARRAY_JOB_ID"),
        "array_task_id": environment.get("SLURM_ARRAY_TASK_ID"),
        "restarts": _number(environment.get("SLURM_RESTART_COUNT", "0")),
        "cluster": environment.get("SLURM_CLUSTER_NAME"),
        "partition": environment.get("SLURM_JOB_PARTITION"),
        "qos": environment.get("SLURM_JOB_QOS"),
        "node": environment.get("SLURMD_NODENAME"),
        "cpus": _number(environment.get("SLURM_CPUS_ON_NODE")),
        "gpus": _number(environment.get("SLURM_GPUS_ON_NODE")),
        # 0 requests all memory of the node.
        "memory_bytes": (_number(environment.get("SLURM_MEM_PER_NODE")) or 0) * 2**20 or None,
        "exclusive": None,
        "reason": None,
    }
    shown, reason = ask("scontrol", "show", "job", "--oneliner", "--details", job_id)
    if shown is None:
        return facts | {"reason": reason}
    return facts | _allocated(shown)


def step(environment: Mapping[str, str] = os.environ) -> str | None:
    """Name the job step that this process runs in (``12.0``, ``12.batch``); None outside of SLURM."""
    job_id = environment.get("SLURM_JOB_ID")
    if job_id is None:
        return None
    number = _number(environment.get("SLURM_STEP_ID"))
    return f"{job_id}.{'batch' if number is None else _NAMED_STEPS.get(number, number)}"


def ask(*words: str, limit_s: float = _CLIENT_LIMIT_S, script: str = "") -> tuple[str | None, str | None]:
    """Run a SLURM command with `script` as its input; return its output, or None with the reason."""
    try:
        done = subprocess.run(
            words, input=script, capture_output=True, text=True, errors="replace", timeout=limit_s, check=False
        )
    except FileNotFoundError:
        return None, f"{words[0]} was not found"
    except subprocess.TimeoutExpired:
        return None, f"{words[0]} did not answer within {limit_s:g} s"
    except OSError as error:
        return None, f"{words[0]} cannot be run: {error.strerror}"
    if done.returncode != 0:
        return None, f"{words[0]} failed: {done.stderr.strip() or f'exit code {done.returncode}'}"
    return done.stdout, None


def _allocated(shown: str) -> dict[str, Any]:
    """Parse the output of ``scontrol show job --oneliner --details`` for a job on one node."""
    facts = dict(re.findall(r"(?:^| )([A-Z][^= ]*)=(\S*)", shown))
    # `TRES` in SLURM before 23.02: cpu=2,mem=8000M,node=1
    memory = re.search(r"(?:^|,)mem=([\d.]+)([KMGT]?)", facts.get("AllocTRES") or facts.get("TRES") or "")
    gpus = re.findall(r"(?:^|,)gpu(?::[^:(,]+)?:(\d+)", facts.get("GRES", ""))
    allocated = {
        "cpus": _number(facts.get("NumCPUs")),
        "gpus": sum(map(int, gpus)) if "GRES" in facts else None,
        "memory_bytes": int(float(memory[1]) * _MEMORY_UNITS[memory[2]]) if memory else None,
    }
    known = {name: value for name, value in allocated.items() if value is not None}
    return known | {"exclusive": _exclusive(facts)}


def _exclusive(facts: Mapping[str, str]) -> bool | None:
    """Whether no other job may share the node; TOPO reserves a whole part of the network, including its nodes."""
    # Since SLURM 26.05, jobs on shared nodes also have OverSubscribe=NO.
    if "Exclusive" in facts:
        return facts["Exclusive"] in ("NODE", "TOPO")
    sharing = facts.get("OverSubscribe")
    return None if sharing is None else sharing in ("NO", "TOPO")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
