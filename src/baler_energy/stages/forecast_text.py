"""Numbers of a forecast as text: with units, and with 90 % intervals."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from baler_energy.analysis.electricity import Electricity
    from baler_energy.analysis.law import Forecast
    from baler_energy.analysis.site import Load
    from baler_energy.config.sections import Embodied

__all__ = ["Rates", "costs", "interval_words", "words"]

#: Where a larger unit begins, in the base unit, and its name.
_LARGE = {"s": (3600.0, "h"), "J": (3.6e6, "kWh"), "g": (1000.0, "kg"), "W": (1000.0, "kW"), "g/GB": (1000.0, "kg/GB")}


class Rates(NamedTuple):
    """What turns energy and time into CO2e, money and SCI."""

    electricity: "Electricity"
    """Carbon intensity and price, if there are any, and the PUE."""
    embodied: "Embodied | None"
    """Emissions of making a node; None: no SCI."""


def costs(load: "Load", evidence: str | None, rates: Rates, table_bytes: float) -> dict[str, str]:
    """Write energy, CO2e, cost of electricity and SCI of a load, by heading, as far as they are known.

    Parameters
    ----------
    load
        Node time and energy.
    evidence
        What its energy is.
    rates
        What turns them into the others.
    table_bytes
        Size of the data in their recorded formats, for the SCI.
    """
    from baler_energy.analysis.carbon import co2e_kg, electricity_cost, sci_kg_per_gb
    from baler_energy.analysis.law import interval

    joules: Any = load.joules
    if joules is None:
        return {}
    found = {f"energy ({evidence})": words(interval(joules), "J")}
    intensity, price = rates.electricity.value_g_per_kwh, rates.electricity.price_per_kwh
    emitted_kg: Any = None if intensity is None else co2e_kg(joules, intensity, rates.electricity.pue)
    if emitted_kg is not None:
        found["CO2e"] = words(interval(1000 * emitted_kg), "g")
    if price is not None:
        cost: Any = electricity_cost(joules, price, rates.electricity.pue)
        found["electricity"] = words(interval(cost), f"{rates.electricity.currency}")
    if emitted_kg is not None and rates.embodied is not None:
        sci: Any = sci_kg_per_gb(emitted_kg, rates.embodied.co2e_kg(load.seconds), table_bytes)
        found["SCI (modelled)"] = words(interval(1000 * sci), "g/GB")
    return found


def words(found: "Forecast", unit: str) -> str:
    """Write a value with its interval, in the unit that reads best."""
    from baler_energy.figures.selection import scaled_unit

    size, large = _LARGE.get(unit, (1.0, unit))
    factor, unit = (1 / size, large) if found.value >= size else scaled_unit([found.value], unit)
    return interval_words(found, unit, factor=factor)


def interval_words(found: "Forecast", unit: str, *, factor: float = 1.0) -> str:
    """Write a value with its interval in a unit, such as ``12.3 h (11.8 to 13)``."""
    from baler_energy.figures.selection import interval_text

    low, value, high = (interval_text(one, math.nan, factor=factor) for one in (found.low, found.value, found.high))
    return f"{value} {unit} ({low} to {high})" if unit else f"{value} ({low} to {high})"
