"""The same study in other places and at other hours: CO2e by country and over the day."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.carbon import co2e_kg, electricity_cost
from baler_energy.analysis.statistics import clean
from baler_energy.figures.bars import name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows
from baler_energy.figures.captions import EVIDENCE
from baler_energy.figures.selection import at_point, centre_of, first_device, scaled_unit
from baler_energy.figures.style import CO2E, COLOURS, grid, subtitle
from baler_energy.vocabulary import JOULES_PER_KWH, Operation

__all__ = ["FIGURES", "cheapest_hour", "draw_countries", "draw_hours", "mean_over_run"]

#: Countries that are shown in addition to the study's own, from low to high intensity.
_COUNTRIES = ("NOR", "SWE", "CHE", "FRA", "BRA", "GBR", "ITA", "DEU", "USA", "JPN", "CHN", "POL", "IND", "ZAF")


def mean_over_run(values_by_hour: Sequence[float], duration_h: float) -> list[float]:
    """Mean intensity over a run that starts at each full hour of the day; the day repeats.

    Parameters
    ----------
    values_by_hour
        Intensity (g/kWh) in each hour of the day.
    duration_h
        Duration of the run (h), above 0.
    """
    hours, means = len(values_by_hour), []
    for begin in range(hours):
        left, total, hour = duration_h, 0.0, begin
        while left > 0:
            share = min(1.0, left)
            total += share * values_by_hour[hour % hours]
            left, hour = left - share, hour + 1
        means.append(total / duration_h)
    return means


def cheapest_hour(values_by_hour: Sequence[float], duration_h: float) -> int:
    """Return the starting hour with the lowest mean intensity over a run of this duration."""
    return int(np.argmin(mean_over_run(values_by_hour, duration_h)))


def draw_countries(tables: Tables) -> Figure:
    """Draw the CO2e of the study's energy with the carbon intensities of several countries.

    Raises
    ------
    NoData
        No clean run has an energy.
    """
    runs = clean(tables["runs"]).dropna(subset=["energy_j"])
    require_rows("no unflagged run has an energy", runs)
    runs = _of_one_evidence(runs)
    evidence = str(runs["energy_evidence"].iloc[0])
    energy_j, pue = float((runs["energy_j"] * runs["iterations"]).sum()), float(runs["pue"].iloc[0])
    table = tables["electricity"]
    table = table[
        (table["kind"] == "value") | (table["kind"].eq("country") & (table["name"].isin(_COUNTRIES) | table["used"]))
    ]
    require_rows("there is no table of countries", table)
    table = table.sort_values("carbon_intensity_g_per_kwh").reset_index(drop=True)
    kilograms = [co2e_kg(energy_j, value, pue) for value in table["carbon_intensity_g_per_kwh"]]
    factor, unit = scaled_unit([1000 * value for value in kilograms], "g")
    figure, ((panel,),) = grid(1, 1, 1.6 + 0.27 * len(table))
    for place, (row, value) in enumerate(zip(table.to_dict("records"), kilograms, strict=True)):
        face = COLOURS[1] if row["used"] else "white"
        panel.plot([0, 1000 * factor * value], [place, place], color="0.8", linewidth=1, zorder=1)
        panel.plot(1000 * factor * value, place, "o", color=COLOURS[1], markerfacecolor=face)
        words = f"{row['carbon_intensity_g_per_kwh']:.0f} g/kWh"
        panel.annotate(words, (1000 * factor * value, place), (8, -3), textcoords="offset points", fontsize=8)
    name_rows(panel, table["name"], margin=0.7, upwards=True, ticks=True)
    panel.set_xlim(0, 1150 * factor * max(kilograms))
    panel.set_xlabel(f"{CO2E} of the study, from {evidence} energy ({unit})")
    kwh = f"{energy_j / JOULES_PER_KWH:.3g} kWh"
    words = f"{evidence.capitalize()} energy of all windows: {kwh} in n = {len(runs)} records; PUE {pue:g}."
    filled = "Filled: the study's own intensity." if table["used"].any() else "The study sets no carbon intensity."
    if (tables["electricity"]["kind"] == "hour").any():
        filled = "The study uses a time series (next figure)."
    subtitle(figure, words, *_price_words(energy_j, runs), filled)
    return figure


def draw_hours(tables: Tables) -> Figure:
    """Draw the carbon intensity over the day, and the CO2e of a training by its starting hour.

    Raises
    ------
    NoData
        The study has no time series that covers the day, or no training with an energy.
    """
    by_hour = _by_hour(tables["electricity"])
    runs = tables["runs"]
    trained = clean(runs[runs["operation"] == Operation.TRAIN]).dropna(subset=["energy_j"])
    require_rows("no unflagged training has an energy", trained)
    trained = at_point(trained, centre_of(runs))
    require_rows("no unflagged training at the study's centre has an energy", trained)
    trained, device = first_device(_of_one_evidence(trained))
    energy_j, length_h = float(trained["energy_j"].mean()), float(trained["duration_s"].mean()) / 3600
    grams = [1000 * co2e_kg(energy_j, value, trained["pue"].iloc[0]) for value in mean_over_run(by_hour, length_h)]
    factor, unit = scaled_unit(grams, "g")
    best = cheapest_hour(by_hour, length_h)
    figure, panels = grid(2, 1, 5.6, sharex=True)
    panels[0, 0].stairs(by_hour, range(25), color=COLOURS[0], linewidth=1.6)
    panels[0, 0].set_ylabel("Carbon intensity (g/kWh)")
    panels[0, 0].set_ylim(0, 1.15 * max(by_hour))
    panels[1, 0].plot(range(24), [factor * value for value in grams], "o", color=COLOURS[1], markerfacecolor="white")
    panels[1, 0].plot(best, factor * grams[best], "o", color=COLOURS[1])
    panels[1, 0].set(xlabel="Start of the training, hour of the day (UTC)", xlim=(-0.7, 24.2))
    panels[1, 0].set_ylim(0, 1.15 * factor * max(grams))
    panels[1, 0].set_xticks(range(0, 25, 3))
    evidence = trained["energy_evidence"].iloc[0]
    panels[1, 0].set_ylabel(f"{CO2E} of one training,\nfrom {evidence} energy ({unit})")
    saved = 100 * (1 - grams[best] / max(grams)) if max(grams) else 0.0
    words = f"A training of {3600 * length_h:.3g} s at the study's centre, {device}, n = {len(trained)}."
    best_words = f"Lowest CO2e if started at {best}:00 UTC, {saved:.0f} % below the highest."
    subtitle(figure, words, *_price_words(energy_j, trained), best_words)
    return figure


def _price_words(energy_j: float, runs: pd.DataFrame) -> list[str]:
    """Say what some energy of runs costs, wherever and whenever they run; empty if the study sets no price."""
    first = runs.iloc[0]
    if pd.isna(first["price_per_kwh"]):
        return []
    cost = electricity_cost(energy_j, first["price_per_kwh"], first["pue"])
    factor, unit = scaled_unit([cost], first["currency"])
    return [f"Its electricity costs {factor * cost:.3g} {unit} at the study's price."]


def _of_one_evidence(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs with the more frequent evidence: measured and modelled energy are never added."""
    return runs[runs["energy_evidence"] == runs["energy_evidence"].value_counts().idxmax()]


