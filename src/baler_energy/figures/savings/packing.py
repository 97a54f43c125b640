"""What packing the latents gains after the autoencoder, and how it affects the error."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from baler_energy.analysis.statistics import mean_interval
from baler_energy.codecs.packing import Packing
from baler_energy.figures.bars import label_edge, label_end, name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows, runs_and_centre
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.selection import describe, first_device, sweep, with_error
from baler_energy.figures.style import COLOURS, MARKERS, count_text, grid, legend_below, log_ticks, subtitle
from baler_energy.figures.trivial import mark_trivial

__all__ = ["FIGURES", "draw_packing"]

_AUTOENCODER, _PACKING = "ratio_autoencoder_native_bytes", "ratio_packing"
_ERRORS = {"mean_rms_over_range": "RMS residual (mean over columns)", "max_over_range": "largest residual"}
#: Both the bound and the error that is compared with it are computed in floating point.
_ROUNDING = 1e-9


def draw_packing(tables: Tables) -> Figure:
    """Draw the ratio of each packing in two steps, autoencoder and packing, and the error with its bound.

    Raises
    ------
    NoData
        Only one packing ran at the study's centre, or none has sizes and errors.
    """
    runs, centre = runs_and_centre(tables)
    chosen = with_error(sweep(runs, "packing", centre))
    if chosen["packing"].nunique() < 2:
        raise NoData(f"only one packing at the study's centre ({centre['packing']}), so there is nothing to compare")
    chosen = chosen.dropna(subset=[_AUTOENCODER, _PACKING, *_ERRORS])
    require_rows("no run has an error and the sizes of latents and corrections", chosen)
    chosen, device = first_device(chosen)
    gains = chosen.groupby("packing", observed=True)[[_AUTOENCODER, _PACKING, "ratio_native_bytes"]].mean()
    gains = gains.sort_values("ratio_native_bytes")
    figure, (panels,) = grid(1, 2, 2.6 + 0.36 * len(gains), sharey=True)
    _ratio_panel(panels[0], gains)
    counts = _error_panel(panels[1], chosen, list(gains.index))
    for panel in panels:
        name_rows(panel, [str(name).replace("+", " + ") for name in gains.index], margin=0.6, upwards=True)
    legend_below(figure, _legend(gains), columns=3)
    subtitle(
        figure,
        f"At {describe(centre, without='packing')}, {device}. Ratios: relative to the table in its recorded formats.",
        f"Errors: mean and 95 % t interval, {count_text(counts)}; small dots are single runs.",
    )
    return figure


def _ratio_panel(panel: Axes, gains: pd.DataFrame) -> None:
    """Draw two steps from 1: lengths add up on a logarithmic axis, as ratios multiply."""
    for place, (_, row) in enumerate(gains.iterrows()):
        middle, end = float(row[_AUTOENCODER]), float(row[_AUTOENCODER] * row[_PACKING])
        panel.barh(place + 0.17, middle - 1, 0.3, left=1, color=COLOURS[0])
        lost = end < middle
        look: dict[str, Any] = {"hatch": "////", "edgecolor": "white"} if lost else {}
        panel.barh(place - 0.17, end - middle, 0.3, left=middle, color=COLOURS[1] if lost else COLOURS[2], **look)
        # A mark where both steps meet also shows a step of zero length.
        panel.plot([middle, middle], [place - 0.36, place + 0.36], color="black", linewidth=1.1)
        words = f"{middle * row[_PACKING]:.2f} = {middle:.2f} x {row[_PACKING]:.2f}"
        label_edge(panel, words, place)
    ends = gains[_AUTOENCODER] * gains[_PACKING]
    low = min(1.0, gains[_AUTOENCODER].min(), ends.min()) / 1.1
    high = max(1.0, gains[_AUTOENCODER].max(), ends.max()) * 1.1
    panel.axvline(1, color="0.3", linewidth=0.8, linestyle="--")
    panel.set(xscale="log", xlim=(low, low * (high / low) ** 1.7))
    log_ticks(panel.xaxis, *panel.get_xlim())
    panel.set_xlabel("Compression ratio (1: same size as recorded)")


def _error_panel(panel: Axes, chosen: pd.DataFrame, order: list[Any]) -> set[int]:
    """Draw both errors of each packing, and its bound; return the numbers of runs."""
    places, counts = {name: place for place, name in enumerate(order)}, set[int]()
    runs = chosen.drop_duplicates("run_id")
    for number, value in enumerate(_ERRORS):
        means = mean_interval(runs, ["packing"], value).set_index("packing").reindex(order)
        counts |= set(means["n"])
        heights = [place + (0.14, -0.14)[number] for place in places.values()]
        look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": "none"}
        panel.errorbar(means["mean"], heights, xerr=means["half_width"], capsize=3, ms=5, elinewidth=0.9, **look)
        single = runs["packing"].map(places) + (0.14, -0.14)[number]
        panel.scatter(runs[value], single, s=5, color=COLOURS[number], alpha=0.5)
    bounds = {name: Packing.parse(str(name)).error_bound for name in order}
    asked = {name: bound for name, bound in bounds.items() if bound is not None}
    for name, bound in asked.items():
        worst = float(runs.loc[runs["packing"] == name, "max_over_range"].max())
        panel.plot([bound] * 2, [places[name] - 0.4, places[name] + 0.4], color="black", linewidth=2.2)
        words = "holds" if worst <= bound * (1 + _ROUNDING) else "DOES NOT HOLD"
        label_end(panel, words, bound, places[name], gap=5)
    smallest = min(runs["mean_rms_over_range"].min(), *asked.values(), 1.0) / 2
    largest = max(runs["max_over_range"].max(), *asked.values(), 0.0) * 3
    panel.set(xscale="log")
    limits = mark_trivial(panel, runs, "mean_rms_over_range", upright=True, limits=(smallest, largest))
    panel.set(xlim=limits)
    log_ticks(panel.xaxis, *limits)
    panel.set_xlabel("Residual / range of the column")
    return counts


def _legend(gains: pd.DataFrame) -> list[Any]:
    steps = [
        Patch(facecolor=COLOURS[0], label="gained by the autoencoder"),
        Patch(facecolor=COLOURS[2], label="gained by the packing"),
    ]
    if gains[_PACKING].lt(1).any():
        steps.append(Patch(facecolor=COLOURS[1], hatch="////", edgecolor="white", label="lost to corrections"))
    marks = [
        Line2D([], [], color=COLOURS[n], marker=MARKERS[n], linestyle="none", label=words)
        for n, words in enumerate(_ERRORS.values())
    ]
    bound = Line2D([], [], color="black", linewidth=2.2, label="requested error bound")
    bounded = any(Packing.parse(str(name)).error_bound is not None for name in gains.index)
    return [*steps, *marks, *([bound] if bounded else [])]


FIGURES = (
    FigureSpec(
        "packing",
        "What packing the latents gains, and its error",
        "Left: compression ratio relative to the table in its recorded formats, in two steps on a logarithmic axis: "
        "recorded size / latents as computed (autoencoder), and latents / stored latents plus corrections (packing). "
        "Their product, written first, is the file's ratio without the file's header. Right: errors divided by the "
        "columns' ranges, and the bound on the largest error if the packing has one, for which it stores corrections. "
        "Markers are means over n repeats, bars are 95 % t intervals, dots are single runs. "
        f"{ERROR_ROWS}",
        draw_packing,
    ),
)
