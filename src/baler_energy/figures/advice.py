"""Output of ``advise``: the ranked codecs as text, and a figure of their ratios, errors and speeds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.goal import MEASURES, Goal
from baler_energy.analysis.rate_distortion import codec_name
from baler_energy.figures.style import COLOURS, grid, legend_below, log_ticks, plain, styled, subtitle, title
from baler_energy.figures.trivial import mark_trivial, trivial_error

if TYPE_CHECKING:
    from baler_energy.data.sampling import FileSample

__all__ = ["advice_table", "draw_advice", "sample_sentence", "trivial_sentence"]

#: Below this size (B), the fixed time per file dominates.
_SMALL_BYTES = 2e6
#: Distance of a number from its mark, and between numbers, over the width and height of a panel.
_AWAY, _APART = 0.05, 0.05
#: Errors in the table, by measure; the relative one only if it is the goal.
_ERRORS = {"value": "largest error / range", "nrmse": "NRMSE", "relative": "relative error, 99 %"}
_AXES = {
    "value": "Largest error / range of the column",
    "nrmse": "NRMSE (mean over columns)",
    "relative": "Relative error, 99 % quantile (mean over columns)",
}


def advice_table(codecs: pd.DataFrame, goal: Goal) -> pd.DataFrame:
    """Write `analysis.advice.ranked` as text with units, a row per codec; the numbers are those in the figure."""
    rows = enumerate(codecs.to_dict("records"), start=1)
    return pd.DataFrame([{"no.": str(number)} | _row(row, goal) for number, row in rows])


def sample_sentence(sample: "FileSample", goal: Goal) -> str:
    """Describe the comparison: sample, goal and units."""
    rows, columns = sample.test.data.shape
    said = (
        f"Compared on {rows:,} of {sample.rows:,} rows, {columns} columns. Goal: {goal.words}. MB and GB refer to the "
        "columns in their number types. The ratio is extrapolated to the whole file and includes the model. Speed and "
        "energy are single measurements (n = 1)."
    )
    small = sample.test.native_bytes < _SMALL_BYTES
    return f"{said} The sample is small: a large file is processed faster, per byte." if small else said


def trivial_sentence(codecs: pd.DataFrame, goal: Goal) -> list[str]:
    """State the error of storing nothing but the columns' means; empty if unknown, or no error is allowed."""
    value = trivial_error(codecs, goal.key) if goal.error else math.nan
    if math.isnan(value):
        return []
    return [f"Storing only each column's mean would give {MEASURES[goal.measure][2]} of {100 * value:.3g} %."]


def _row(row: dict[Any, Any], goal: Goal) -> dict[str, str]:
    trained = "-" if not row["trains"] else f"{_text(row['train_s'])} s"
    return {
        "codec": codec_name(row) + ("" if row["meets"] else " (misses the error)"),
        "ratio": f"{row['ratio']:.2f}",
        **{
            words: _text(row[MEASURES[measure][0]])
            for measure, words in _ERRORS.items()
            if measure != "relative" or goal.measure == measure
        },
        "compress MB/s": _text(row["compress_mb_per_s"]),
        "decompress MB/s": _text(row["decompress_mb_per_s"]),
        "compress J/GB": _text(row["compress_j_per_gb"]),
        "decompress J/GB": _text(row["decompress_j_per_gb"]),
        "energy": "unknown" if pd.isna(row["evidence"]) else str(row["evidence"]),
        "memory MB": _text(row["memory_peak_mb"]),
        "training": trained,
    }


