"""The error of the reconstruction against the energy of the training, for every setting that was tried."""

import textwrap
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.pareto import on_front
from baler_energy.analysis.savings import DEFAULT, setting_points
from baler_energy.analysis.statistics import flagged
from baler_energy.config.recommended import BALER
from baler_energy.config.shown import phrase_of
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS, EVIDENCE
from baler_energy.figures.selection import excluded_text, scaled_unit
from baler_energy.figures.setting_families import family_of, setting_looks
from baler_energy.figures.setting_rows import change_texts, compared_trainings, read_by_baler, recommended_text, where
from baler_energy.figures.style import grid, legend_of_panels, mean_text, open_mark, plain, subtitle
from baler_energy.figures.trivial import log_axes_of_error

__all__ = ["FIGURES", "draw_error_joules"]

#: Characters of a line in the legend, whose two columns fill the figure.
_LABEL_WIDTH = 52
#: Styles of Baler's default and of the recommended setting.
_DEFAULT_LOOK: dict[str, Any] = {"color": "#14213d", "marker": "o", "markersize": 8, "linewidth": 2.2, "zorder": 3}
_RECOMMENDED_LOOK = _DEFAULT_LOOK | {"color": "#b8400e", "marker": "*", "markersize": 13}


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
    energies = part["energy_j"] * factor
    x_limits = (energies.min() / 1.5, energies.max() * 2.2)
    looks = _looks(part)
    labels = _labels(part)
    height_in = 5.8 + 0.16 * -(-sum(text.count("\n") + 1 for text in labels.values()) // 2)
    figure, (panels,) = grid(1, len(kinds), height_in, width_in=max(9.0, 5.0 * len(kinds)), sharex=True, sharey=True)
    counts = set[int]()
    for panel, evidence in zip(panels, kinds, strict=True):
        counts |= _panel(panel, part[part["energy_evidence"] == evidence], looks, labels, factor)
        log_axes_of_error(panel, part, x_limits)
        panel.set_xlabel(f"Energy of one training, {evidence} ({unit})")
    panels[0].set_ylabel("Mean RMS residual / range")
    legend_of_panels(figure, panels)
    subtitle(figure, f"At {where(shared)}; the epochs vary along a line.", *mean_text(counts), *excluded_text(part))
    return figure


def _looks(part: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the style of each setting: the default and the recommended one first, then by family."""
    marked = {DEFAULT: _DEFAULT_LOOK, recommended_text(): _RECOMMENDED_LOOK}
    changed = dict(zip(part["setting"], part["changed"], strict=True))
    others = setting_looks({name: axes for name, axes in changed.items() if name not in marked})
    alone = {name: look | {"linestyle": "-"} for name, look in others.items() if name in change_texts()}
    return {name: look for name, look in marked.items() if name in changed} | others | alone


def _labels(part: pd.DataFrame) -> dict[str, str]:
    """Return the text of each setting in the legend: with its family, and with a note if Baler does not read it."""
    return {row["setting"]: _label(row) for row in part.drop_duplicates("setting").to_dict("records")}


def _label(row: Mapping[Any, Any]) -> str:
    setting, answer = row["setting"], read_by_baler(row)
    family = f"{family_of(row['changed'])}: ".replace("_", " ") if len(row["changed"]) > 1 else ""
    head = "recommended: " if setting == recommended_text() else family
    words = f"{head}{setting}" + ("" if answer == "yes" else f" (read by Baler: {answer})")
    return textwrap.fill(words, _LABEL_WIDTH)


def _panel(
    panel: Axes, part: pd.DataFrame, looks: dict[str, dict[str, Any]], labels: dict[str, str], factor: float
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
        bars: dict[str, Any] = {
            "xerr": mine["training_j_half_width"].fillna(0),
            "yerr": mine["error_half_width"].fillna(0),
        }
        panel.errorbar(mine["training_j"], mine["error"], **bars, elinewidth=0.9, label=plain(labels[name]), **look)
        if look in (_DEFAULT_LOOK, _RECOMMENDED_LOOK):
            _name_epochs(panel, mine, look["color"])
    return set(points["n"])


def _name_epochs(panel: Axes, mine: pd.DataFrame, colour: str) -> None:
    for row in mine.to_dict("records"):
        place, text = (row["training_j"], row["error"]), phrase_of("epochs", row["epochs"])
        panel.annotate(text, place, (8, 5), textcoords="offset points", fontsize=8, color=colour, zorder=4)


FIGURES = (
    FigureSpec(
        "error_joules",
        "Error against joules for every setting of the training",
        "RMS residual / range, mean over columns, against the energy of the whole "
        "training. A line connects the numbers of epochs of one setting, which is named by what it changes in Baler's "
        f"default (engine {BALER['engine']}, {BALER['precision']}, {BALER['start']} start, {BALER['optimizer']} at a "
        f"{BALER['schedule']} rate, batches of {BALER['batch_size']}). Shape "
        "and colour of the marks show the family, the one thing that is changed besides those of the recommended "
        "setting; their filling distinguishes the settings of a family. Solid lines are the recommended changes alone. "
        "The broad line is the Pareto front of the means: no other training has a lower error for less energy. A "
        "training that is stopped early is in the table, from the default's history. Read by Baler: no, it "
        "cannot load the network; padded, only with zeros added up to the widths of its own. Markers are means over n "
        "repeats, bars are 95 % t intervals (none for n = 1). Open grey marks are flagged runs, which are excluded "
        f"from the means. {EVIDENCE} {ERROR_ROWS}",
        draw_error_joules,
    ),
)
