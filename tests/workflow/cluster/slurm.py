"""A real SLURM on this machine's loopback: a controller, and pretend nodes, of the same size on every machine.

python tests/workflow/cluster/slurm.py start     install what is missing (apt), start it, and wait for the nodes
python tests/workflow/cluster/slurm.py stop      stop it
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import slurm_power

NODES = {"cpu": ("c1", "c2"), "gpu": ("g1",)}
#: One of the pretend GPUs' jobs sees CUDA_VISIBLE_DEVICES=0.
GRES = "NodeName=g1 Name=gpu Type=fake File=/dev/null\n"
CONFIGURATION = Path("/etc/slurm/slurm.conf")
STATE, RUN, LOGS = Path("/var/lib/baler-energy-slurm"), Path("/run/baler-energy-slurm"), Path("/var/log/slurm")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
PACKAGES = ("slurm-wlm", "munge")
MARK = "# of baler-energy's tests"
#: What each node claims to have.
CORES, MEMORY_MB = 2, 32_000
#: How long the controller remembers a job that has ended (s).
MIN_JOB_AGE_S = 7200
#: Only a guard against hangs.
START_LIMIT_S = 300
ANSWER_LIMIT_S = 300


def unavailable() -> str | None:
    """Return why a cluster cannot run here; None: it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons and nodes of their own need root"
    if not all(map(shutil.which, PROGRAMS)) and shutil.which("apt-get") is None:
        return "SLURM is not installed, and there is no apt-get to install it with"
    if CONFIGURATION.exists() and MARK not in CONFIGURATION.read_text():
        return f"this machine belongs to a cluster of its own ({CONFIGURATION})"
    return None


def install() -> str | None:
    """Install SLURM and MUNGE from the distribution if they are missing; return the reason if that fails."""
    if all(map(shutil.which, PROGRAMS)):
        return None
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", "-qq", *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"apt-get cannot install {' and '.join(PACKAGES)}: {done.stderr.strip()[-300:]}"
    return None


def running() -> bool:
    """Whether the cluster of these tests already answers."""
    return _alive(RUN / "slurmctld.pid") is not None


def start() -> None:
    """Start MUNGE, the controller and a daemon for each node; wait until all nodes are idle."""
    stop()
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    for folder in (STATE, RUN, LOGS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    CONFIGURATION.write_text(configuration())
    CONFIGURATION.with_name("gres.conf").write_text(GRES)
    prolog = STATE / "task-prolog"
    # Each node has its own lock file: with the machine's, the nodes would measure one after the other.
    prolog.write_text('#!/bin/sh\necho "export BALER_ENERGY_LOCK=/tmp/baler-energy-$SLURMD_NODENAME.lock"\n')
    prolog.chmod(0o755)
    if not _alive(Path("/run/munge/munged.pid")):
        subprocess.run(["install", "-d", "-m755", "-o", "munge", "-g", "munge", "/run/munge"], check=True)
        subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True)
    slurm_power.start(STATE / "power", RUN / "power.pid")
    subprocess.run(["slurmctld", "-i"], check=True)
    for node in (node for nodes in NODES.values() for node in nodes):
        subprocess.run(slurm_power.within(STATE / "power", "slurmd", "-N", node), check=True)
    _await_idle()


def stop() -> None:
    """Stop the daemons by their process ids, and the jobs that still run; remove their configuration."""
    files = [*RUN.glob("slurmd-*.pid"), RUN / "slurmctld.pid", RUN / "power.pid"]
    running = [process for path in files if (process := _alive(path))]
    steps = [child for process in running for child in process.children(recursive=True)]
    for process in [*running, *steps]:
        try:
            process.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            continue
    _, living = psutil.wait_procs([*running, *steps], timeout=20)
    for process in living:
        process.kill()
    if CONFIGURATION.exists() and MARK in CONFIGURATION.read_text():
        # Snakemake asks for the cluster's configuration at each start, and would wait 10 s for an answer.
        CONFIGURATION.unlink()
        CONFIGURATION.with_name("gres.conf").unlink(missing_ok=True)


def configuration() -> str:
    """Write slurm.conf: no cgroups, no database; a job over its memory is killed."""
    host = socket.gethostname().partition(".")[0]
    node = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={CORES} RealMemory={MEMORY_MB} State=UNKNOWN"
    lines = [
        MARK,
        "ClusterName=ci",
        f"SlurmctldHost={host}(127.0.0.1)",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
        f"StateSaveLocation={STATE}/controller",
        f"SlurmdSpoolDir={STATE}/%n",
        f"SlurmctldPidFile={RUN}/slurmctld.pid",
        f"SlurmdPidFile={RUN}/slurmd-%n.pid",
        f"SlurmctldLogFile={LOGS}/controller.log",
        f"SlurmdLogFile={LOGS}/%n.log",
        f"TaskProlog={STATE}/task-prolog",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=1",
        "AcctGatherEnergyType=acct_gather_energy/pm_counters",
        "JobAcctGatherParams=OverMemoryKill",
        "AccountingStorageType=accounting_storage/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "GresTypes=gpu",
        "DefMemPerCPU=500",
        "EnforcePartLimits=ALL",
        f"MinJobAge={MIN_JOB_AGE_S}",
        "MessageTimeout=90",
        "KillWait=5",
        "ReturnToService=2",
        # The nodes are as written here, independent of the machine.
        "SlurmdParameters=config_overrides",
        "MpiDefault=none",
        "MailProg=/bin/true",
        "SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2",
    ]
    port = 17001
    for partition, names in NODES.items():
        for name in names:
            gres = " Gres=gpu:fake:1" if partition == "gpu" else ""
            lines.append(f"NodeName={name} Port={port} {node}{gres}")
            port += 1
        default = " Default=YES" if partition == "cpu" else ""
        lines.append(f"PartitionName={partition} Nodes={','.join(names)}{default} MaxTime=600 State=UP")
    return "\n".join(lines) + "\n"


def sh(*words: str) -> str:
    """Run a SLURM client and return its output."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=ANSWER_LIMIT_S).stdout


def _await_idle() -> None:
    deadline, states = time.monotonic() + START_LIMIT_S, ""
    while time.monotonic() < deadline:
        try:
            states = sh("sinfo", "-h", "-N", "-o", "%T")
        except subprocess.CalledProcessError as error:
            states = error.stderr
        if set(states.split()) == {"idle"}:
            return
        time.sleep(0.5)
    sys.exit(f"SLURM did not come up within {START_LIMIT_S} s (see {LOGS}): {states}")


def _alive(path: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int(path.read_text()))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


if __name__ == "__main__":
    if sys.argv[1:] == ["start"]:
        if reason := unavailable() or install():
            sys.exit(reason)
        start()
    elif sys.argv[1:] == ["stop"]:
        stop()
    else:
        sys.exit(__doc__)
