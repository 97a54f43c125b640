"""The energy of an operation by component."""

import numpy as np
import pandas as pd
import pytest

from baler_energy.figures.hotspots import components
from baler_energy.figures.selection import with_flags
from baler_energy.figures.style import styled


def test_a_run_without_one_of_the_components_is_in_no_total(tables: dict[str, pd.DataFrame]) -> None:
    runs, measurements = tables["runs"], tables["measurements"].copy()
    lost = (measurements["component"] == "cpu") & (measurements["repeat"] == 0)
    measurements.loc[lost, ["value", "value_per_iteration"]] = np.nan
    totals = components._stack_totals(with_flags(components.component_energies(measurements), runs))
    whole = runs[runs["repeat"] > 0].set_index(["run_id", "operation"])["energy_j"]
    found = totals.set_index(["run_id", "operation"])["value_per_iteration"]
    assert set(found.index) == set(whole.index)
    assert found.reindex(whole.index).to_numpy() == pytest.approx(whole.to_numpy())
    with styled():
        figure = components.draw_components({**tables, "measurements": measurements})
    assert all(text.get_text().endswith("n = 2") for panel in figure.axes for text in panel.texts)
