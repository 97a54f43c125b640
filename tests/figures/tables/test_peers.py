"""The table of other tools and formulas."""

import math
from collections.abc import Callable

import pandas as pd

from baler_energy.figures.readable import readable
from baler_energy.figures.tables.peers import TABLE


def test_the_point_of_a_reading_has_only_parameters_that_apply(build: Callable[..., dict[str, pd.DataFrame]]) -> None:
    frame = TABLE.make(build(extras=True))
    assert "30,000 rows, batch size 512, 5 epochs, 2 threads" in set(readable(TABLE, frame)["point"])
    without = frame.assign(batch_size=math.nan, epochs=math.nan)
    assert "30,000 rows, 2 threads" in set(readable(TABLE, without)["point"])
