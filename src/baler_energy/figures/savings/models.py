"""Cost and benefit of a network's size: the forward pass against parameters, the error against GFLOP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.powerlaw import fit_power_law
from baler_energy.analysis.statistics import clean, mean_interval, per_row
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows, runs_and_centre
from baler_energy.figures.captions import ERROR_ROWS, EVIDENCE, SPREAD, TYPICAL_TIMES
from baler_energy.figures.selection import (
    centre_of,
    describe,
    excluded_text,
    first_device,
    interval_text,
    scaled_unit,
    sweep,
    with_error,
)
from baler_energy.figures.series import Row, Series, draw_marks, evidence_words, split_series
from baler_energy.figures.style import (
    grid,
    legend_below,
    log_ticks,
    mean_text,
    note_empty,
    numbered_look,
    plain,
    subtitle,
)
from baler_energy.figures.trivial import mark_trivial
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES", "draw_error_flops", "draw_forward"]

_SIZE = "parameters"
_ONE_NETWORK = "only one network, so there are no sizes to compare"
_QUANTITIES = (Row("energy_per_row_j", "Energy", "J", 1.0, True), Row("time_per_row_s", "Time", "s", 1.0, False))


def draw_forward(tables: Tables) -> Figure:
    """Draw energy and time of one row's forward pass against the network's parameters.

    Raises
    ------
    NoData
        The study or its centre has only one network.
    """
    runs = tables["runs"]
    forward_runs = runs[runs["operation"] == Operation.FORWARD]
    require_rows(_ONE_NETWORK, forward_runs)
    centre = centre_of(runs)
    here = sweep(forward_runs, "model", centre)
    if here[_SIZE].nunique() < 2:
        raise NoData("only one network at the study's centre, so there are no sizes to compare")
    here = per_row(here)
    figure, (panels,) = grid(1, 2, 4.8, sharex=True)
    counts, handles = set[int](), []
    for panel, quantity in zip(panels, _QUANTITIES, strict=True):
        repeats, laws = _forward_panel(panel, here, quantity)
        counts |= repeats
        handles += laws
    _name_models(panels[-1], here, "time_per_row_s")
    legend_below(figure, handles)
    subtitle(
        figure,
        f"Fixed: {describe(centre, without=('model', 'epochs'))}.",
        *mean_text(counts),
        *excluded_text(here),
    )
    return figure


def _forward_panel(panel: Axes, here: pd.DataFrame, quantity: Row) -> tuple[set[int], list[Line2D]]:
    """Draw one quantity against the parameters; return the numbers of repeats and the laws' legend handles."""
    value = quantity.value
    known = here.dropna(subset=[value])
    factor, unit = scaled_unit(known[value], quantity.unit)
    known = known.assign(**{value: known[value] * factor})
    counts, handles = set[int](), []
    for series in split_series(known, quantity.energetic):
        means = mean_interval(clean(series.runs), [_SIZE], value)
        counts |= set(means["n"])
        handles += _draw_law(panel, series, means, value)
    evidence = evidence_words(known) if quantity.energetic else ""
    panel.set_ylabel(f"{quantity.label} per row of a forward pass{evidence} ({unit})")
    _log_axes(panel, known[_SIZE], known[value])
    panel.set_xlabel("Parameters of the network")
    if known.empty:
        note_empty(panel)
    return counts, handles


def _draw_law(panel: Axes, series: Series, means: pd.DataFrame, value: str) -> list[Line2D]:
    """Draw the marks of a series and the power law through its means; return the law's legend handle, if there is one.

    All runs of a network share its deviation from a power law, so a fit to single runs would look too certain.
    """
    draw_marks(panel, series, means, _SIZE, value)
    law = fit_power_law(means[_SIZE], means["mean"])
    if law is None:
        return []
    sizes = np.geomspace(means[_SIZE].min(), means[_SIZE].max(), 50)
    text = f"{series.label}: exponent {interval_text(law.exponent, law.exponent_half_width)}"
    look = {"color": series.look["color"], "linestyle": series.look["linestyle"]}
    return panel.plot(sizes, law(sizes), label=plain(text), zorder=1, **look)


