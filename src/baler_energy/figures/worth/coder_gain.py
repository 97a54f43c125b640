"""The gain of a transform and the gain of its coder."""

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.coder_gain import coder_gain
from baler_energy.analysis.matched_error import MEASURES
from baler_energy.figures.bars import label_end, name_rows
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.style import COLOURS, count_text, grid, legend_below, log_ticks, plain, subtitle

__all__ = ["FIGURES"]

#: Marks of the ratio without and with the coder.
_WITHOUT: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "color": COLOURS[0], "linestyle": "none"}
_WITH: dict[str, Any] = {"marker": "s", "color": COLOURS[1], "linestyle": "none"}
#: Maximum number of errors to show: those of the trained codecs with the smallest errors.
_MOST = 4


def draw_coder_gain(measure: str, tables: Tables) -> Figure:
    """Draw the ratio of each transform without and with the same coder, at the errors of trained codecs.

    Parameters
    ----------
    measure
        Measure of the error, a key of `MEASURES`.
    tables
        The dataset.

    Raises
    ------
    NoData
        The study compares no codecs, or no transforms with the same coder at the same error.
    """
    _, runs, device = codecs_at_centre(tables)
    gains = coder_gain(runs, measure)
    require_rows("no two transforms have the same coder at the error of a trained codec", gains)
    groups = [part for _, part in gains.groupby("at_codec", sort=False)][:_MOST]
    figure, panels = grid(len(groups), 1, 1.9 + sum(0.6 + 0.36 * len(part) for part in groups), sharex=True)
    shown = pd.concat(groups)
    low = min(1.0, shown[["without_coder", "with_coder"]].min().min()) / 1.15
    high = shown[["without_coder", "with_coder"]].max().max()
    for panel, part in zip(panels[:, 0], groups, strict=True):
        _group(panel, part, MEASURES[measure])
        panel.set(xscale="log", xlim=(low, high * (high / low) ** 0.45))
        panel.axvline(1, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
        log_ticks(panel.xaxis, *panel.get_xlim())
    panels[-1, 0].set_xlabel("Compression ratio at the same error (1: as large as recorded)")
    legend_below(
        figure,
        [
            Line2D([], [], label="without the coder", **_WITHOUT),
            Line2D([], [], label="with the coder", **_WITH),
        ],
    )
    subtitle(
        figure,
        f"At {where(tables['runs'])}, {device}.",
        f"Bars are 95 % intervals over repeats and interpolation, {count_text(shown['n'])}.",
    )
    return figure


def _group(panel: Axes, part: pd.DataFrame, measure: str) -> None:
    """Draw the transforms at one error, in a measure given by its label."""
    for place, (_, row) in enumerate(part.iterrows()):
        for name, look in (("without_coder", _WITHOUT), ("with_coder", _WITH)):
            if pd.isna(row[name]):
                continue
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            bar = None if pd.isna(ends[0]) else [[row[name] - ends[0]], [ends[1] - row[name]]]
            panel.errorbar([row[name]], [place], xerr=bar, capsize=2, ms=6, elinewidth=0.9, zorder=3, **look)
        panel.plot([row["without_coder"], row["with_coder"]], [place, place], color="0.6", linewidth=1.2, zorder=1)
        end = max(value for value in (row["with_coder"], row["with_coder_high"]) if not pd.isna(value))
        label_end(panel, _words(row), end, place, gap=8)
    first = part.iloc[0]
    error = f"error of {first['at_codec']} ({measure} {100 * first['error']:.2g} %)"
    panel.set_title(plain(f"Coder {first['coder']}, at the {error}"), fontsize=9)
    name_rows(panel, [_name(row) for row in part.to_dict("records")], margin=0.6)


def _name(row: Any) -> str:
    return str(row["transform"]) if row["transforms"] else "no transform"


def _words(row: Any) -> str:
    """Label the gains of coder and transform; unknown factors are left out."""
    said = [] if pd.isna(row["coder_gain"]) else [f"coder x{row['coder_gain']:.3g}"]
    if row["transforms"] and not pd.isna(row["transform_gain"]):
        said.append(f"transform x{row['transform_gain']:.2g}")
    return ", ".join(said) or ""


_CAPTION = (
    "Compression ratio of each transform without and with the same coder, at the error of a codec trained in epochs. "
    "Values are interpolated between the two members of a family next to that error, as in the table of codecs. "
    "'coder' is the ratio with the coder over the ratio without it; 'transform' is the ratio with the transform over "
    "the ratio without it, both with the coder. A factor below 1 is a loss. Without transform and coder nothing is "
    f"compressed and the ratio is 1. {ERROR_ROWS}"
)
FIGURES = (
    FigureSpec(
        "coder_gain",
        "Gain of the transform and of its coder",
        f"{_CAPTION} The error is relative to the range of a column.",
        partial(draw_coder_gain, "error"),
    ),
    FigureSpec(
        "coder_gain_relative",
        "Gain of the transform and of its coder, at the same relative error",
        f"{_CAPTION} The error is relative to the value.",
        partial(draw_coder_gain, "relative_error"),
    ),
)
