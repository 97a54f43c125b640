"""Cost of compressing and decompressing with each codec, against its error and against its ratio."""

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.rate_distortion import COSTS
from baler_energy.figures.base import FigureSpec, NoData, Tables
from baler_energy.figures.captions import ERROR_ROWS, TRIVIAL_LINE
from baler_energy.figures.codec_marks import (
    draw_against_error,
    draw_families,
    draw_threads,
    label_families,
    legend_by_kind,
    looks,
    places_of_errors,
    threads_legend,
)
from baler_energy.figures.codec_rows import codecs_at_centre, on_other_threads, where
from baler_energy.figures.selection import excluded_text, scaled_unit
from baler_energy.figures.style import grid, log_ticks, mean_text, note_empty, subtitle
from baler_energy.vocabulary import Evidence, Operation

__all__ = ["FIGURES"]

_OPERATIONS = (Operation.COMPRESS, Operation.DECOMPRESS)
#: Bytes of a GB, and of a MB.
_GB, _MB = 1e9, 1e6


def draw_codec_costs(tables: Tables) -> Figure:
    """Draw joules per GB (seconds if energy is not measured) of both operations against the error.

    Raises
    ------
    NoData
        The study compares no codecs, or all their runs are flagged.
    """
    points, runs, device = codecs_at_centre(tables)
    points = points.assign(place=places_of_errors(points["error"]))
    others, more_runs = on_other_threads(tables, points, runs)
    measured = bool(points["evidence"].eq(Evidence.MEASURED).all())
    columns = [COSTS[operation][0 if measured else 1] for operation in _OPERATIONS]
    known = _known([points, others], columns)
    styles = looks(points)
    figure, (panels,) = grid(1, 2, 6.2, width_in=11.5, sharey=True)
    factor, unit = scaled_unit(known.to_list(), "J" if measured else "s")
    low, high = known.min() * factor / 1.5, known.max() * factor * 1.5
    curves = []
    for panel, operation, column in zip(panels, _OPERATIONS, columns, strict=True):
        scaled, scaled_others = (_scaled(one, column, factor) for one in (points, others))
        panel.set(yscale="log", ylim=(low, high))
        curves.append(draw_against_error(panel, scaled, runs, styles, "error", column))
        draw_threads(panel, scaled, scaled_others, styles, "place", column)
        panel.set_title(f"{operation.capitalize()}")
        if points[column].isna().all():
            note_empty(panel)
    words = "Energy, measured" if measured else "Time"
    panels[0].set_ylabel(f"{words}\n({unit} per GB as recorded)")
    log_ticks(panels[0].yaxis, low, high)
    legend_by_kind(figure, points, styles, *threads_legend(others))
    reason = [] if measured else ["Energy is modelled or unknown for some codecs, so the figure shows time."]
    _describe(figure, tables, pd.concat([runs, more_runs]), _counts([points, others], columns), device, *reason)
    label_families(figure, panels, curves)
    return figure


def draw_throughput(tables: Tables) -> Figure:
    """Draw the throughput of both operations against the compression ratio.

    Raises
    ------
    NoData
        The study compares no codecs, or all their runs are flagged.
    """
    points, runs, device = codecs_at_centre(tables)
    others, more_runs = on_other_threads(tables, points, runs)
    columns = [COSTS[operation][1] for operation in _OPERATIONS]
    speeds, speeds_of_others = (_with_speeds(one, columns) for one in (points, others))
    known = _known([speeds, speeds_of_others], [f"{column}_speed" for column in columns])
    styles = looks(points)
    figure, (panels,) = grid(1, 2, 6.2, width_in=11.5, sharex=True, sharey=True)
    low, high = known.min() / 1.5, known.max() * 1.5
    left, right = points["ratio"].min() / 1.25, points["ratio"].max() * 1.5
    curves = []
    for panel, operation, column in zip(panels, _OPERATIONS, columns, strict=True):
        panel.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
        curves.append(draw_families(panel, speeds, styles, "ratio", f"{column}_speed"))
        draw_threads(panel, speeds, speeds_of_others, styles, "ratio", f"{column}_speed")
        panel.set_title(f"{operation.capitalize()}")
        panel.set_xlabel("Compression ratio (1: as large as recorded)")
        log_ticks(panel.xaxis, left, right)
        if points[column].isna().all():
            note_empty(panel)
    panels[0].set_ylabel("Throughput (MB/s of the table as recorded)")
    log_ticks(panels[0].yaxis, low, high)
    legend_by_kind(figure, points, styles, *threads_legend(others))
    _describe(figure, tables, pd.concat([runs, more_runs]), _counts([points, others], columns), device)
    label_families(figure, panels, curves)
    return figure


def _scaled(points: pd.DataFrame, column: str, factor: float) -> pd.DataFrame:
    return points.assign(**{name: points[name] * factor for name in (column, f"{column}_half_width")})


def _with_speeds(points: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Add the throughput (MB/s) to the time per GB of some columns."""
    speeds = {f"{column}_speed": _GB / _MB / points[column] for column in columns}
    # To first order, an inverse has the same relative half width.
    widths = {
        f"{column}_speed_half_width": speeds[f"{column}_speed"] * points[f"{column}_half_width"] / points[column]
        for column in columns
    }
    return points.assign(**speeds, **widths)


def _known(points: list[pd.DataFrame], columns: list[str]) -> "pd.Series[float]":
    """Return all known values of some columns; there must be at least one."""
    known: pd.Series[float] = pd.concat([one[column] for one in points for column in columns]).dropna()
    if known.empty:
        raise NoData("all runs of the codecs at the study's centre are flagged, so there are no mean costs")
    return known


def _counts(points: list[pd.DataFrame], columns: list[str]) -> list[int]:
    """Return the numbers of clean runs in the means."""
    counts = pd.concat([one[f"{column}_n"] for one in points for column in columns])
    return [int(count) for count in counts[counts > 0]]


def _describe(figure: Figure, tables: Tables, runs: pd.DataFrame, counts: list[int], device: str, *more: str) -> None:
    shown = runs[runs["operation"].isin(_OPERATIONS)]
    about = f"At {where(tables['runs'])}, {device}."
    subtitle(figure, about, *mean_text(counts), *more, *excluded_text(shown, drawn=False))


_CODECS = (
    "A GB is 10^9 bytes of the table in its recorded formats. Training is not included. Lines connect codecs that "
    "differ in one number only (the epochs, the error bound or the compression ratio), in order of their errors. "
    "Marks are means over n clean repeats, bars are 95 % t intervals. A digit is the same codec on that number of "
    "threads, connected with its mark."
)

FIGURES = (
    FigureSpec(
        "codec_costs",
        "Cost of each codec against its error",
        "Energy to compress and to decompress a GB (time if energy is not measured for all codecs), against the mean "
        f"RMS residual over the range. {_CODECS} {TRIVIAL_LINE} {ERROR_ROWS}",
        draw_codec_costs,
    ),
    FigureSpec(
        "codec_throughput",
        "Throughput of each codec against its ratio",
        f"Throughput of compression and decompression against the compression ratio. {_CODECS}",
        draw_throughput,
    ),
)
