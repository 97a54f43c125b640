"""The cost of electricity next to CO2e: in the figures, the tables and on the first page."""

import inspect
import re
from collections.abc import Callable
from sys import modules

import pandas as pd
import pytest
from matplotlib.text import Text

from baler_energy.analysis.schema import TABLES
from baler_energy.figures import chapters
from baler_energy.figures.base import FigureSpec, TableSpec
from baler_energy.figures.overview import overview
from baler_energy.figures.readable import notes, readable
from baler_energy.variants import CHAPTERS

Build = Callable[..., dict[str, pd.DataFrame]]


def _module(spec: FigureSpec | TableSpec) -> str:
    """Return the source of the module that makes a figure or a table."""
    function = spec.function if isinstance(spec, FigureSpec) else spec.make
    return inspect.getsource(modules[getattr(function, "func", function).__module__])


#: Figures and tables whose code is about CO2e.
EMITTING = [spec for chapter in CHAPTERS for spec in chapters.figures_of(chapter) if "CO2E" in _module(spec)]
EMITTING_TABLES = [spec for spec in chapters.tables() if "co2e" in _module(spec).lower()]


@pytest.fixture(scope="module")
def priced(build: Build) -> dict[str, pd.DataFrame]:
    """Tables of a study with a price of 0.25 CHF per kWh, other codecs, tools and a series of intensities."""
    found = build(extras=True, engines=True)
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


@pytest.mark.parametrize("spec", EMITTING, ids=lambda spec: spec.name)
def test_every_figure_of_co2e_has_money(spec: FigureSpec, priced: dict[str, pd.DataFrame]) -> None:
    said = " ".join(text.get_text() for text in spec.draw(priced).findobj(Text))
    assert "CO" in said and ("CHF" in said or "Net saving of money" in said)


def test_every_table_with_co2e_has_money(priced: dict[str, pd.DataFrame]) -> None:
    shown = set()
    for spec in EMITTING_TABLES:
        frame = spec.make(priced)
        quantities = set(frame["quantity"]) if "quantity" in frame else set()
        if "co2e_kg" in quantities or "co2e_kg" in frame:
            shown.add(spec.name)
            assert "money" in quantities or frame["electricity_cost"].notna().any(), spec.name
    assert {"summary", "break_even"} <= shown
    for name, (_, columns) in TABLES.items():
        names = {column.name for column in columns}
        assert "co2e_kg" not in names or "electricity_cost" in names, name


def test_energies_of_other_tools_have_their_cost(priced: dict[str, pd.DataFrame], build: Build) -> None:
    (spec,) = (one for one in chapters.tables() if one.name == "peers")
    frame = spec.make(priced)
    assert (frame["electricity_cost"] - frame["value"] / 3.6e6 * 0.25).abs().max() == pytest.approx(0)
    assert readable(spec, frame)["electricity"].str.contains("CHF").any()
    assert "electricity" not in readable(spec, spec.make(build(extras=True)))


@pytest.mark.parametrize("name", ["co2e_countries", "co2e_hours"])
def test_the_same_study_elsewhere_costs_the_same(name: str, priced: dict[str, pd.DataFrame]) -> None:
    (spec,) = (one for one in EMITTING if one.name == name)
    runs = priced["runs"]
    joules = (runs["energy_j"] * runs["iterations"]).sum()
    if name == "co2e_hours":
        joules = runs.query("at_reference and operation == 'train'")["energy_j"].mean()
    (cost, unit) = re.search(r"Its electricity costs ([\d.]+) ([mµ]?)CHF at", spec.draw(priced).get_suptitle()).groups()
    assert float(cost) * {"": 1, "m": 1e-3, "µ": 1e-6}[unit] == pytest.approx(joules / 3.6e6 * 0.25, rel=0.01)
