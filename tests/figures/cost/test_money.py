"""The cost of electricity next to CO2e: in the figures, the table of all points and on the first page."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures import chapters
from baler_energy.figures.overview import overview
from baler_energy.figures.readable import notes, readable

Build = Callable[..., dict[str, pd.DataFrame]]


@pytest.fixture
def priced(build: Build) -> dict[str, pd.DataFrame]:
    """Tables of a study with a price of 0.25 CHF per kWh."""
    found = build()
    cost = found["runs"]["energy_j"] / 3.6e6 * 0.25
    found["runs"] = found["runs"].assign(electricity_cost=cost, price_per_kwh=0.25, currency="CHF")
    return found


def test_figures_have_a_row_of_panels_for_money(priced: dict[str, pd.DataFrame]) -> None:
    (spec,) = (one for one in chapters.figures_of("cost") if one.name == "cost_rows")
    figure = spec.draw(priced)
    labels = [panel.get_ylabel() for panel in figure.axes[::3]]
    assert len(figure.axes) == 12 and labels[2].startswith("Electricity, modelled (") and labels[2].endswith("CHF)")


def test_tables_and_the_first_page_state_cost_and_price(
    priced: dict[str, pd.DataFrame], tables: dict[str, pd.DataFrame]
) -> None:
    (spec,) = (one for one in chapters.tables() if one.name == "summary")
    frame = spec.make(priced)
    assert (frame["electricity_cost"] / frame["energy_j"]).to_numpy() == pytest.approx(0.25 / 3.6e6)
    shown = readable(spec, frame)
    joules, money = (
        float(shown[name][0].split(" ± ")[0].replace(",", "")) for name in ("energy (J)", "electricity (µCHF)")
    )
    assert money == pytest.approx(joules / 3.6 * 0.25, rel=0.01)
    assert "Electricity at 0.25 CHF per kWh." in notes(spec, frame, priced)
    page = overview(priced, "mine", {})
    assert "Electricity at 0.25 CHF per kWh" in page and "µCHF" in page
    without = readable(spec, spec.make(tables))
    assert not [name for name in without if "electricity" in name]
    assert "Electricity" not in overview(tables, "mine", {})
