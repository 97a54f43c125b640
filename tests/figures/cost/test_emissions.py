"""The best hour of the day for a run of a given length, and what the figures report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.figures.cost.emissions import cheapest_hour, draw_countries, draw_hours, mean_over_run

days = st.lists(st.floats(0, 1000), min_size=24, max_size=24)


@given(days, st.floats(0.01, 60))
def test_the_mean_over_a_run_is_within_the_days_values_and_the_days_mean_for_a_whole_day(values, duration_h):
    means = mean_over_run(values, duration_h)
    assert min(values) - 1e-6 <= min(means) <= max(means) <= max(values) + 1e-6
    assert mean_over_run(values, 24.0) == pytest.approx([sum(values) / 24] * 24, abs=1e-6)
    assert means[cheapest_hour(values, duration_h)] == min(means)


def test_a_longer_run_avoids_a_low_hour_among_high_ones():
    values = [100.0] * 24
    values[3], values[12:16] = 10.0, [40.0] * 4
    assert cheapest_hour(values, 0.5) == 3
    assert cheapest_hour(values, 4.0) == 12
    assert mean_over_run(values, 1.5)[3] == pytest.approx((10 + 0.5 * 100) / 1.5)


def test_the_figures_name_the_hour_and_the_country(build):
    tables = build(extras=True)
    assert "g/kWh" in "".join(text.get_text() for text in draw_countries(tables).axes[0].texts)
    assert "Lowest CO2e if started at" in draw_hours(tables).get_suptitle()
