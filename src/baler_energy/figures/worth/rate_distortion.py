"""What each codec stores at which error."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.rate_distortion import on_front
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.style import COLOURS, MARKERS, count_text, grid, legend_below, log_ticks, plain, subtitle
from baler_energy.figures.trivial import mark_trivial

__all__ = ["FIGURES"]

#: Share of the error axis, on the left, in which codecs without error are drawn; decades.
_LOSSLESS = 0.35


def draw_rate_distortion(tables: Tables) -> Figure:
    """Draw the compression ratio of each codec against its error, joined by family, with those that none beats marked.

    Raises
    ------
    NoData
        The study compares no codecs.
    """
    points, runs, device = codecs_at_centre(tables)
    lossy = points["error"] > 0
    lowest = points.loc[lossy, "error"].min() if lossy.any() else 1e-3
    at_left = lowest / 10**_LOSSLESS
    points = points.assign(shown=points["error"].where(lossy, at_left))
    figure, ((panel,),) = grid(1, 1, 5.6, width_in=8.5)
    panel.set(xscale="log", yscale="log")
    handles = [_family(panel, number, part) for number, (_, part) in enumerate(points.groupby("family", sort=False))]
    best = points[on_front(points)]
    front: dict[str, Any] = {"color": "black", "marker": "o", "markerfacecolor": "none", "markersize": 11}
    panel.plot(best["shown"], best["ratio"], linestyle="none", markeredgewidth=0.9, **front)
    handles.append(Line2D([], [], linestyle="none", label="best: no other stores less at no more error", **front))
    limits = (at_left / 1.4, points["shown"].max() * 1.6)
    low, high = mark_trivial(panel, runs, "mean_rms_over_range", upright=True, limits=limits)
    if not lossy.all():
        panel.axvline(lowest / 10 ** (_LOSSLESS / 2), color="0.8", linewidth=0.8)
        place: dict[str, Any] = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points"}
        panel.annotate("lossless", (low, 1), xytext=(3, -11), fontsize=8, **place)
    ratios = (min(points["ratio"].min() / 1.2, 1.0), points["ratio"].max() * 1.3)
    panel.set(xlim=(low, high), ylim=ratios)
    log_ticks(panel.xaxis, lowest, high)
    log_ticks(panel.yaxis, *ratios)
    panel.set(xlabel="Mean over columns of RMS residual / range", ylabel="Compression ratio (1: as large as recorded)")
    legend_below(figure, handles)
    subtitle(figure, f"At {where(tables['runs'])}, {device}.", f"Mean and 95 % t interval, {count_text(points['n'])}.")
    return figure


def _family(panel: Axes, number: int, part: pd.DataFrame) -> Any:
    look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    look["linestyle"] = ("-", "--", ":")[number // len(COLOURS) % 3] if len(part) > 1 else "none"
    bars = part["error_half_width"].fillna(0)
    label = plain(str(part["family"].iloc[0]))
    return panel.errorbar(part["shown"], part["ratio"], xerr=bars, capsize=2, markersize=5, label=label, **look)


FIGURES = (
    FigureSpec(
        "rate_distortion",
        "What each codec stores, and its error",
        "Size of the table in its recorded formats over that of the compressed file, without the model, against the "
        "error on the rows that were compressed (those that a codec was trained on). Lines join codecs that differ in "
        "a bound, a level, a ratio or epochs. Marks are means over n repeats, bars 95 % t intervals. The dotted line "
        "is the error of storing only the columns' means.",
        draw_rate_distortion,
    ),
)
