"""How figures draw families of codecs: a colour per kind, marks and lines within a kind, and an axis of errors."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.pareto import on_front
from baler_energy.analysis.rate_distortion import codec_name
from baler_energy.codecs.engines import trains
from baler_energy.codecs.packing import Packing
from baler_energy.config.parameters import applies
from baler_energy.figures.labels import label_curves
from baler_energy.figures.style import MARKERS, log_ticks, plain
from baler_energy.figures.trivial import mark_trivial

__all__ = [
    "ERROR_AXES",
    "draw_against_error",
    "draw_families",
    "draw_threads",
    "front_legend",
    "kind",
    "label_families",
    "legend_by_kind",
    "looks",
    "places_of_errors",
    "ring_front",
    "threads_legend",
]

#: Errors on axes: column of `codec_points`, then column of ``runs`` and label.
ERROR_AXES = {
    "error": ("mean_rms_over_range", "Error: RMS residual / range (mean over columns)"),
    "nrmse": ("mean_nrmse", "Error: NRMSE, RMS residual / standard deviation (mean over columns)"),
}

_LOSSLESS, _RANGE, _RELATIVE = "Lossless", "Bound over the range", "Fewer digits"
_CLOSED, _TRAINED = "Closed-form transform", "Trained network"
#: Colour of each kind, distinct in greyscale; trained networks, the subject of the study, have the warm colour.
_COLOURS = {
    _LOSSLESS: "0.45",
    _RANGE: "#3d9bd9",
    _RELATIVE: "#d0a900",
    _CLOSED: "#14213d",
    _TRAINED: "#b8400e",
}
_STYLES = ("-", "--", "-.", ":")
#: Width of the strip for codecs without error, on the left of the axis of errors (decades).
_STRIP = 0.35
#: Ring around the codecs on the Pareto front.
_RING: dict[str, Any] = {
    **{"color": "black", "marker": "o", "markerfacecolor": "none", "markersize": 11},
    **{"markeredgewidth": 0.9, "linestyle": "none"},
}
#: Longest line of a name in the legend.
_LETTERS = 44


def kind(point: Mapping[Any, Any]) -> str:
    """Return the kind of a codec (its losses, and whether it trains), from its transform and its packing."""
    if trains(point["transform"]):
        return _TRAINED if applies("epochs", point["transform"]) else _CLOSED
    packing = Packing.parse(str(point["packing"]))
    if packing.lossless:
        return _LOSSLESS
    return _RANGE if packing.needs_ranges or packing.error_bound is not None else _RELATIVE


def looks(points: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the style of each family of `codec_points`, ordered by kind; within a kind, mark and line differ."""
    first = points.drop_duplicates("family")
    kinds = {str(row["family"]): kind(row) for row in first.to_dict("records")}
    found: dict[str, dict[str, Any]] = {}
    for first_mark, (one, colour) in enumerate(_COLOURS.items()):
        # Each kind starts with a different mark and line, so that kinds also differ in greyscale.
        for number, family in enumerate(sorted(name for name in kinds if kinds[name] == one), start=first_mark):
            hollow = (number - first_mark) // len(MARKERS) % 2 == 1
            found[family] = {
                "color": colour,
                "marker": MARKERS[number % len(MARKERS)],
                "linestyle": _STYLES[number % len(_STYLES)],
                "markerfacecolor": "white" if hollow else colour,
            }
    return found


def draw_families(
    panel: Axes, points: pd.DataFrame, styles: Mapping[str, dict[str, Any]], x: str, y: str
) -> list[tuple[str, Any, Any, str]]:
    """Draw the members of each family, connected in the order of `points`, with 95 % t intervals in both directions.

    Parameters
    ----------
    panel
        Where to draw.
    points
        `codec_points`; members without one of the two values are left out.
    styles
        From `looks`.
    x, y
        Columns of the axes. Intervals are in ``..._half_width``, if that column exists.

    Returns
    -------
    list of tuple
        Curves for `label_families`.
    """
    curves = []
    for family, look in styles.items():
        part = points[points["family"] == family].dropna(subset=[x, y])
        if part.empty:
            continue
        bars = {f"{side}err": _half_widths(part, name) for side, name in (("x", x), ("y", y))}
        lined = look | ({} if len(part) > 1 else {"linestyle": "none"})
        drawn = panel.errorbar(part[x], part[y], **bars, capsize=0, elinewidth=1.1, markersize=5, **lined)
        _pale_bars(drawn)
        curves.append((family, part[x].to_numpy("float64"), part[y].to_numpy("float64"), str(look["color"])))
    return curves


def _pale_bars(drawn: ErrorbarContainer) -> None:
    """Put bars behind lines and marks, since intervals over few repeats are wide."""
    for bar in drawn.lines[2]:
        bar.set(alpha=0.35, zorder=1)


def draw_threads(
    panel: Axes, points: pd.DataFrame, others: pd.DataFrame, styles: Mapping[str, dict[str, Any]], x: str, y: str
) -> None:
    """Draw codecs on other numbers of threads as that number, above or below their mark and connected with it.

    Parameters
    ----------
    panel, points, styles, x, y
        As in `draw_families`.
    others
        `codec_points` of some of these codecs on other numbers of threads, with their ``threads``.
    """
    marks = {codec_name(row): row for row in points.to_dict("records")}
    for one in others.dropna(subset=y).to_dict("records"):
        mark = marks[codec_name(one)]
        colour = styles[str(mark["family"])]["color"]
        panel.plot([mark[x], mark[x]], [mark[y], one[y]], color=colour, linewidth=0.9, alpha=0.6, zorder=1.5)
        bar = _half_widths(pd.DataFrame([one]), y)
        digits = _digits(one["threads"])
        drawn = panel.errorbar(mark[x], one[y], yerr=bar, capsize=0, elinewidth=1.1, zorder=3, color=colour, **digits)
        _pale_bars(drawn)