def draw_error_flops(tables: Tables) -> Figure:
    """Draw the error against the floating-point operations of the training, a line for each network.

    Raises
    ------
    NoData
        The study has only one network, or no errors.
    """
    runs, centre = runs_and_centre(tables)
    trained = with_error(runs).dropna(subset=["mean_rms_over_range", "flops"])
    here = sweep(trained, ("model", "epochs"), centre)
    if here["model"].nunique() < 2:
        raise NoData(_ONE_NETWORK)
    here, device = first_device(here)
    here = here.assign(gflop=here["flops"] / 1e9)
    figure, ((panel,),) = grid(1, 1, 5.0, width_in=7.5)
    counts, handles = set[int](), []
    for line in _lines(here):
        counts |= set(line.means["n"])
        handles.append(_error_line(panel, line))
    _log_axes(panel, here["gflop"], here["mean_rms_over_range"])
    limits = mark_trivial(panel, here, "mean_rms_over_range", upright=False, limits=panel.get_ylim())
    panel.set_ylim(limits)
    log_ticks(panel.yaxis, *limits)
    panel.set(xlabel="Operations of one training (GFLOP)", ylabel="Mean RMS residual / range")
    legend_below(figure, handles)
    subtitle(
        figure,
        f"Fixed: {describe(centre, without=('model', 'epochs'))}, {device}; the epochs vary along a line.",
        *mean_text(counts),
    )
    return figure


@dataclass(frozen=True)
class _Line:
    """The trainings of one network."""

    model: str
    number: int
    means: pd.DataFrame


def _lines(here: pd.DataFrame) -> Iterator[_Line]:
    sizes = here.groupby("model", observed=True)["parameters"].first().sort_values()
    for number, model in enumerate(sizes.index):
        mine = here[here["model"] == model]
        means = mean_interval(mine, ["epochs"], "mean_rms_over_range")
        gflop = mine.groupby("epochs", observed=True)["gflop"].mean().rename("gflop").reset_index()
        yield _Line(str(model), number, means.merge(gflop, on="epochs").sort_values("gflop"))


def _error_line(panel: Axes, line: _Line) -> Any:
    look = numbered_look(line.number) | {"linestyle": "-" if len(line.means) > 1 else "none"}
    bars = line.means["half_width"].fillna(0)
    return panel.errorbar(
        line.means["gflop"], line.means["mean"], yerr=bars, capsize=3, label=f"model {line.model}", **look
    )


def _log_axes(panel: Axes, x: "pd.Series[float]", y: "pd.Series[float]") -> None:
    if x.empty or y.empty:
        return
    x_limits, y_limits = (x.min() / 1.6, x.max() * 1.6), (y.min() / 1.6, y.max() * 1.6)
    panel.set(xscale="log", yscale="log", xlim=x_limits, ylim=y_limits)
    log_ticks(panel.xaxis, *x_limits, narrow=x_limits[1] > 100 * x_limits[0])
    log_ticks(panel.yaxis, *y_limits)


def _name_models(panel: Axes, here: pd.DataFrame, value: str) -> None:
    """Write the models' names next to their marks, on the side away from a rising line."""
    factor, _ = scaled_unit(here[value], "s")
    middle = np.sqrt(here[_SIZE].min() * here[_SIZE].max())
    for (model, size), part in here.groupby(["model", _SIZE], observed=True):
        away = 34 if len(clean(part)) == 1 else 7  # "n = 1" is next to the mark
        offset, side, height = ((away, -12), "left", "min") if size < middle else ((-away, 6), "right", "max")
        place = (size, part[value].agg(height) * factor)
        panel.annotate(str(model), place, offset, textcoords="offset points", fontsize=8, horizontalalignment=side)


FIGURES = (
    FigureSpec(
        "forward",
        "Cost of a forward pass against the size of the network",
        "Energy and time of passing one row through encoder and decoder, without gradients, against the network's "
        "parameters (as in the original study's slides). The rows are already in memory and scaled, so only the "
        "network is measured. Lines are power laws fitted to the logarithms of the networks' means; the legend gives "
        "the exponent with its 95 % t interval (none with two networks). An exponent of 1 means proportional to size. "
        f"{TYPICAL_TIMES} {SPREAD} {EVIDENCE}",
        draw_forward,
    ),
    FigureSpec(
        "error_flops",
        "Error against training operations",
        "RMS residual / range, mean over columns, against the floating-point operations of the whole training (two per "
        "multiply-accumulate of its matrix products). A line connects the trainings of one network with different "
        "numbers of epochs; a network with only one number of epochs is a single mark. Markers are means over n "
        "repeats, bars are 95 % t intervals. "
        f"{ERROR_ROWS}",
        draw_error_flops,
    ),
)
