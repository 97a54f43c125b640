"""The cluster, and sites on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import slurm
from slurm_site import Site


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Start a cluster; one that is already running is used and left running."""
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
    """Return a function that makes a fresh site; at the end, its processes are killed and its jobs cancelled."""
    made: list[Site] = []

    def make() -> Site:
        made.append(Site(make_workspace()))
        return made[-1]

    yield make
    for site in made:
        site.clear()