def _text(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return "0" if value == 0 else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def draw_advice(codecs: pd.DataFrame, curves: Sequence[pd.DataFrame], goal: Goal) -> Figure:
    """Draw the ratio of each codec against the error, and against its slower throughput.

    Parameters
    ----------
    codecs
        From `analysis.advice.ranked`.
    curves
        For each way of rounding with its coder: ``ratio_native_bytes``, the goal's error and ``packing``, computed on
        the first rows of the sample; empty if the goal is lossless or time ran out.
    goal
        The requested error.
    """
    with styled():
        lossy = goal.error > 0
        # The names of the codecs are below, in two columns.
        height_in = 4.0 + 0.21 * math.ceil(len(codecs) / 2)
        figure, panels = grid(1, 1 + lossy, height_in, width_in=9.0 if lossy else 6.0)
        if lossy:
            _errors(panels[0, 0], curves, codecs, goal)
        _speeds(panels[0, -1], codecs)
        names = [f"{number + 1} {codec_name(row)}" for number, row in enumerate(codecs.to_dict("records"))]
        marks = [Line2D([], [], linestyle="none", label=plain(name)) for name in names]
        legend_below(figure, marks)
        subtitle(figure, f"Goal: {goal.words}")
        title(figure, "Compression ratio of each codec")
        return figure


def _errors(panel: Axes, curves: Sequence[pd.DataFrame], codecs: pd.DataFrame, goal: Goal) -> None:
    for number, curve in enumerate(curves):
        # Null if all columns are constant.
        errors = pd.to_numeric(curve[goal.key])
        known = errors > 0
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            # The fifth curve has the first one's colour, and another line.
            "linestyle": ("-", "--", ":", "-.")[(number + number // len(COLOURS)) % 4],
        }
        panel.plot(errors[known], curve["ratio_native_bytes"][known], label=plain(curve.attrs["name"]), **look)
    panel.axvline(goal.error, color="0.6", linewidth=0.9)
    panel.set(xscale="log", xlabel=_AXES[goal.measure])
    errors = pd.to_numeric(codecs[goal.key])
    if (errors > 0).any():
        panel.update_datalim([(error, 1.0) for error in errors[errors > 0]], updatey=False)
        panel.autoscale_view(scaley=False)
    low, high = mark_trivial(panel, codecs, goal.key, upright=True, limits=panel.get_xlim())
    # The name of the trivial codec is on the right of its line.
    limits = low, high * (high / low) ** _AWAY
    panel.set_xlim(*limits)
    log_ticks(panel.xaxis, *limits)
    _ratios(panel, [codecs["ratio"], *(curve["ratio_native_bytes"] for curve in curves)])
    # An error of 0 has no place on a logarithmic axis: its mark is at the left end.
    _marks(panel, errors.clip(lower=limits[0]), codecs["ratio"])
    if curves:
        panel.legend(loc="upper left")


def _speeds(panel: Axes, codecs: pd.DataFrame) -> None:
    slower = codecs[["compress_mb_per_s", "decompress_mb_per_s"]].min(axis=1)
    limits = slower.min() / 1.3, slower.max() * 1.5
    panel.set(xscale="log", xlim=limits, xlabel="Throughput of the slower operation (MB/s)")
    log_ticks(panel.xaxis, *limits)
    _ratios(panel, [codecs["ratio"]])
    _marks(panel, slower, codecs["ratio"])


def _marks(panel: Axes, across: "pd.Series[float]", up: "pd.Series[float]") -> None:
    """Mark each codec with its number in the table. The panel has its limits already."""
    panel.plot(across, up, color="black", marker="o", markersize=4, linestyle="none", clip_on=False, zorder=3)
    left, right = panel.get_xlim()
    look: dict[str, Any] = {
        "fontsize": 8,
        "verticalalignment": "center",
        "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        "arrowprops": {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
    }
    for number, (x, y, height) in enumerate(zip(across, up, _heights(panel, up), strict=True), start=1):
        if not math.isnan(x):
            panel.annotate(f"{number}", (x, y), xytext=(x * (right / left) ** _AWAY, height), zorder=4, **look)


def _heights(panel: Axes, ratios: "pd.Series[float]") -> list[float]:
    """Heights of numbers next to marks at `ratios` that do not overlap, even if the marks do."""
    low, high = panel.get_ylim()
    step = (high / low) ** _APART
    heights: dict[Any, float] = {}
    for key, ratio in ratios.sort_values(ascending=False).items():
        heights[key] = min([ratio, *(height / step for height in list(heights.values())[-1:])])
    # Numbers only moved down so far; the first stays below the upper end.
    moved = math.sqrt(max(ratio / heights[key] for key, ratio in ratios.items()))
    moved = min(moved, high / step / max(heights.values()))
    return [heights[key] * moved for key in ratios.index]


def _ratios(panel: Axes, ratios: Sequence["pd.Series[float]"]) -> None:
    every = pd.concat(list(ratios))
    # A codec whose model outweighs a small file has a ratio below 1.
    limits = min(1.0, every[every > 0].min() / 1.2), 1.4 * every.max()
    panel.set(yscale="log", ylim=limits, ylabel="Compression ratio (1: as large as the columns)")
    log_ticks(panel.yaxis, *limits)
