"""Fixtures for the codecs' tests."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.data.table import Table


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep small sums on one thread: with other tests running in parallel, two threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def table() -> Table:
    """Six columns of 300 rows: floats of two widths, integers, a constant."""
    rng = np.random.default_rng(3)
    data = np.stack(
        [
            rng.exponential(20.0, 300).astype(np.float32),
            rng.normal(size=300),
            rng.integers(-3, 40, 300),
            np.full(300, 3.7),
            rng.integers(0, 2, 300),
            rng.uniform(-1e-3, 1e-3, 300),
        ],
        axis=1,
    ).astype(np.float64)
    names = ("pt", "eta", "charge", "constant", "flag", "small")
    origin = {"source": "toy", "label": "toy data", "source_bytes": None, "warnings": []}
    return Table(
        np.ascontiguousarray(data), names, ("float32", "float64", "int16", "float64", "bool", "float64"), origin
    )


@pytest.fixture
def checkpoint(table: Table) -> Checkpoint:
    """Make an untrained codec for the table."""
    torch.manual_seed(5)
    model = Autoencoder(Architecture(6, 3))
    return Checkpoint.of(model, Normalisation.of(table.data, table.names), table.names, table.dtypes)