def _by_hour(electricity: pd.DataFrame) -> list[float]:
    hours = electricity[electricity["kind"] == "hour"].dropna(subset=["carbon_intensity_g_per_kwh"])
    require_rows("the study has no hourly carbon intensity (carbon_intensity_csv)", hours)
    means = hours.groupby("hour_of_day")["carbon_intensity_g_per_kwh"].mean()
    if len(means) < 24:
        raise NoData(f"the time series covers only {len(means)} of the 24 hours of the day")
    return [float(means[hour]) for hour in range(24)]


FIGURES = (
    FigureSpec(
        "co2e_countries",
        "The same study in other countries",
        "CO2e of all unflagged runs of this study if it had run in each country: energy times the yearly mean carbon "
        "intensity of its electricity (codecarbon's table, location-based) times the study's PUE. The filled mark is "
        "the study's own intensity. " + EVIDENCE,
        draw_countries,
        by_dataset=False,
    ),
    FigureSpec(
        "co2e_hours",
        "The hour of the day with the lowest CO2e",
        "Top: carbon intensity by hour of the day (UTC), mean over the days of the study's time series. Bottom: "
        "CO2e of the centre's training by its starting hour, from the mean intensity over its duration; the filled "
        "mark is the lowest. " + EVIDENCE,
        draw_hours,
    ),
)
