"""Software Carbon Intensity: the arithmetic, the key of the study, and what it refuses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.carbon import YEAR_S, embodied_co2e_kg, sci_kg_per_gb
from baler_energy.config.sections import Embodied
from baler_energy.config.study import Study, load_study
from baler_energy.errors import InputError

STUDY: dict[str, Any] = {
    **{"name": "mine", "data": {"toy": {"source": "toy"}}, "design": "factorial"},
    "axes": {"rows": [100], "epochs": [1]},
}
STATED: dict[str, Any] = {"machine_co2e_kg": 1200.0, "lifetime_years": 4.0, "citation": "data sheet, 2024"}


def test_a_quarter_of_a_machine_for_a_year_of_four() -> None:
    assert YEAR_S == 31_557_600
    assert embodied_co2e_kg(1200.0, YEAR_S, 4.0, 0.25) == pytest.approx(75.0)
    assert Embodied(**STATED).co2e_kg(YEAR_S / 1000) == pytest.approx(0.3), "the whole machine unless a share is given"


def test_the_intensity_is_both_emissions_over_the_gigabytes() -> None:
    # (0.5 kWh x 0.1 kg/kWh + 0.07 kg) / 0.4 GB
    assert sci_kg_per_gb(0.05, 0.07, 4e8) == pytest.approx(0.3)


@given(*[st.floats(1e-6, 1e6)] * 3, st.floats(1, 1e12), st.floats(1.5, 10))
def test_the_intensity_is_additive_and_falls_with_the_volume(
    operation: float, made: float, more: float, size: float, factor: float
) -> None:
    whole = sci_kg_per_gb(operation, made + more, size)
    assert whole == pytest.approx(sci_kg_per_gb(operation, made, size) + sci_kg_per_gb(0.0, more, size))
    assert sci_kg_per_gb(operation, made, factor * size) * factor == pytest.approx(sci_kg_per_gb(operation, made, size))


def test_the_key_has_no_default_and_needs_a_citation() -> None:
    assert load_study(STUDY).embodied is None
    found = load_study(STUDY | {"embodied": STATED | {"reserved_share": 0.5}})
    assert found.embodied is not None and found.embodied.co2e_kg(YEAR_S) == pytest.approx(150.0)
    assert str(found.embodied) == "1200 kg over 4 years, reserved share 0.5 (data sheet, 2024)"
    assert Study.model_validate(found.model_dump(mode="json", exclude_unset=True)) == found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"citation": None}, r"embodied\.citation"),
        ({"citation": "  "}, r"embodied\.citation"),
        ({"machine_co2e_kg": -1}, r"embodied\.machine_co2e_kg"),
        ({"lifetime_years": 0}, r"embodied\.lifetime_years"),
        ({"reserved_share": 0}, r"embodied\.reserved_share"),
        ({"reserved_share": 1.5}, r"embodied\.reserved_share"),
        ({"lifetime": 4}, r"embodied\.lifetime: unknown key. Did you mean 'lifetime_years'\?"),
    ],
)
def test_impossible_emissions_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_study(STUDY | {"embodied": STATED | changes})


@pytest.mark.parametrize("name", list(STATED))
def test_a_part_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"embodied\.{name}: is missing"):
        load_study(STUDY | {"embodied": {key: value for key, value in STATED.items() if key != name}})
