"""Cost of electricity: the arithmetic, and the keys of the study."""

from datetime import UTC, datetime
from typing import Any

import pytest

from baler_energy.analysis.carbon import electricity_cost
from baler_energy.analysis.electricity import Electricity
from baler_energy.config.study import load_study
from baler_energy.errors import InputError

STUDY: dict[str, Any] = {
    **{"name": "mine", "data": {"toy": {"source": "toy"}}, "design": "factorial"},
    "axes": {"rows": [100], "epochs": [1]},
}


def test_a_kilowatt_hour_costs_its_price_times_the_pue() -> None:
    assert electricity_cost(3.6e6, 0.25, 1.2) == pytest.approx(0.3)
    known = Electricity(1.2, price_per_kwh=0.25, currency="CHF")
    assert known.cost(3.6e6) == pytest.approx(0.3) and known.cost(None) is None
    assert Electricity(1.2).cost(3.6e6) is None
    assert known.co2e_kg(3.6e6, datetime(2026, 1, 1, tzinfo=UTC), 1.0) is None


@pytest.mark.parametrize("given", [{"price_per_kwh": 0.2}, {"currency": "CHF"}])
def test_a_price_needs_its_currency(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="go together; set both or neither"):
        load_study(STUDY | given)
    with pytest.raises(InputError, match="go together; set both or neither"):
        Electricity.of(country=None, value=None, csv=None, pue=1.0, **given)
    assert load_study(STUDY).price_per_kwh is None, "no default"


@pytest.mark.parametrize(("key", "value"), [("price_per_kwh", -0.1), ("currency", "euro")])
def test_impossible_prices_are_refused(key: str, value: Any) -> None:
    with pytest.raises(InputError, match=key):
        load_study(STUDY | {"price_per_kwh": 0.2, "currency": "CHF", key: value})
