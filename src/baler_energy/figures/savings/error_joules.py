"""The error of the reconstruction against the energy of the training, for every setting that was tried."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.pareto import on_front
from baler_energy.analysis.savings import DEFAULT, setting_points
from baler_energy.analysis.statistics import flagged
from baler_energy.codecs.upstream.networks import read_as
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import EVIDENCE
from baler_energy.figures.selection import epochs_text, excluded_text, scaled_unit
from baler_energy.figures.setting_rows import change_texts, compared_trainings, recommended_text, where
from baler_energy.figures.style import MARKERS, grid, legend_of_panels, log_ticks, mean_text, open_mark, plain, subtitle
from baler_energy.figures.trivial import mark_trivial

__all__ = ["FIGURES", "draw_error_joules"]

#: Styles of Baler's default and of the recommended setting.
_DEFAULT_LOOK: dict[str, Any] = {"color": "#14213d", "marker": "o", "markersize": 8, "linewidth": 2.2, "zorder": 3}
_RECOMMENDED_LOOK = _DEFAULT_LOOK | {"color": "#b8400e", "marker": "*", "markersize": 13}
#: Colours, lines and marks of the recommended changes alone, of other settings with up to two changes, and of settings
#: with more. The marks of the second kind are hollow, so that the kinds also differ in greyscale.
_KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("#3d9bd9", "--", MARKERS),
    ("0.45", ":", MARKERS),
    ("#d0a900", "-.", ("<", ">", "X", "p", "h", "d")),
)


def draw_error_joules(tables: Tables) -> Figure:
    """Draw error against training energy: a line per setting, and the Pareto front of all.

    Raises
    ------
    NoData
        The study has only one setting at its centre, or no training has an error and an energy.
    """
    shared, part = compared_trainings(tables)
    part = part.dropna(subset=["mean_rms_over_range", "energy_j"])
    part = part[part["mean_rms_over_range"] > 0]
    require_rows("no training has both an error and an energy", part)
    kinds = sorted(part["energy_evidence"].unique())
    factor, unit = scaled_unit(part["energy_j"], "J")
    looks = _looks(part["setting"].unique())
    notes = _notes(part)
    height_in = 5.6 + 0.19 * -(-len(looks) // 2)
    figure, (panels,) = grid(1, len(kinds), height_in, width_in=max(9.0, 5.0 * len(kinds)), sharex=True, sharey=True)
    counts = set[int]()
    for panel, evidence in zip(panels, kinds, strict=True):
        counts |= _panel(panel, part[part["energy_evidence"] == evidence], looks, notes, factor)
        _axes(panel, part, factor)
        panel.set_xlabel(f"Energy of one training, {evidence} ({unit})")
    panels[0].set_ylabel("Mean RMS residual / range")
    legend_of_panels(figure, panels)
    subtitle(figure, f"At {where(shared)}; the epochs vary along a line.", *mean_text(counts), *excluded_text(part))
    return figure


def _looks(settings: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the style of each setting: the default and the recommended one first, then by kind."""
    marked = {DEFAULT: _DEFAULT_LOOK, recommended_text(): _RECOMMENDED_LOOK}
    found = {name: look for name, look in marked.items() if name in set(settings)}
    seen = [0] * len(_KINDS)
    for name in sorted(set(settings) - set(marked), key=lambda name: (_kind(name), name)):
        kind = _kind(name)
        number, seen[kind] = seen[kind], seen[kind] + 1
        colour, style, marks = _KINDS[kind]
        hollow = (number // len(marks) + (kind == 1)) % 2 == 1
        look = {"color": colour, "linestyle": style, "marker": marks[number % len(marks)]}
        found[name] = look | {"markerfacecolor": "white" if hollow else colour}
    return found


def _kind(setting: str) -> int:
    return 0 if setting in change_texts() else 1 if setting.count(",") < 2 else 2


def _notes(part: pd.DataFrame) -> dict[str, str]:
    """Return what follows the name of a setting in the legend: whether Baler reads its network, if not as it is."""
    rows = part.drop_duplicates("setting").to_dict("records")
    known = {row["setting"]: read_as(row["model"], row["pruning"]) for row in rows}
    return {name: "" if answer == "yes" else f" (read by Baler: {answer})" for name, answer in known.items()}


def _panel(
    panel: Axes, part: pd.DataFrame, looks: dict[str, dict[str, Any]], notes: dict[str, str], factor: float
) -> set[int]:
    """Draw the settings with energies of one evidence; return the numbers of repeats."""
    bad = flagged(part)
    panel.plot(bad["energy_j"] * factor, bad["mean_rms_over_range"], **open_mark("0.45"))
    points = setting_points(part)
    points = points.assign(training_j=points["training_j"] * factor)
    points["training_j_half_width"] *= factor
    front = points[on_front(points["training_j"], points["error"])].sort_values("training_j")
    if len(front) > 1:
        look: dict[str, Any] = {"color": "0.8", "linewidth": 5, "zorder": 0.5, "solid_capstyle": "round"}
        panel.plot(front["training_j"], front["error"], drawstyle="steps-post", label="Pareto front", **look)
    for name, look in looks.items():
        mine = points[points["setting"] == name]
        if mine.empty:
            continue
        words = (f"recommended: {name}" if name == recommended_text() else name) + notes[name]
        bars: dict[str, Any] = {
            "xerr": mine["training_j_half_width"].fillna(0),
            "yerr": mine["error_half_width"].fillna(0),
        }
        panel.errorbar(mine["training_j"], mine["error"], **bars, elinewidth=0.9, label=plain(words), **look)
        if look in (_DEFAULT_LOOK, _RECOMMENDED_LOOK):
            _name_epochs(panel, mine, look["color"])
    return set(points["n"])


def _name_epochs(panel: Axes, mine: pd.DataFrame, colour: str) -> None:
    for row in mine.to_dict("records"):
        place, text = (row["training_j"], row["error"]), epochs_text(row["epochs"])
        panel.annotate(text, place, (8, 5), textcoords="offset points", fontsize=8, color=colour, zorder=4)


def _axes(panel: Axes, part: pd.DataFrame, factor: float) -> None:
    energies, errors = part["energy_j"] * factor, part["mean_rms_over_range"]
    x_limits = energies.min() / 1.5, energies.max() * 2.2
    panel.set(xscale="log", yscale="log")
    y_limits = mark_trivial(
        panel, part, "mean_rms_over_range", upright=False, limits=(errors.min() / 1.4, errors.max() * 1.4)
    )
    panel.set(xlim=x_limits, ylim=y_limits)
    log_ticks(panel.xaxis, *x_limits)
    log_ticks(panel.yaxis, *y_limits)


FIGURES = (
    FigureSpec(
        "error_joules",
        "Error against joules for every setting of the training",
        "RMS residual / range, mean over columns, of the rows that were trained on, against the energy of the whole "
        "training. A line connects the numbers of epochs of one setting, which is named by what it changes in Baler's "
        "default (reference engine, float64, random start, Adam at a constant rate of 0.001, batches of 512). The "
        "broad line is the Pareto front of the means: no other training has a lower error for less energy. Read by "
        "Baler: no, it cannot load the network; padded, only filled up with zeros to the widths of its own. Markers "
        "are means over n repeats, bars are 95 % t intervals (none for n = 1). Open grey marks are flagged runs, which "
        f"are excluded from the means. {EVIDENCE}",
        draw_error_joules,
    ),
)
