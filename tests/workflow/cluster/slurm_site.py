"""A workspace whose site is the tests' cluster, and what SLURM reports about its jobs."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import slurm
import yaml

#: Guards against hangs, far above what a slow machine takes.
RUN_LIMIT_S = 1800
WAIT_LIMIT_S = 900
ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY")

#: At the end of the workspace's Snakefile. Plugin 2.8 adds 10 s to its pause after each check that finds no finished
#: job. At each check it also asks for MinJobAge: if one answer takes more than 10 s, it switches to sacct, which has no
#: database here, so it loses its jobs and waits forever.
PACE = f"""
from asyncio import sleep
import snakemake_executor_plugin_slurm
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.sleep = lambda self: sleep(1)
snakemake_executor_plugin_slurm.get_min_job_age = lambda: {slurm.MIN_JOB_AGE_S}
"""


@dataclass(frozen=True)
class Job:
    """A job as the controller remembers it; `node` is empty until it starts."""

    id: int
    rule: str
    log: str
    state: str
    partition: str
    node: str
    cpus: int
    memory_mb: int
    gpus: int
    exclusive: bool
    time_limit: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Site:
    """A workspace whose profile `slurm` describes the tests' cluster."""

    workspace: Any
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def describe(self, on_gpu: str, **resources: dict[str, str]) -> None:
        """Edit the profile as a site does: points whose path holds `on_gpu` go to the pretend GPU."""
        path = self.workspace.root / "profiles" / "slurm" / "config.yaml"
        profile = yaml.safe_load(path.read_text())
        profile |= {
            "max-threads": slurm.CORES,
            "slurm-init-seconds-before-status-checks": 1,
            "slurm-status-command": "squeue",
            "slurm-status-attempts": 100,
        }
        for rule, asked in profile["set-resources"].items():
            if rule != "calibrate":
                here = f"'{on_gpu}' in wildcards.point"
                asked |= {"slurm_partition": f"'gpu' if {here} else 'cpu'", "gpu": f"1 if {here} else 0"}
            # The profile's rules share one mapping.
            profile["set-resources"][rule] = asked | resources.get(rule, {})
        path.write_text(yaml.safe_dump(profile, sort_keys=False))
        with (self.workspace.root / "Snakefile").open("a") as snakefile:
            snakefile.write(PACE)

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a command of this environment in the workspace; its output goes to a file."""
        with (self.workspace.root / "said.txt").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                cwd=self.workspace.root,
                # Each job starts several Pythons, which need not compile the package anew.
                env=self.workspace.environment | {"PYTHONDONTWRITEBYTECODE": ""},
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for a run, which must succeed; return the output of all runs in the workspace."""
        try:
            code = process.wait(timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not done within {RUN_LIMIT_S} s: {self.said()[-3000:]}")
        assert code == 0, self.said()
        return self.said()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a run and all its processes on this machine; its jobs continue."""
        if process.poll() is None:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                one.send_signal(signal.SIGKILL)
            process.wait()

    def clear(self) -> None:
        """Kill the processes that still run, and cancel their jobs."""
        for process in self.processes:
            self.kill(process)
        if left := [str(job.id) for job in self.jobs() if job.state not in ENDED]:
            slurm.sh("scancel", *left)
        # Snakemake 9.27 can wait for its own lock when SLURM ends its job, and without cgroups SLURM loses sight of it.
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self.workspace.root):
                process.kill()

    def said(self) -> str:
        """Output of all runs in this workspace."""
        return (self.workspace.root / "said.txt").read_text()

    def jobs(self, rule: str | None = None, part: str = "", state: str | None = None) -> list[Job]:
        """Jobs of this workspace in the order of their ids: those of a rule, of a point's part, in a state."""
        lines = slurm.sh("scontrol", "show", "jobs", "--oneliner", "--details").splitlines()
        here = [line for line in lines if f" WorkDir={self.workspace.root} Comment=rule_" in line]
        found = sorted(map(read_job, here), key=lambda job: job.id)
        return [job for job in found if rule in (None, job.rule) and part in job.log and state in (None, job.state)]

    def wait_for(
        self, condition: Callable[[], Any], what: str, run: subprocess.Popen[bytes] | None = None, pause_s: float = 0.3
    ) -> Any:
        """Poll until a condition holds and return its value; fail at once if the run ends first."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        while time.monotonic() < deadline:
            over = run is not None and run.poll() is not None
            if value := condition():
                return value
            if over:
                pytest.fail(f"the run is over, and there was no {what}: {self.said()[-3000:]}")
            time.sleep(pause_s)
        pytest.fail(f"no {what} within {WAIT_LIMIT_S} s: {self.jobs()} {self.said()[-3000:]}")

    @property
    def results(self) -> Path:
        """Folder of the tiny study's results."""
        return self.workspace.root / "results" / "tiny"

    def dataset(self, table: str) -> pd.DataFrame:
        """Read a table of the tiny study's dataset."""
        return pd.read_parquet(self.results / "dataset" / f"{table}.parquet")


def read_job(line: str) -> Job:
    """Read a line of `scontrol show jobs --oneliner --details`."""
    facts = dict(re.findall(r"(?:^| )([A-Z]\S*?)=(\S*)", line))
    # `GRES`, of the node, is empty once the job has ended.
    gpus = re.search(r"gpu:fake:(\d+)", facts.get("JOB_GRES", ""))
    # SLURM writes the local time.
    times = [
        datetime.fromisoformat(facts[key]).astimezone() if facts[key] != "Unknown" else None
        for key in ("StartTime", "EndTime")
    ]
    return Job(
        id=int(facts["JobId"]),
        rule=re.match(r"rule_(.+?)(?:_wildcards_|$)", facts["Comment"])[1],
        log=facts["StdOut"],
        state=facts["JobState"],
        partition=facts["Partition"],
        node=facts["NodeList"].replace("(null)", ""),
        cpus=int(facts["NumCPUs"]),
        memory_mb=memory_mb(facts["MinMemoryNode"]),
        gpus=int(gpus[1]) if gpus else 0,
        exclusive=facts["OverSubscribe"] == "NO",
        time_limit=facts["TimeLimit"],
        start=times[0],
        end=times[1],
    )


def memory_mb(text: str) -> int:
    """Read SLURM's amounts of memory: ``1000M``, ``4G``; without a unit it is MiB."""
    number, unit = re.fullmatch(r"([\d.]+)([MG]?)", text).groups()
    return int(float(number) * {"G": 1024}.get(unit, 1))
