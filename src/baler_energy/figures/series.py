"""Series of runs against an axis of the grid: how they are split and styled, their means and single marks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from baler_energy.analysis.statistics import clean, flagged, mean_interval
from baler_energy.figures.selection import OPERATIONS, device_name, scaled_unit
from baler_energy.figures.style import COLOURS, LINES, MARKERS, log_ticks, note_empty, open_mark, plain

__all__ = ["Row", "Series", "draw_marks", "draw_row", "evidence_words", "handles", "split_series"]


@dataclass(frozen=True)
class Row:
    """A row of panels: column of the table, label, unit, factor to the unit, whether it is an energy with evidence."""

    value: str
    label: str
    unit: str
    factor: float
    energetic: bool


@dataclass(frozen=True)
class Series:
    """Runs of one device, with one evidence and one scope of energy, and their style."""

    runs: pd.DataFrame
    label: str
    look: dict[str, Any]


def split_series(runs: pd.DataFrame, energetic: bool) -> Iterator[Series]:
    """Split runs so that no series mixes devices or, if `energetic`, evidences or scopes of energy."""
    devices = sorted(runs["device"].unique())
    keys = ["device", "energy_evidence", "energy_scope"] if energetic else ["device"]
    for key, part in runs.groupby(keys, sort=True, observed=True, dropna=False):
        number = devices.index(key[0])
        evidence = str(key[1]) if energetic else ""
        look = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[(number + 2 * (evidence == "modelled")) % len(MARKERS)],
            "linestyle": LINES.get(evidence, "-") if energetic else "-.",
        }
        yield Series(part, _label(key, energetic), look)


def _label(key: tuple[Any, ...], energetic: bool) -> str:
    run = f"{device_name(str(key[0]))} run"
    if not energetic:
        return f"{run}: duration (clock)"
    scope = str(key[2]).replace("cpu", "CPU").replace("gpu", "GPU").replace("ram", "RAM").replace("dRAM", "DRAM")
    return f"{run}: {key[1]} energy of {scope.replace('+', ' + ')}"


def handles(runs: pd.DataFrame, *, energetic: tuple[bool, ...] = (True, False)) -> list[Line2D]:
    """Make legend handles for the energy and duration series of a figure, and for open marks if there are any."""
    columns = {True: "energy_j", False: "duration_s"}
    series = [one for kind in energetic for one in split_series(runs.dropna(subset=[columns[kind]]), kind)]
    found = [Line2D([], [], label=plain(one.label), **one.look) for one in series]
    if len(flagged(runs)):
        found.append(Line2D([], [], label="open: flagged run, not in the means", **open_mark("black")))
    return found


def draw_row(row: Row, panels: Any, chosen: pd.DataFrame, axis: str) -> set[int]:
    """Draw one quantity against `axis`, a panel for each of `OPERATIONS`; return the numbers of repeats."""
    present = chosen.dropna(subset=[row.value])
    factor, unit = scaled_unit(present[row.value] * row.factor, row.unit)
    counts, heights = set[int](), []
    for panel, operation in zip(panels, OPERATIONS, strict=True):
        for series in split_series(present[present["operation"] == operation], row.energetic):
            means = _draw_means(panel, series, axis, row.value, row.factor * factor)
            counts |= set(means["n"])
            tops = means["mean"] + means["half_width"].fillna(0)
            heights += [*(series.runs[row.value] * row.factor * factor), *tops]
        if not panel.has_data():
            note_empty(panel)
    panels[0].set_ylabel(f"{row.label}{evidence_words(present) if row.energetic else ''} ({unit})")
    positive = [height for height in heights if height > 0]
    if positive:
        margin = max(1.6, (max(positive) / min(positive)) ** 0.1)
        low, high = min(positive) / margin, max(positive) * margin
        panels[0].set_yscale("log")
        panels[0].set_ylim(low, high)
        log_ticks(panels[0].yaxis, low, high)
    return counts


def evidence_words(present: pd.DataFrame) -> str:
    """``, modelled``, or nothing if there are several and the legend names them."""
    found = sorted(present["energy_evidence"].dropna().unique())
    return f", {found[0]}" if len(found) == 1 else ""


def _draw_means(panel: Axes, series: Series, axis: str, value: str, factor: float) -> pd.DataFrame:
    """Draw a line through the means of a column, and its marks; return the scaled means."""
    runs = series.runs.assign(**{value: series.runs[value] * factor})
    means = mean_interval(clean(runs), [axis], value)
    panel.plot(means[axis], means["mean"], color=series.look["color"], linestyle=series.look["linestyle"])
    draw_marks(panel, Series(runs, series.label, series.look), means, axis, value)
    return means


def draw_marks(panel: Axes, series: Series, means: pd.DataFrame, axis: str, value: str) -> None:
    """Draw means with intervals, and the single runs, flagged ones open.

    Parameters
    ----------
    panel
        Where to draw.
    series
        The runs, with the columns `axis` and `value`.
    means
        A row per mark: `axis`, ``mean``, ``half_width`` (NaN: no bar), ``n``.
    axis, value
        Columns of the horizontal and of the vertical axis.
    """
    good, bad, colour = clean(series.runs), flagged(series.runs), series.look["color"]
    panel.scatter(good[axis], good[value], s=5, color=colour, alpha=0.5, zorder=1.5)
    if len(bad):  # shifted sideways, so that they do not cover a mean
        clear_of = panel.transData + ScaledTranslation(7 / 72 if len(means) else 0, 0, panel.figure.dpi_scale_trans)
        panel.plot(bad[axis], bad[value], transform=clear_of, **open_mark(colour, series.look["marker"]))
    for _, point in means.iterrows():
        panel.errorbar(
            [point[axis]],
            [point["mean"]],
            yerr=None if pd.isna(point["half_width"]) else [point["half_width"]],
            color=colour,
            marker=series.look["marker"],
            capsize=3,
        )
        if point["n"] == 1:
            _label_single(panel, means, axis, point)


def _label_single(panel: Axes, means: pd.DataFrame, axis: str, point: "pd.Series[Any]") -> None:
    """Label a mark as a single run, away from the line and, at the last mark, from the frame."""
    last = len(means) > 1 and point[axis] == means[axis].max()
    rising = means["mean"].iloc[-1] > means["mean"].iloc[0]
    place = (-4 if last else 4, 5 if rising == last else -11)
    look: dict[str, Any] = {"fontsize": 8, "horizontalalignment": "right" if last else "left"}
    panel.annotate("n = 1", (point[axis], point["mean"]), place, textcoords="offset points", **look)
