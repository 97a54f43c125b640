"""Software Carbon Intensity in the report: first page, tables, and why it is missing."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.analysis.efficiency import absent, metrics
from baler_energy.config.sections import Embodied
from baler_energy.figures import chapters
from baler_energy.figures.overview import overview
from baler_energy.figures.readable import notes, readable

Tables = dict[str, pd.DataFrame]
EMBODIED = Embodied(machine_co2e_kg=1200, lifetime_years=4, citation="data sheet, 2024")


@pytest.fixture
def stated(build: Callable[..., Tables]) -> Tables:
    """Tables of a study that states embodied emissions."""
    found = build()
    runs = found["runs"]
    share = EMBODIED.co2e_kg(runs["duration_s"])
    sci = (runs["co2e_kg"] + share) / (runs["native_bytes"] / 1e9)
    return found | {"runs": runs.assign(embodied_co2e_kg=share, sci_kg_per_gb=sci, embodied_source=str(EMBODIED))}


def test_tables_and_the_first_page_state_it_with_its_source(stated: Tables) -> None:
    (spec,) = (one for one in chapters.tables() if one.name == "summary")
    frame = spec.make(stated)
    train = stated["runs"].query("operation == 'train' and at_reference")
    row = frame[frame["at_reference"] & frame["operation"].eq("train")].iloc[0]
    assert row["sci_kg_per_gb"] == pytest.approx(train["sci_kg_per_gb"].mean()) and row["sci_half_width_kg_per_gb"] > 0
    texts = readable(spec, frame)["SCI, modelled (g/GB)"]
    assert float(texts[0].split(" ± ")[0].replace(",", "")) == pytest.approx(1000 * frame["sci_kg_per_gb"][0], rel=0.01)
    words = f"SCI (ISO/IEC 21031), always modelled, with embodied emissions of {EMBODIED}"
    assert f"{words}." in notes(spec, frame, stated)
    page = overview(stated, "mine", {})
    assert words in page and "SCI (modelled)" in page and "g/GB" in page
    found = metrics(stated)
    assert found["sci_kg_per_gb"].tolist() == pytest.approx(stated["runs"]["sci_kg_per_gb"].tolist())


def test_without_the_key_there_is_none_and_the_reason_is_given(tables: Tables, stated: Tables) -> None:
    (spec,) = (one for one in chapters.tables() if one.name == "summary")
    frame = spec.make(tables)
    reason = "No SCI (ISO/IEC 21031): the study states no embodied emissions (embodied)"
    assert frame["sci_kg_per_gb"].isna().all() and not [name for name in readable(spec, frame) if "SCI" in name]
    assert f"{reason}." in notes(spec, frame, tables)
    page = overview(tables, "mine", {})
    assert reason in page and "SCI (modelled)" not in page
    assert absent(tables)["sci_kg_per_gb"] == "the study states no embodied emissions"

    runs = stated["runs"].assign(co2e_kg=float("nan"), sci_kg_per_gb=float("nan"))
    without = stated | {"runs": runs}
    assert "No SCI (ISO/IEC 21031): no run has both a CO2e and a known size" in overview(without, "mine", {})
    assert absent(without)["sci_kg_per_gb"] == "the CO2e is unknown"
