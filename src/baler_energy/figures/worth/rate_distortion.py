"""Compression ratio of each codec against its error."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.captions import ERROR_ROWS, TRIVIAL_LINE
from baler_energy.figures.codec_marks import (
    ERROR_AXES,
    draw_against_error,
    front_legend,
    label_families,
    legend_by_kind,
    looks,
    ring_front,
)
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.style import grid, log_ticks, mean_text, subtitle

__all__ = ["FIGURES"]


def draw_rate_distortion(tables: Tables) -> Figure:
    """Draw the compression ratio of each codec against its error in two measures, connected by family.

    Raises
    ------
    NoData
        The study compares no codecs.
    """
    points, runs, device = codecs_at_centre(tables)
    styles = looks(points)
    figure, (panels,) = grid(1, 2, 6.6, width_in=11.5, sharey=True)
    low, high = min(points["ratio"].min() / 1.25, 1.0), points["ratio"].max() * 1.35
    curves = []
    for panel, measure in zip(panels, ERROR_AXES, strict=True):
        panel.set(yscale="log", ylim=(low, high))
        curves.append(draw_against_error(panel, points, runs, styles, measure, "ratio"))
        ring_front(panel, points, measure)
    panels[0].set_ylabel("Compression ratio\n(1: as large as recorded)")
    log_ticks(panels[0].yaxis, low, high)
    _bytes_axis(panels[-1], float((points["ratio"] * points["bytes_per_row"]).mean()), low, high)
    legend_by_kind(figure, points, styles, front_legend())
    subtitle(figure, f"At {where(tables['runs'])}, {device}.", *mean_text(points["n"]))
    label_families(figure, panels, curves)
    return figure


def _bytes_axis(panel: Axes, native_bytes: float, low: float, high: float) -> None:
    """Add an axis of bytes per row on the right; a row has `native_bytes` bytes in its recorded formats."""
    panel.tick_params(axis="y", which="both", right=False)

    def inverse(values: Any) -> Any:
        # matplotlib also tries 0, which is not on the axis.
        return native_bytes / np.maximum(values, 1e-9)

    axis = panel.secondary_yaxis("right", functions=(inverse, inverse))
    axis.set_ylabel(f"Bytes per row ({native_bytes:.4g} as recorded)")
    log_ticks(axis.yaxis, native_bytes / high, native_bytes / low)


FIGURES = (
    FigureSpec(
        "rate_distortion",
        "Compression ratio and error of each codec",
        "Size of the table in its recorded formats over that of the compressed file, without the model, against the "
        "error in two measures: RMS residual over the "
        "range, which outliers make small, and over the standard deviation (NRMSE). Lines connect codecs that differ "
        "in one number only: the epochs, the error bound or the compression ratio. Names leave out parameters of the "
        "training that have their default. Colours show kinds of codecs. Marks are means over n repeats, bars are "
        "95 % t intervals. "
        f"{TRIVIAL_LINE} {ERROR_ROWS}",
        draw_rate_distortion,
    ),
)
