"""The error of the reconstruction against the energy of the training."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.rate_distortion import CODEC, family
from baler_energy.analysis.statistics import clean, flagged, interval
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows, runs_and_centre
from baler_energy.figures.captions import ERROR_ROWS, EVIDENCE, TRIVIAL_LINE
from baler_energy.figures.selection import (
    AXES,
    at_point,
    axis_label,
    describe,
    device_name,
    excluded_text,
    scaled_unit,
    sweep,
    with_error,
)
from baler_energy.figures.style import (
    LINES,
    grid,
    legend_of_panels,
    mean_text,
    numbered_look,
    open_mark,
    plain,
    subtitle,
)
from baler_energy.figures.trivial import log_axes_of_error
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES"]

#: Maximum number of labels for single runs; if there are more, they are left out.
_MOST_LABELS = 50
#: Axes in which all trainings are alike.
_ALIKE = ("transform", "engine", "model", "packing")
#: Axes along which points are connected.
_LINED = ("epochs", "rows", "batch_size", "threads", "compression_ratio", "precision")


def draw_error_energy(tables: Tables) -> Figure:
    """Draw the error of each point against the energy of its training, with lines along the axes.

    Raises
    ------
    NoData
        Fewer than two points have both an error and an energy.
    """
    trained, centre = _trained(tables)
    factor, unit = scaled_unit(trained["energy_j"], "J")
    kinds = sorted(set(zip(trained["device"], trained["energy_evidence"], strict=True)))
    figure, (panels,) = grid(1, len(kinds), 5.2, width_in=max(7.5, 4.6 * len(kinds)), sharex=True, sharey=True)
    values = trained["energy_j"] * factor
    x_limits = (values.min() / 1.5, values.max() * 1.5)
    counts = set[int]()
    for panel, (device, evidence) in zip(panels, kinds, strict=True):
        part = trained[(trained["device"] == device) & (trained["energy_evidence"] == evidence)]
        counts |= _error_points(panel, part, factor)
        for number, (axis, words, along) in enumerate(_lines(clean(part), centre)):
            _error_line(panel, along, axis, words, factor, number, centre[axis])
        log_axes_of_error(panel, trained, x_limits, narrow=len(kinds) > 1)
        panel.set_xlabel(f"Energy of one training, {evidence} ({unit})")
        panel.set_title(f"{device_name(device)} run" if len(kinds) > 1 else "")
    panels[0].set_ylabel("Mean RMS residual / range")
    legend_of_panels(figure, panels)
    subtitle(figure, f"Around the centre: {describe(centre)}.", *mean_text(counts), *excluded_text(trained))
    return figure


def _trained(tables: Tables) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the trainings with error and energy of the centre's engine, model and packing, and the centre.

    Another chapter compares engines, models and packings.
    """
    runs, centre = runs_and_centre(tables)
    alike = at_point(runs, {axis: centre[axis] for axis in _ALIKE})
    trained = with_error(alike)
    trained = trained[trained["operation"] == Operation.TRAIN].dropna(subset=["mean_rms_over_range", "energy_j"])
    require_rows("no run has both an error and a training energy", trained)
    if len(trained[[*AXES, "device"]].drop_duplicates()) < 2:
        raise NoData("only one point, so there is no curve to draw")
    return trained, centre


def _error_points(panel: Axes, trained: pd.DataFrame, factor: float) -> set[int]:
    """Draw each point with intervals in both directions, and flagged runs; return the numbers of repeats."""
    bad = flagged(trained)
    panel.plot(bad["energy_j"] * factor, bad["mean_rms_over_range"], **open_mark("0.45"))
    keys = [*AXES, "device", "energy_evidence"]
    means = [
        (*interval(part["energy_j"].to_numpy() * factor), *interval(part["mean_rms_over_range"].to_numpy()))
        for _, part in clean(trained).groupby(keys, observed=True, dropna=False)
    ]
    if not means:
        return set()
    # All points and bars in one call, since grids have thousands of them.
    energies, energy_widths, _, errors, error_widths, counts = zip(*means, strict=True)
    look: dict[str, Any] = {"color": "0.45", "marker": "o", "markersize": 4, "elinewidth": 0.9, "zorder": 1.5}
    panel.errorbar(energies, errors, xerr=energy_widths, yerr=error_widths, linestyle="none", **look)
    single = [place for place, count in zip(zip(energies, errors, strict=True), counts, strict=True) if count == 1]
    for place in single if len(single) <= _MOST_LABELS else []:
        panel.annotate("n = 1", place, (5, -10), textcoords="offset points", fontsize=8)
    return set(counts)


def _lines(known: pd.DataFrame, centre: dict[str, Any]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Return the axis, its name and the points of each line: the axes, and the epochs of other ways of training."""
    for axis in _LINED:
        along = sweep(known, axis, centre)
        if along[axis].nunique() > 1:
            yield axis, axis_label(axis).removesuffix(" (rows)"), along
    ways = known[[name for name in CODEC if name not in (*_ALIKE, *_LINED)]].drop_duplicates()
    for way in ways.to_dict("records"):
        other: dict[str, Any] = {**centre, **{str(name): value for name, value in way.items()}}
        along = sweep(known, "epochs", other)
        if len(along) and family(other) != family(centre):
            yield "epochs", f"Epochs of {plain(family(other))}", along


def _error_line(
    panel: Axes, part: pd.DataFrame, axis: str, words: str, factor: float, number: int, centre: Any
) -> None:
    """Connect the points of one axis, and label those that differ from the centre with their values."""
    means = part.groupby(axis, observed=True)[["energy_j", "mean_rms_over_range"]].mean().sort_index()
    values = [f"{value:,}" if isinstance(value, int | np.integer) else f"{value}" for value in means.index]
    for (value, point), text in zip(means.iterrows(), values, strict=True):
        if value != centre:
            place = (point["energy_j"] * factor, point["mean_rms_over_range"])
            panel.annotate(text, place, (6, 6), textcoords="offset points", fontsize=8)
    evidence = str(part["energy_evidence"].iloc[0])
    panel.plot(
        means["energy_j"] * factor,
        means["mean_rms_over_range"],
        **numbered_look(number),
        linestyle=LINES[evidence],
        markerfacecolor="none",
        markersize=8,
        label=f"{words}: {', '.join(values)}",
    )


FIGURES = (
    FigureSpec(
        "error_energy",
        "Error against training energy",
        "RMS residual / range, mean over columns, against the energy of the training. Lines connect points that differ "
        "from the centre in one axis, labelled with their values, or that are trained in another way, such as from "
        "another start, and differ in their epochs. Markers are means over n repeats, bars are 95 % t "
        "intervals (none for n = 1). Open grey marks are flagged runs, which are excluded from the means. "
        f"{TRIVIAL_LINE} {ERROR_ROWS} {EVIDENCE}",
        draw_error_energy,
    ),
)
