"""From energy to CO2-equivalent emissions, also with those of making the machine, and to money."""

import difflib
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

from baler_energy.errors import InputError, UnavailableError
from baler_energy.vocabulary import JOULES_PER_KWH

__all__ = [
    "YEAR_S",
    "carbon_intensity_g_per_kwh",
    "co2e_kg",
    "codecarbon_file",
    "country_intensities_g_per_kwh",
    "electricity_cost",
    "embodied_co2e_kg",
    "sci_kg_per_gb",
]

#: A Julian year.
YEAR_S = 365.25 * 86_400
_B_PER_GB = 1e9
#: Most characters of an unknown country in a message.
_LONGEST = 40


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


def embodied_co2e_kg(machine_co2e_kg: float, duration_s: float, lifetime_years: float, reserved_share: float) -> float:
    """Return an operation's share (kg) of the emissions of making and disposing of its machine.

    ``M = TE x TS x RS`` (ISO/IEC 21031:2024): the emissions of the whole machine (kg), times the share of its lifetime
    that the operation takes, times the share of the machine that is reserved for it.
    """
    return machine_co2e_kg * (duration_s / (lifetime_years * YEAR_S)) * reserved_share


def sci_kg_per_gb(operational_kg: float, embodied_kg: float, table_bytes: float) -> float:
    """Software Carbon Intensity (kg CO2e per 10^9 bytes of the table in its recorded formats).

    ``SCI = (E x I + M) / R`` (ISO/IEC 21031:2024), where `operational_kg` is ``E x I``, with the PUE, and `embodied_kg`
    is ``M``.
    """
    return (operational_kg + embodied_kg) / table_bytes * _B_PER_GB


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
        near = [f"{code} ({table[code]['country_name']})" for code in _meant(country)]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise InputError(
            f"country: {country[:_LONGEST]!r} is not an ISO 3166-1 alpha-3 code with a known energy mix.{hint}"
        )
    return float(table[country]["carbon_intensity"])


def country_intensities_g_per_kwh() -> dict[str, float]:
    """Yearly mean carbon intensity (g CO2e per kWh) of every country in codecarbon's table, by ISO code."""
    return {code: float(entry["carbon_intensity"]) for code, entry in sorted(_energy_mix().items())}


def codecarbon_file(*parts: str) -> Path | None:
    """Return the path of a file in codecarbon's folder of data; None if codecarbon is not installed."""
    # Found without importing codecarbon, which takes more than a second.
    spec = importlib.util.find_spec("codecarbon")
    folders = spec and spec.submodule_search_locations
    return Path(folders[0], "data", *parts) if folders else None


def _meant(country: str) -> list[str]:
    """Codes in the table that a name, a code of another kind or a misspelt one may mean, at most three."""
    import pycountry  # reads its database only now

    table = _energy_mix()
    try:
        codes = [pycountry.countries.lookup(country).alpha_3]
    except LookupError:
        names = {str(entry["country_name"]): code for code, entry in table.items()}
        near = [names[name] for name in difflib.get_close_matches(country.title(), names, n=3, cutoff=0.7)]
        codes = near or difflib.get_close_matches(country.upper(), table, n=3, cutoff=0.5)
    return [code for code in codes if code in table]


@cache
def _energy_mix() -> dict[str, dict[str, Any]]:
    path = codecarbon_file("private_infra", "global_energy_mix.json")
    if path is None:
        raise UnavailableError("codecarbon is not installed; its table of carbon intensities is needed.")
    mix: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {code: entry for code, entry in mix.items() if entry.get("carbon_intensity")}