def threads_legend(others: pd.DataFrame) -> list[Line2D]:
    """Return what a legend says of the marks of `draw_threads`; empty without any."""
    numbers = sorted(others["threads"].unique()) if len(others) else []
    return [
        Line2D([], [], color="0.25", label=f"on {number} thread{'' if number == 1 else 's'}", **_digits(number))
        for number in numbers
    ]


def _digits(number: int) -> dict[str, Any]:
    """Return the style of a mark that is a number."""
    look = {"markersize": 7, "markeredgewidth": 0.4, "linestyle": "none"}
    return look | {"marker": f"$\\mathbf{{{number}}}$"}


def _half_widths(part: pd.DataFrame, name: str) -> Any:
    """Return the half widths of a column; a bar that would reach 0 ends just above it, for logarithmic axes."""
    column = f"{name}_half_width"
    if column not in part:
        return None
    up = part[column].fillna(0).to_numpy("float64")
    return [np.minimum(up, part[name].to_numpy("float64") * 0.999), up]


def draw_against_error(
    panel: Axes, points: pd.DataFrame, runs: pd.DataFrame, styles: Mapping[str, dict[str, Any]], measure: str, y: str
) -> list[tuple[str, Any, Any, str]]:
    """Draw families against an error, with the trivial codec's error; lossless codecs are in a strip on the left.

    Parameters
    ----------
    panel
        Where to draw; its axis of errors is made logarithmic and labelled.
    points, styles, y
        As in `draw_families`.
    runs
        The runs behind the points.
    measure
        A key of `ERROR_AXES`.
    """
    column, label = ERROR_AXES[measure]
    # Lines connect points that are neighbours in this measure, as `at_error` does.
    points = points.sort_values(measure)
    shown = points.assign(**{measure: places_of_errors(points[measure])})
    lossy = points[measure] > 0
    lowest = float(shown.loc[lossy, measure].min()) if lossy.any() else float(shown[measure].max())
    panel.set(xscale="log", xlabel=label)
    curves = draw_families(panel, shown[lossy], styles, measure, y)
    # No line leads into the strip, since its position on the axis has no meaning.
    unjoined = {family: look | {"linestyle": "none"} for family, look in styles.items()}
    named = {curve[0] for curve in curves}
    curves += [curve for curve in draw_families(panel, shown[~lossy], unjoined, measure, y) if curve[0] not in named]
    limits = (shown[measure].min() / 1.6, shown[measure].max() * 1.6)
    low, high = mark_trivial(panel, runs, column, upright=True, limits=limits)
    if not lossy.all():
        panel.axvspan(low, lowest / 10 ** (_STRIP / 2), color="0.94", zorder=0)
        place: dict[str, Any] = {"xycoords": panel.get_xaxis_transform(), "textcoords": "offset points"}
        panel.annotate("no error", (low, 0), xytext=(6, 5), fontsize=8, color="0.25", **place)
    panel.set_xlim(low, high)
    log_ticks(panel.xaxis, lowest, high)
    return curves


def ring_front(panel: Axes, points: pd.DataFrame, measure: str) -> None:
    """Ring the codecs of a panel of `draw_against_error` that no other beats in ratio and in an error."""
    best = on_front(points[measure], -points["ratio"])
    panel.plot(places_of_errors(points[measure])[best], points["ratio"][best], **_RING)


def front_legend() -> Line2D:
    """Return what a legend says of the rings of `ring_front`."""
    return Line2D([], [], label="best: no larger ratio\nat the same error or less", **_RING)


def places_of_errors(errors: "pd.Series[float]") -> "pd.Series[float]":
    """Return the position of each error on a logarithmic axis; errors of 0 are in a strip to the left of all others."""
    lossy = errors > 0
    lowest = float(errors[lossy].min()) if lossy.any() else 1e-3
    return errors.where(lossy | errors.isna(), lowest / 10**_STRIP)


def label_families(figure: Figure, panels: Iterable[Axes], curves: Sequence[Sequence[Any]]) -> None:
    """Label curves where there is room, after the layout is final; the legend names all of them."""
    figure.draw_without_rendering()
    for panel, mine in zip(panels, curves, strict=True):
        label_curves(panel, mine)


def legend_by_kind(figure: Figure, points: pd.DataFrame, styles: Mapping[str, dict[str, Any]], *more: Any) -> None:
    """Put a legend below all panels: a column for each kind of codec, under its name, and one for other marks."""
    kinds = {str(row["family"]): kind(row) for row in points.drop_duplicates("family").to_dict("records")}
    blocks = []
    for one in _COLOURS:
        single = points["family"].value_counts()
        mine = [
            Line2D(
                [],
                [],
                label=plain(fill(family, _LETTERS)),
                **look | ({"linestyle": "none"} if single[family] == 1 else {}),
            )
            for family, look in styles.items()
            if kinds[family] == one
        ]
        if mine:
            blocks.append([_words(one), *mine])
    if more:
        blocks.append([_words("Marks"), *more])
    height = max(map(len, blocks))
    filled = [handle for block in blocks for handle in [*block, *(_words("") for _ in range(height - len(block)))]]
    legend = figure.legend(
        handles=filled, loc="outside lower center", ncols=len(blocks), columnspacing=1.0, handlelength=2.4, fontsize=8
    )
    for text in legend.get_texts():
        if text.get_text() in (*_COLOURS, "Marks"):
            text.set_fontweight("bold")


def _words(text: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=text)
