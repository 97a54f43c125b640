"""Spread within windows."""

from typing import Any

import pandas as pd
import pytest

from baler_energy.figures.base import NoData
from baler_energy.figures.trust.iterations import DISTURBED, draw_iterations, within_windows

Tables = dict[str, pd.DataFrame]


def test_iterations_are_divided_by_the_median_of_their_window(tables: Tables) -> None:
    runs = tables["runs"]
    found = within_windows(runs)
    assert len(found) == (runs["iterations"] > 1).sum() > 0
    assert found["lower"].to_numpy() == pytest.approx(0.98 / 0.99)
    assert found["upper"].to_numpy() == pytest.approx(1.01 / 0.99)
    assert set(found["longest"].round(9)) == {round(1.2 / 0.99, 9), 2.0}
    assert found["minutes"].min() >= 0 and found["minutes"].is_monotonic_increasing


def test_a_disturbed_window_is_marked_and_counted(tables: Tables) -> None:
    figure = draw_iterations(tables)
    drawn: list[Any] = [line for panel in figure.axes for line in panel.lines if line.get_marker() == "^"]
    heights = [y for line in drawn for y in line.get_ydata()]
    assert heights == [2.0] and heights[0] > DISTURBED
    several = len(within_windows(tables["runs"]))
    assert f"1 of {several} windows have an iteration above 1.5 times their median" in figure.get_suptitle()


def test_windows_with_one_iteration_are_reported_as_left_out(tables: Tables) -> None:
    runs = tables["runs"].copy()
    runs.loc[runs["operation"] == "train", "iterations"] = 1
    said = draw_iterations({**tables, "runs": runs}).get_suptitle()
    assert f"{(runs['operation'] == 'train').sum()} more windows have a single iteration" in said
    with pytest.raises(NoData, match="no window has several iterations"):
        draw_iterations({**tables, "runs": runs.assign(iterations=1)})
