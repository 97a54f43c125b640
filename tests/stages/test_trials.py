"""Trials of codecs on a sample."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from baler_energy.analysis.goal import Goal
from baler_energy.data.sampling import Sample
from baler_energy.data.table import Table
from baler_energy.stages.options import PointOptions
from baler_energy.stages.trials import Trials


def _table(*ranges: float) -> Table:
    data = np.linspace(0, 1, 5)[:, None] * np.array(ranges)
    names = tuple(f"c{number}" for number in range(len(ranges)))
    return Table(data, names, ("float64",) * len(ranges), {"source": "toy", "warnings": []})


@pytest.mark.parametrize(
    ("training", "test", "expected"),
    [
        ((1.0, 4.0), (2.0, 2.0), 0.5),
        ((1.0, 4.0), (0.0, 2.0), 0.5),
        ((0.0, 4.0), (1.0, 8.0), 1.0),
        ((0.0, 0.0), (1.0, 0.0), 1.0),
    ],
)
def test_the_bound_follows_the_column_whose_range_shrinks_most(
    tmp_path: Path, training: tuple[float, ...], test: tuple[float, ...], expected: float
) -> None:
    sample = Sample(_table(*training), _table(*test), 10, (), ())
    trials = Trials(sample, Goal(0.01), tmp_path, cast(Any, None), PointOptions())
    assert trials._least_range() == expected
