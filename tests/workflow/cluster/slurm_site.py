"""A workspace whose site is the tests' cluster, and what SLURM says of its jobs."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import slurm
import yaml

#: Of a run that hangs; the longest one, of the smoke study, took 13 minutes on two slow cores.
RUN_LIMIT_S = 1800
WAIT_LIMIT_S = 240


@dataclass(frozen=True)
class Job:
    """A job as the controller remembers it."""

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

    def describe(self, on_gpu: str, **resources: dict[str, str]) -> None:
        """Edit the profile as a site does: points whose path holds `on_gpu` go to the pretend GPU."""
        path = self.workspace.root / "profiles" / "slurm" / "config.yaml"
        profile = yaml.safe_load(path.read_text())
        profile |= {
            "max-threads": 2,
            "latency-wait": 15,
            # Looks at 4, 18 and 42 s: each that finds nothing new is followed by one 10 s later than the last; most
            # jobs take 8 to 15 s.
            "slurm-init-seconds-before-status-checks": 4,
            "slurm-status-command": "squeue",
            "group-components": {"short": 2},
        }
        for rule, asked in profile["set-resources"].items():
            if rule != "calibrate":
                here = f"'{on_gpu}' in wildcards.point"
                asked |= {"slurm_partition": f"'gpu' if {here} else 'cpu'", "gpu": f"1 if {here} else 0"}
            # The profile's rules share one mapping.
            profile["set-resources"][rule] = asked | resources.get(rule, {})
        path.write_text(yaml.safe_dump(profile, sort_keys=False))

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a command of this environment in the workspace; what it says goes to a file."""
        with (self.workspace.root / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                cwd=self.workspace.root,
                env=self.workspace.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for a run, which has to succeed; return all that has been said in the workspace."""
        try:
            code = process.wait(timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            pytest.fail(f"not done within {RUN_LIMIT_S} s: {self.said()[-3000:]}")
        assert code == 0, self.said()
        return self.said()

    def said(self) -> str:
        """All that runs in this workspace have said."""
        return (self.workspace.root / "said.txt").read_text()

    def jobs(self, rule: str | None = None, part: str = "", state: str | None = None) -> list[Job]:
        """Jobs of this workspace in the order of their ids: those of a rule, of a point's part, in a state."""
        lines = slurm.sh("scontrol", "show", "jobs", "--oneliner", "--details").splitlines()
        here = [line for line in lines if f" WorkDir={self.workspace.root} Comment=rule_" in line]
        found = sorted(map(read_job, here), key=lambda job: job.id)
        return [job for job in found if rule in (None, job.rule) and part in job.log and state in (None, job.state)]

    def dataset(self, table: str) -> pd.DataFrame:
        """Read a table of the tiny study's dataset."""
        return pd.read_parquet(self.workspace.root / "results" / "tiny" / "dataset" / f"{table}.parquet")


def read_job(line: str) -> Job:
    """Read a line of `scontrol show jobs --oneliner --details`."""
    facts = dict(re.findall(r"(?:^| )([A-Z]\S*?)=(\S*)", line))
    # `GRES`, of the node, is empty once the job has ended.
    gpus = re.search(r"gpu:fake:(\d+)", facts.get("JOB_GRES", ""))
    times = [
        datetime.fromisoformat(facts[key]) if facts[key] != "Unknown" else None for key in ("StartTime", "EndTime")
    ]
    return Job(
        id=int(facts["JobId"]),
        rule=re.match(r"rule_(.+?)(?:_wildcards_|$)", facts["Comment"])[1],
        log=facts["StdOut"],
        state=facts["JobState"],
        partition=facts["Partition"],
        node=facts["NodeList"],
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


def wait_for(condition: Callable[[], Any], what: str, limit_s: float = WAIT_LIMIT_S) -> Any:
    """Poll until a condition holds, and return what it gives."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.3)
    pytest.fail(f"no {what} within {limit_s} s")
