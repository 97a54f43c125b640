"""The cluster, sites that stand on it, and the study that goes through trouble there, with a local run to compare."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import slurm
from slurm_site import Site

#: Columns of a dataset that are the same wherever it was made.
KEYS = ["run_id", "dataset", "rows", "engine", "model", "device", "batch_size", "threads", "epochs", "repeat"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Let a cluster run; one that runs already is used and left running."""
    if reason := slurm.unavailable():
        pytest.skip(reason)
    if slurm.running():
        yield
        return
    if reason := slurm.install():
        pytest.skip(reason)
    slurm.start()
    yield
    slurm.stop()


@pytest.fixture(scope="module")
def make_site(cluster: None, make_workspace: Callable[[], Any]) -> Iterator[Callable[..., Site]]:
    """Return a function that makes a fresh site; what its jobs are is cancelled in the end."""
    made: list[Site] = []

    def make() -> Site:
        made.append(Site(make_workspace()))
        return made[-1]

    yield make
    for site in made:
        if left := [str(job.id) for job in site.jobs() if job.state in ("RUNNING", "PENDING", "COMPLETING")]:
            slurm.sh("scancel", *left)


@pytest.fixture(scope="session")
def study_of_two() -> Callable[..., Path]:
    """Return a function that writes a study of two points, whose windows are long enough to be interrupted."""

    def write(workspace: Any, on_slurm: bool = True, **changes: Any) -> Path:
        measurement = {
            # A meter that is named has to be there.
            "meters": ["codecarbon", "process", *(["slurm"] if on_slurm else [])],
            "min_window_s": 3.0,
            "idle_s": 0.2,
            "idle_lifetime_s": 3600,
            "sample_interval_s": 0.05,
            "calibrate_s": 1,
        }
        return workspace.study(**{"axes": {"rows": [400], "epochs": [1, 2]}, "measurement": measurement} | changes)

    return write


@pytest.fixture(scope="session")
def same_dataset() -> Callable[[Site, Path], None]:
    """Return a function that compares what a site made with a local run's dataset: its keys, and its errors to 1e-9."""

    def compare(site: Site, local: Path) -> None:
        runs = [[*KEYS, "operation"], site.dataset("runs"), pd.read_parquet(local / "runs.parquet")]
        errors = [[*KEYS, "column"], site.dataset("errors"), pd.read_parquet(local / "errors.parquet")]
        for keys, ours, theirs in (runs, errors):
            ours, theirs = (table.sort_values(keys, ignore_index=True) for table in (ours, theirs))
            pd.testing.assert_frame_equal(ours[keys], theirs[keys])
            assert list(ours) == list(theirs)
        numbers = ours.select_dtypes("number").columns
        np.testing.assert_allclose(ours[numbers], theirs[numbers], rtol=1e-9, atol=1e-12)

    return compare
