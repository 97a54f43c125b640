"""From energy to CO2-equivalent emissions, and to money."""

import difflib
import importlib.util
import json
from functools import cache
from pathlib import Path

from baler_energy.errors import InputError, UnavailableError
from baler_energy.vocabulary import JOULES_PER_KWH

__all__ = ["carbon_intensity_g_per_kwh", "co2e_kg", "country_intensities_g_per_kwh", "electricity_cost"]


def co2e_kg(energy_j: float, intensity_g_per_kwh: float, pue: float) -> float:
    """CO2e (kg) of energy used by the machine.

    ``energy / 3.6e6 J/kWh * PUE * intensity / 1000 g/kg``: the PUE scales the machine's energy to the site's
    (ISO/IEC 30134-2) and is only applied here.

    Parameters
    ----------
    energy_j
        Energy of the machine (J).
    intensity_g_per_kwh
        Carbon intensity of the electricity (g CO2e per kWh).
    pue
        Power usage effectiveness, at least 1.
    """
    return energy_j / JOULES_PER_KWH * pue * intensity_g_per_kwh / 1000.0


def electricity_cost(energy_j: float, price_per_kwh: float, pue: float) -> float:
    """Price of energy used by the machine (J), in the currency of `price_per_kwh`; the PUE is as for `co2e_kg`."""
    return energy_j / JOULES_PER_KWH * pue * price_per_kwh


def carbon_intensity_g_per_kwh(country: str) -> float:
    """Yearly mean carbon intensity of a country's electricity (g CO2e per kWh).

    Parameters
    ----------
    country
        ISO 3166-1 alpha-3 code, such as ``CHE``.

    Raises
    ------
    InputError
        The table does not have this country.

    Notes
    -----
    The values come from codecarbon's table (from Our World in Data), for example 34.8 g/kWh for Switzerland in 2023.
    """
    table = _energy_mix()
    if country not in table:
        near = difflib.get_close_matches(country, table, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"country: {country!r} is not an ISO 3166-1 alpha-3 code with a known energy mix.{hint}")
    return float(table[country]["carbon_intensity"])


def country_intensities_g_per_kwh() -> dict[str, float]:
    """Yearly mean carbon intensity (g CO2e per kWh) of every country in codecarbon's table, by ISO code."""
    return {code: float(entry["carbon_intensity"]) for code, entry in sorted(_energy_mix().items())}


@cache
def _energy_mix() -> dict[str, dict[str, float]]:
    # Found without importing codecarbon, which takes more than a second.
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError("codecarbon is not installed; its table of carbon intensities is needed.")
    path = Path(spec.submodule_search_locations[0]) / "data" / "private_infra" / "global_energy_mix.json"
    mix: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return {code: entry for code, entry in mix.items() if entry.get("carbon_intensity")}
