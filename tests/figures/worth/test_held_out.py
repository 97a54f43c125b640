"""Errors on held-out rows: the figure and the first page."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures.base import NoData
from baler_energy.figures.overview import overview
from baler_energy.figures.worth.column_errors import draw_column_errors
from baler_energy.figures.worth.held_out import draw_held_out

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def tables(build: Callable[..., Tables]) -> Tables:
    return build()


def test_each_mark_has_both_errors_of_a_codec(tables: Tables) -> None:
    figure = draw_held_out(tables)
    for panel in figure.axes:
        marks = panel.containers[0].lines[0]
        x, y = marks.get_data()
        # The held-out rows are a tenth worse.
        assert len(x) > 2
        assert y == pytest.approx(1.1 * x)
    assert "equal on both" in figure.legends[0].get_texts()[0].get_text()


def test_columns_have_a_mark_for_held_out_rows_and_no_other_error_changes(tables: Tables) -> None:
    errors = tables["errors"]
    others = errors.assign(on_rows="held_out", **{name: 3 * errors[name] for name in ("rms_over_range", "nrmse")})
    both = tables | {"errors": pd.concat([errors, others], ignore_index=True)}
    before, after = (draw_column_errors(one).axes[0].containers for one in (tables, both))
    assert len(before) == 2 and len(after) == 3
    for one, same in zip(before, after, strict=False):
        assert list(one.lines[0].get_xdata()) == list(same.lines[0].get_xdata())
    assert after[2].lines[0].get_xdata() == pytest.approx(3 * after[0].lines[0].get_xdata())
    assert after[2].get_label().endswith("held-out rows")
    assert overview(both, "study", {}) == overview(tables, "study", {})


def test_a_column_without_error_is_named_and_does_not_stretch_the_axis(tables: Tables) -> None:
    errors = tables["errors"]
    exact = errors["column"].eq(errors["column"].iloc[0])
    names = ["rms_over_range", "max_over_range"]
    panel = draw_column_errors(tables | {"errors": errors.assign(**errors[names].mask(exact, 0.0))}).axes[0]
    assert [text.get_text() for text in panel.texts] == ["no error"]
    usual = draw_column_errors(tables).axes[0]
    assert not usual.texts and panel.get_xlim()[0] >= usual.get_xlim()[0]


def test_the_first_page_states_the_errors_on_held_out_rows(tables: Tables) -> None:
    page = overview(tables, "study", {})
    assert "6,000 rows that the codec was not trained on, it is off by" in page


@pytest.mark.parametrize("rows", [None, 0])
def test_without_held_out_rows_both_are_left_out(tables: Tables, rows: int | None) -> None:
    without = tables | {"runs": tables["runs"].assign(held_out_rows=rows)}
    with pytest.raises(NoData, match="holds out no rows"):
        draw_held_out(without)
    assert "not trained on" not in overview(without, "study", {})
