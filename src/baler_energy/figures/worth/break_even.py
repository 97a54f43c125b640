"""What compression saves, against the years that data are kept and against the volume per model."""

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
    CodecCosts,
    Constants,
    Scenario,
    band,
    draw,
    net_saving,
    pays_from_volume_per_model_tb,
    pays_from_years,
)
from baler_energy.figures import style
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.break_even_rows import (
    BreakEvenData,
    Case,
    read_break_even,
    scenarios,
    volume_text,
    years_text,
)
from baler_energy.figures.style import COLOURS, count_text, few_ticks, grid, log_ticks, plain, subtitle

__all__ = ["FIGURES", "draw_volumes", "draw_years"]

_POINTS = 61
#: Largest volume per model on the axis (TB).
_LARGEST_TB = 1e3


def draw_years(tables: Tables) -> Figure:
    """Draw the net saving per TB against the years that data are kept.

    Raises
    ------
    NoData
        The study has no trained codec to compare.
    """
    study, case, scenario, constants = _chosen(tables)
    years = np.linspace(0, 2 * scenario.years, _POINTS)
    figure, panels = _panels(study, case, replace(scenario, years=years), constants, years)
    for panel in panels[-1]:
        panel.set(xlim=(0, years[-1]), xlabel="Data kept for (years)")
        few_ticks(panel.xaxis, 8)
    _label_sides(panels, right=False)
    pays = [
        (other, band(pays_from_years(MONEY, case.trained, other, scenario, constants)[:, 0]).median)
        for other in case.others
    ]
    shown = f"One model for each {scenario.volume_per_model_tb:g} TB."
    _describe(figure, case, study, shown, [(other, years_text(value)) for other, value in pays])
    return figure


def draw_volumes(tables: Tables) -> Figure:
    """Draw the net saving per TB against the volume that one model compresses.

    Raises
    ------
    NoData
        The study has no trained codec to compare.
    """
    study, case, scenario, constants = _chosen(tables)
    least = {
        other: band(pays_from_volume_per_model_tb(MONEY, case.trained, other, scenario, constants)[:, 0]).median
        for other in case.others
    }
    # The axis begins where a model costs several times what it saves.
    lowest_tb = least[AS_RECORDED] / 10 if 0 < least[AS_RECORDED] < _LARGEST_TB else _LARGEST_TB / 1e9
    volumes_tb = np.geomspace(lowest_tb, _LARGEST_TB, _POINTS)
    along = replace(scenario, volume_per_model_tb=volumes_tb)
    figure, panels = _panels(study, case, along, constants, 1000 * volumes_tb)
    for panel in panels[-1]:
        panel.set(xscale="log", xlim=1000 * volumes_tb[[0, -1]], xlabel="Compressed by one model (GB)")
        log_ticks(panel.xaxis, *(1000 * volumes_tb[[0, -1]]))
    _label_sides(panels, right=True)
    shown = f"Data kept for {scenario.years:g} years."
    _describe(figure, case, study, shown, [(other, volume_text(value)) for other, value in least.items()])
    return figure


def _chosen(tables: Tables) -> tuple[BreakEvenData, Case, Scenario, Constants]:
    """Choose the trained codec that does best, and the LHC run, whose volume needs many models."""
    study = read_break_even(tables)
    return study, study.cases[0], scenarios(study)[1], draw(study.ranges)


def _panels(
    study: BreakEvenData, case: Case, scenario: Scenario, constants: Constants, axis: NDArray[np.float64]
) -> tuple[Figure, Any]:
    """Draw a row of panels for money and one for CO2e (energy if that is unknown), a column for each other codec."""
    quantities = (MONEY, ENERGY if study.intensity_g_per_kwh is None else CO2E)
    figure, panels = grid(2, len(case.others), 6.2, width_in=max(9.0, 4.2 * len(case.others)), sharex=True)
    for row, quantity in zip(panels, quantities, strict=True):
        for panel, other in zip(row, case.others, strict=True):
            saved = net_saving(quantity, case.trained, other, scenario, constants) / scenario.volume_tb
            _draw(panel, axis, saved)
        unit = quantity.unit or study.currency
        name = style.CO2E if quantity == CO2E else quantity.label
        row[0].set_ylabel(f"Net saving of {name}\n({unit} per TB)")
    for panel, other in zip(panels[0], case.others, strict=True):
        panel.set_title(f"Against {_name(other)}")
    return figure, panels


