"""What compression saves over the years, and by how much one model compresses."""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baler_energy.analysis.break_even import (
    AS_RECORDED,
    CO2E,
    ENERGY,
    MONEY,
    Codec,
    Constants,
    Quantity,
    Scenario,
    band,
    draw,
    net_saving,
    pays_from_volume_per_model_tb,
    pays_from_years,
)
from baler_energy.figures import style
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.break_even_rows import Case, Study, read_break_even, scenarios, volume_text, years_text
from baler_energy.figures.style import (
    COLOURS,
    MARKERS,
    count_text,
    few_ticks,
    grid,
    legend_below,
    log_ticks,
    plain,
    subtitle,
)

__all__ = ["FIGURES", "draw_break_even"]

_POINTS = 41
#: Largest volume per model on the axis (TB).
_LARGEST_TB = 1e3


def draw_break_even(tables: Tables) -> Figure:
    """Draw the net saving per TB against the years that data are kept, and against the volume per model.

    Raises
    ------
    NoData
        The study has no trained codec to compare.
    """
    study = read_break_even(tables)
    case, scenario, constants = study.cases[0], scenarios(study)[1], draw(study.ranges)
    quantities = (MONEY, ENERGY if study.intensity_g_per_kwh is None else CO2E)
    years = np.linspace(0, 2 * scenario.years, _POINTS)
    volumes_tb = np.geomspace(_least_tb(case, scenario, constants), _LARGEST_TB, _POINTS)
    axes = years, 1000 * volumes_tb
    scenarios_along = replace(scenario, years=years), replace(scenario, volume_per_model_tb=volumes_tb)
    figure, panels = grid(2, 2, 6.4, sharey="row", sharex="col")
    handles: list[Any] = []
    for row, quantity in zip(panels, quantities, strict=True):
        for panel, axis, changed in zip(row, axes, scenarios_along, strict=True):
            handles = [
                _line(panel, axis, _saving(quantity, case, other, changed, constants), number, other)
                for number, other in enumerate(case.others)
            ]
        _finish(row, quantity, study)
    panels[0, 0].set_xlim(0, years[-1])
    few_ticks(panels[0, 0].xaxis, 8)
    panels[0, 1].set(xscale="log", xlim=axes[1][[0, -1]])
    log_ticks(panels[0, 1].xaxis, *axes[1][[0, -1]])
    panels[1, 0].set_xlabel("Data kept for (years)")
    panels[1, 1].set_xlabel("Compressed by one model (GB)")
    legend_below(figure, handles)
    subtitle(figure, *_words(study, scenario, constants))
    return figure


def _least_tb(case: Case, scenario: Scenario, constants: Constants) -> float:
    """Choose the smallest volume per model on the axis: where training costs more than is saved."""
    found = pays_from_volume_per_model_tb(MONEY, case.trained, case.others[0], scenario, constants)
    known = found[np.isfinite(found) & (found > 0)]
    return float(np.median(known)) / 5 if len(known) else _LARGEST_TB / 1e9


def _saving(
    quantity: Quantity, case: Case, other: Codec, scenario: Scenario, constants: Constants
) -> NDArray[np.float64]:
    saved: NDArray[np.float64] = net_saving(quantity, case.trained, other, scenario, constants) / scenario.volume_tb
    return saved


def _line(panel: Axes, axis: NDArray[np.float64], saved: NDArray[np.float64], number: int, other: Codec) -> Any:
    """Draw a median with its band, of draws x points."""
    found = band(saved)
    colour = COLOURS[number]
    panel.fill_between(axis, found.low, found.high, color=colour, alpha=0.22 + 0.1 * number, linewidth=0)
    look: dict[str, Any] = {"color": colour, "marker": MARKERS[number], "markevery": 8, "markersize": 5}
    (line,) = panel.plot(axis, found.median, label=f"saved against {_name(other)}", **look)
    return line


def _name(other: Codec) -> str:
    return "keeping the data as recorded" if other is AS_RECORDED else plain(other.name)


def _finish(row: Any, quantity: Quantity, study: Study) -> None:
    """Label a row of panels; a small volume per model leaves it downwards."""
    low, high = row[0].dataLim.intervaly
    reach = max(high, -low, 1e-12)
    row[0].set_ylim(min(1.1 * low, -0.25 * reach), 1.1 * max(high, 0.1 * reach))
    for panel in row:
        panel.axhline(0, color="black", linewidth=0.9)
    look: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "xycoords": "axes fraction", "fontsize": 8}
    for place, words in ((0.95, "above 0: the trained codec pays"), (0.05, "below 0: it costs more")):
        row[0].annotate(words, (0, place), verticalalignment="center", **look)
    unit = quantity.unit or study.currency
    name = style.CO2E if quantity == CO2E else quantity.label
    row[0].set_ylabel(f"Net saving of {name}\n({unit} per TB)")


def _words(study: Study, scenario: Scenario, constants: Constants) -> list[str]:
    case = study.cases[0]
    error = f"RMS residual / range {100 * case.error:.3g} %"
    said = [f"{case.trained.name} ({error}, ratio {case.trained.ratio:.3g}), {study.device}, {count_text([case.n])}."]
    for other in case.others:
        compared = (MONEY, case.trained, other, scenario, constants)
        years = band(pays_from_years(*compared)[:, 0]).median
        volume = band(pays_from_volume_per_model_tb(*compared)[:, 0]).median
        pays = "never saves money"
        if np.isfinite([years, volume]).all():
            pays = f"saves money {years_text(years)}, {volume_text(volume)}"
        said.append(f"Against {_name(other)} (ratio {other.ratio:.3g}) it {pays}.")
    if case.best is None:
        said.append("The study has no codec without training at this error to compare with.")
    said.append(f"Energy of training and codec: {case.evidence}; of disks, tapes and the network: modelled.")
    return said


FIGURES = (
    FigureSpec(
        "break_even",
        "What compression saves, and from when on",
        "Net saving per TB of the data in their recorded formats, against keeping them as they are and against the "
        "codec without training that stores least with no larger error: training, compressing, keeping, moving and "
        "reading together. Above 0 the trained codec pays. Shown is the trained codec that does best against the "
        "other one. Left: against the years that the data are kept. Right: against the volume that one model "
        "compresses before the next one is trained, for the study's number of years. Lines are medians and bands 90 % "
        "of 10,000 seeded draws of the constants from their ranges (section break_even of the study; sources in "
        "docs/break-even.md); the spread of the measurements is not in them. The model is assumed to be as good on "
        "the rest of the data as on the rows that it was trained on. The price of computers and of staff is left out.",
        draw_break_even,
    ),
)
