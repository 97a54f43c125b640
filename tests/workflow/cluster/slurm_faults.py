"""One study on the cluster, and the faults that happen to it, which the tests check.

Three points: `PLAIN` on the CPU's nodes, `SMALL` on the pretend GPU's, and `LONG`, which a later run adds.

1. Snakemake is interrupted (Ctrl-C) while the first two train.
2. It runs again. The plain point's training is cancelled, and its first `apply` gets too little memory. The small
   point's node is drained while it trains. The long training stops in the middle of its window and runs out of time.
3. The drained node comes back, and Snakemake is killed while the job that waited for it runs.
4. `baler-energy study` does the rest.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import slurm
from slurm_rules import APPLY, TRAIN
from slurm_site import ENDED, Job, Site

#: Some seconds of training, whose state is saved every few epochs.
EPOCHS = 400
#: Parts of the names of a point's jobs.
PLAIN, SMALL, LONG = "rows~400_threads~1_epochs~1_", "model~baler-small", f"epochs~{EPOCHS}"
#: First attempts get less.
LIMITS = {
    TRAIN: {"runtime": "20 if attempt == 1 else 40"},
    APPLY: {"mem_mb": "100 if attempt == 1 and 'rows~400/threads~1/epochs~1/' in wildcards.point else 8000"},
}


@dataclass(frozen=True)
class Story:
    """What was observed during the story; the rest comes from SLURM and the files."""

    site: Site
    study: Path
    said: str
    #: After Snakemake was interrupted.
    interrupted: list[Job]
    #: The long training, before and after its time was up; the job for the drained node, when it was submitted and
    #: when the other points were done.
    long: tuple[Job, Job]
    waiting: tuple[Job, Job]
    #: After Snakemake was killed.
    killed: list[Job]


def write_study(workspace: Any, *, on_slurm: bool, with_long: bool = True) -> Path:
    """Write the study; on SLURM with a profiler, and windows that are long enough for SLURM's own counter of energy."""
    measurement = {
        # A meter that is named must be available.
        "meters": ["codecarbon", "process", *(["slurm"] if on_slurm else [])],
        "min_window_s": 3.0 if on_slurm else 0.2,
        "idle_s": 0.2,
        "idle_lifetime_s": 3600,
        "sample_interval_s": 0.05,
        "calibrate_s": 1,
    }
    return workspace.study(
        design="one-at-a-time",
        reference={"dataset": "toy", "rows": 400, "epochs": 1, "threads": 1},
        axes={"model": ["baler-small"]} | ({"epochs": [EPOCHS]} if with_long else {}),
        training={"save_every_s": 0.05},
        measurement=measurement,
        profile={"points": [{"epochs": 1, "model": "baler"}] * on_slurm, "profilers": ["cprofile"], "max_batches": 2},
    )


def live(site: Site, meanwhile: Callable[[], Any]) -> Story:
    """Run the whole story; call a function while the cluster has little to do."""
    site.describe(on_gpu=SMALL, **LIMITS)
    snakemake = ("snakemake", "--profile", "slurm", "--configfile")
    run = site.start(*snakemake, write_study(site.workspace, on_slurm=True, with_long=False))
    interrupted = _interrupt(site, run)
    study = write_study(site.workspace, on_slurm=True)
    run = site.start(*snakemake, study)
    try:
        _drain_and_cancel(site, run)
        long = _let_time_run_out(site, run, meanwhile)
        waiting = _wait_for_the_others(site, run)
    finally:
        slurm.sh("scontrol", "update", "nodename=g1", "state=resume")
    site.wait_for(lambda: site.jobs(APPLY, SMALL, "RUNNING"), "job on the node that came back", run)
    site.kill(run)
    killed = site.jobs()
    said = site.finish(site.start("baler_energy.cli", "study", "--profile", "slurm", "--configfile", study))
    return Story(site, study, said, interrupted, long, waiting, killed)


def _interrupt(site: Site, run: subprocess.Popen[bytes]) -> list[Job]:
    site.wait_for(lambda: len(site.jobs(TRAIN, state="RUNNING")) == 2, "two trainings at a time", run)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=slurm.ANSWER_LIMIT_S) != 0
    site.wait_for(lambda: all(job.state in ENDED for job in site.jobs()), "end of the interrupted run's jobs")
    return site.jobs()


def _drain_and_cancel(site: Site, run: subprocess.Popen[bytes]) -> None:
    site.wait_for(lambda: site.jobs(TRAIN, SMALL, "RUNNING"), "training on the GPU's node", run)
    slurm.sh("scontrol", "update", "nodename=g1", "state=drain", "reason=test")
    job = site.wait_for(lambda: site.jobs(TRAIN, PLAIN, "RUNNING"), "training to cancel", run)[0]
    slurm.sh("scancel", str(job.id))


def _let_time_run_out(site: Site, run: subprocess.Popen[bytes], meanwhile: Callable[[], Any]) -> tuple[Job, Job]:
    """Stop the long training once it has saved its state, let another window pass, and let SLURM end the job."""
    site.wait_for(lambda: list(site.results.rglob(f"{LONG}/*/{TRAIN}/state.pt")), "saved state", run, pause_s=0.05)
    before = site.jobs(TRAIN, LONG)[0]
    slurm.sh("scancel", "--signal=STOP", str(before.id))
    stopped_s = time.time()
    meanwhile()
    site.wait_for(lambda: max(_ends_s(site), default=0) > stopped_s, "window during an open one", run)
    slurm.sh("scontrol", "update", f"JobId={before.id}", "EndTime=now")
    site.wait_for(lambda: site.jobs(TRAIN, LONG, "TIMEOUT"), "end of the long training's time", run)
    return before, site.jobs(TRAIN, LONG)[0]


def _ends_s(site: Site) -> list[float]:
    """Return the ends of the windows that have records (s since 1970)."""
    windows = [json.loads(path.read_text())["window"] for path in (site.results / "runs").rglob("measurement.json")]
    return [datetime.fromisoformat(window["start"]).timestamp() + window["duration_s"] for window in windows]


def _wait_for_the_others(site: Site, run: subprocess.Popen[bytes]) -> tuple[Job, Job]:
    before = site.wait_for(lambda: site.jobs(APPLY, SMALL, "PENDING"), "job that waits for the drained node", run)
    site.wait_for(lambda: site.jobs(TRAIN, LONG, "COMPLETED"), "end of the resumed training", run)
    site.wait_for(lambda: site.jobs(APPLY, PLAIN, "COMPLETED"), "end of the plain point", run)
    (later,) = site.jobs(APPLY, SMALL)
    return before[0], later