def _draw(panel: Axes, axis: NDArray[np.float64], saved: NDArray[np.float64]) -> None:
    """Draw the median and band of `saved` (draws, points); small volumes per model are below the panel."""
    found = band(saved)
    panel.axhline(0, color="black", linewidth=0.9)
    panel.fill_between(axis, found.low, found.high, color=COLOURS[2], alpha=0.45, linewidth=0)
    panel.plot(axis, found.median, color=COLOURS[0])
    # The range must not be empty if all values are 0.
    low, high = float(found.low[-1]), float(found.high[-1])
    reach = max(high, -low, 1e-9)
    panel.set_ylim(min(1.15 * low, -0.35 * reach), max(1.15 * high, 0.35 * reach))


def _label_sides(panels: Any, *, right: bool) -> None:
    """Label the side of 0 on which the trained codec pays, where no line is."""
    look: dict[str, Any] = {"textcoords": "offset points", "xycoords": "axes fraction", "fontsize": 8}
    look |= {"verticalalignment": "center", "horizontalalignment": "right" if right else "left"}
    for panel in panels.flat:
        for place, words in ((0.94, "above 0: the trained codec pays"), (0.06, "below 0: it costs more")):
            panel.annotate(words, (right, place), xytext=(-12 if right else 12, 0), **look)


def _name(other: CodecCosts) -> str:
    return "keeping the data as recorded" if other is AS_RECORDED else f"{plain(other.name)} (ratio {other.ratio:.3g})"


def _describe(figure: Figure, case: Case, study: BreakEvenData, shown: str, pays: list[tuple[CodecCosts, str]]) -> None:
    said = [f"{case.trained.name} ({case.error_words}, ratio {case.trained.ratio:.3g})."]
    when = [f"{words} against {_name(other).partition(' (')[0]}" for other, words in pays]
    said.append(f"It saves money: {'; '.join(when)}.")
    if case.best is None:
        said.append("The study has no other codec at this error to compare with.")
    evidence = f"Energy of the codecs: {case.evidence}; everything else: modelled."
    subtitle(figure, *said, f"{shown} {study.device}, {count_text([case.n])}. {evidence}")


_CAPTION = (
    " Above 0 the trained codec pays. The net saving is per TB of the data in their recorded formats and includes "
    "training, compressing, keeping, moving and reading, compared with keeping the data as recorded; with the lossless "
    "codec that has the largest ratio, if there is one; and with the codec that has the largest ratio at no larger "
    "error, if there is one. Neither is trained in epochs (without a transform, or with one in closed form, such as "
    "PCA, whose model is counted, too). The figure shows the trained codec that saves most in the last comparison. "
    "Lines are medians and bands 90 % of 10,000 seeded draws of the constants from their ranges (section break_even of "
    "the study; sources in docs/break-even.md); they do not include the spread of the measurements. Years and volume "
    "per model have no range, since they are the axes of the two figures; nor has the study's carbon intensity. Codecs "
    "are compared at the error of the trained codec on held-out rows, since one model compresses more than its "
    "training rows; if none were held out, at its error on the training rows (the subtitle names the rows). The price "
    "of computers and staff is not included."
)
FIGURES = (
    FigureSpec(
        "break_even_years",
        "What compression saves over the years",
        "Net saving against the number of years that the data are kept, for the volume of one LHC run." + _CAPTION,
        draw_years,
    ),
    FigureSpec(
        "break_even_volume",
        "What compression saves by the volume per model",
        "Net saving against the volume that one model compresses before the next one is trained, for the volume of one "
        "LHC run and the study's number of years." + _CAPTION,
        draw_volumes,
    ),
)
