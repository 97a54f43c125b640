"""What CO2e, cost and Software Carbon Intensity are computed from, in words."""

import pandas as pd

__all__ = ["rate_words"]


def rate_words(runs: pd.DataFrame) -> list[str]:
    """State the carbon intensity, the price of electricity and the embodied emissions, or why there are none."""
    return [*_carbon_words(runs), *_price_words(runs), *_sci_words(runs)]


def _carbon_words(runs: pd.DataFrame) -> list[str]:
    """State the carbon intensity and PUE behind the CO2e, or why there is no CO2e."""
    known = runs.dropna(subset=["carbon_intensity_g_per_kwh"])
    if known.empty:
        return [
            "No CO2e: the study sets no carbon intensity (country, carbon_intensity_g_per_kwh or carbon_intensity_csv)"
        ]
    values, pues = known["carbon_intensity_g_per_kwh"], sorted(known["pue"].unique())
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    span = low if low == high else f"{low} to {high}"
    lines = [f"Carbon intensity {span} g CO2e per kWh, PUE {', '.join(f'{pue:g}' for pue in pues)}"]
    missing = len(runs) - len(known)
    return [*lines, f"No CO2e for {missing} of {len(runs)} records: no carbon intensity covers them"][
        : 2 if missing else 1
    ]


def _price_words(runs: pd.DataFrame) -> list[str]:
    """State the price of electricity behind the costs; empty if the study sets none."""
    known = runs.dropna(subset=["price_per_kwh"]).drop_duplicates(["price_per_kwh", "currency"])
    return [f"Electricity at {row.price_per_kwh:g} {row.currency} per kWh" for row in known.itertuples()]


def _sci_words(runs: pd.DataFrame) -> list[str]:
    """State the embodied emissions behind the Software Carbon Intensity, or why there is none."""
    stated = runs["embodied_source"].dropna().unique()
    if not len(stated):
        return ["No SCI (ISO/IEC 21031): the study states no embodied emissions (embodied)"]
    if runs["sci_kg_per_gb"].isna().all():
        return ["No SCI (ISO/IEC 21031): no run has both a CO2e and a known size of its table"]
    return [f"SCI (ISO/IEC 21031), always modelled, with embodied emissions of {source}" for source in stated]
