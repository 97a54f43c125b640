"""Columns before and after compression: distributions, their ratio, residuals."""

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.selection import at_point, centre_of, describe, first_device
from baler_energy.figures.style import COLOURS, few_ticks, grid, legend_below, log_ticks, plain, subtitle
from baler_energy.variants import GENERATORS

__all__ = ["FIGURES"]

#: The most informative columns of a jet or a particle, in order; names may have a prefix and a trailing underscore.
_INFORMATIVE = ("pt", "eta", "mass", "m", "charged_multiplicity", "charged_hadron_energy", "phi", "energy", "e")
_SHOWN = 4
#: Units of the generated columns; those of a user's file are unknown.
_GENERATED_UNITS = {"pt": "GeV", "mass": "GeV", "phi": "rad"}


Floats = NDArray[np.float64]


def draw_distributions(tables: Tables) -> Figure:
    """Draw some columns before and after compression, their ratio, and the residuals.

    Raises
    ------
    NoData
        No run at the study's centre has histograms.
    """
    histograms, runs = tables["histograms"], tables["runs"]
    require_rows("no run has histograms", runs, histograms)
    centre = centre_of(runs)
    here = at_point(histograms, centre)
    require_rows("no run at the study's centre has histograms", here)
    here, device = first_device(here)
    here = here[here["run_id"] == here["run_id"].min()]
    names = informative_columns(list(dict.fromkeys(here["column"])))
    figure, panels = grid(3, len(names), 6.8, width_in=2.9 * len(names) + 0.4, height_ratios=[2.4, 1, 1.4])
    for column, name in enumerate(names):
        _distribution(panels[:, column], here[here["column"] == name], name, str(here["source"].iloc[0]))
    panels[0, 0].set_ylabel("Rows per bin")
    panels[1, 0].set_ylabel("Rec. / orig.")
    panels[2, 0].set_ylabel("Rows per bin")
    legend_below(figure, panels[0, 0].get_legend_handles_labels()[0])
    words = f"Centre: {describe(centre)}, {device}, repeat {here['repeat'].iloc[0]} (n = 1)."
    subtitle(figure, words)
    return figure


def informative_columns(names: list[str]) -> list[str]:
    """Choose up to four columns: physically informative ones by name, then the first ones."""
    bare = {name: re.split(r"[./]", name)[-1].strip("_").lower() for name in names}
    chosen = [name for wanted in _INFORMATIVE for name in names if bare[name] == wanted]
    chosen += [name for wanted in _INFORMATIVE for name in names if bare[name].endswith(f"_{wanted}")]
    # The first columns fill the remaining places.
    return list(dict.fromkeys([*chosen[:_SHOWN], *names]))[:_SHOWN]


def _with_unit(name: str, source: str) -> str:
    if source in GENERATORS:
        unit = "GeV" if name.endswith("_energy") else _GENERATED_UNITS.get(name)
        return f"{name} ({unit})" if unit else name
    return f"{name} (file's unit)"


def _distribution(panels: Any, part: pd.DataFrame, name: str, source: str) -> None:
    """Draw one column of panels: distributions, ratio, residuals."""
    before, after = (_histogram(part, kind) for kind in ("original", "reconstructed"))
    edges, original, beyond_before = before
    _, reconstructed, beyond_after = after
    panels[0].stairs(original, edges, fill=True, color="0.78", label="original")
    panels[0].stairs(reconstructed, edges, baseline=None, color=COLOURS[1], linewidth=1.3, label="reconstructed")
    counts = original[original > 0]
    typical = (
        counts.min(initial=np.inf)
        if len(edges) > 5 and _logarithmic(edges)
        else (np.median(counts) if counts.size else np.inf)
    )
    if counts.max(initial=0) > 100 * typical:
        panels[0].set_yscale("log")
        panels[0].set_ylim(0.5, original.max() * 20)
    else:
        panels[0].set_ylim(0, max(original.max(), reconstructed.max()) * 1.3)
    _label_beyond(panels[0], f"outside: {beyond_before:,} original,\n{beyond_after:,} reconstructed")
    _ratio(panels[1], edges, original, reconstructed)
    for panel in panels[:2]:
        _x_axis(panel, edges)
    panels[0].tick_params(labelbottom=False)
    panels[1].set_xlabel(plain(_with_unit(name, source)))
    edges, residual, beyond = _histogram(part, "residual")
    panels[2].stairs(residual, edges, fill=True, color=COLOURS[2])
    panels[2].axvline(0, color="0.3", linewidth=0.8, linestyle="--")
    panels[2].set_ylim(0, residual.max() * 1.35)
    few_ticks(panels[2].xaxis, 4)
    _label_beyond(panels[2], f"outside: {beyond:,}")
    panels[2].set_xlabel(plain(f"Residual of {_with_unit(name, source)}"))


def _label_beyond(panel: Axes, words: str) -> None:
    panel.text(0.95, 0.95, words, transform=panel.transAxes, ha="right", va="top", fontsize=7.5)


def _histogram(part: pd.DataFrame, kind: str) -> tuple[Floats, Floats, int]:
    """Edges and counts of the regular bins, and the number of rows in outer bins of a different width."""
    chosen = part[part["kind"] == kind].sort_values("low")
    edges = np.append(chosen["low"].to_numpy(float), chosen["high"].to_numpy(float)[-1:])
    counts = chosen["count"].to_numpy(float)
    first, last = 0, len(counts)
    if len(counts) > 4:
        below, above = _outer_bins(edges)
        first, last = int(below), len(counts) - int(above)
    kept = counts[first:last]
    return edges[first : last + 1], kept, int(counts.sum() - kept.sum())


def _logarithmic(edges: Floats) -> bool:
    """Whether the inner bins widen by a constant factor."""
    inner = np.diff(edges[1:-1])
    return bool(edges[1] > 0 and inner[-1] > 3 * inner[0])


def _outer_bins(edges: Floats) -> tuple[bool, bool]:
    """Whether the width of the first and of the last bin differs from the regular width."""
    if np.all(edges[1:-1] % 1 == 0.5):  # bins of integers have edges at halves; the outer bins end at a value
        return bool(edges[0] % 1 != 0.5), bool(edges[-1] % 1 != 0.5)
    steps = _steps(edges)
    return not np.isclose(steps[0], steps[1], rtol=1e-3), not np.isclose(steps[-1], steps[-2], rtol=1e-3)


def _steps(edges: Floats) -> Floats:
    if not _logarithmic(edges):
        return np.diff(edges)
    # A non-positive first edge makes the first step differ from all others, which marks an underflow bin.
    return np.diff(np.log(np.where(edges > 0, edges, edges[1] * 1e-30)))


def _ratio(panel: Axes, edges: Floats, original: Floats, reconstructed: Floats) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(original > 0, reconstructed / original, np.nan)
        error = np.where(original > 0, 1 / np.sqrt(original), np.nan)
    panel.stairs(1 + error, edges, baseline=1 - error, fill=True, color="0.85")
    panel.stairs(ratio, edges, baseline=None, color=COLOURS[1], linewidth=1.2)
    panel.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
    panel.set_ylim(0, 2)


def _x_axis(panel: Axes, edges: Floats) -> None:
    if len(edges) > 5 and edges[0] > 0 and _logarithmic(edges):
        panel.set_xscale("log")
        log_ticks(panel.xaxis, float(edges[0]), float(edges[-1]), narrow=True)
    else:
        few_ticks(panel.xaxis, 4)
    panel.set_xlim(edges[0], edges[-1])


FIGURES = (
    FigureSpec(
        "distributions",
        "Original and reconstructed distributions",
        "Some columns before and after compression, at the study's centre, first repeat (n = 1). Top: rows per bin. "
        "Middle: reconstructed / original counts, with the statistical uncertainty of the original (grey). Bottom: "
        "residuals, reconstructed minus original. The panels state the number of rows outside the axes. "
        f"{ERROR_ROWS}",
        draw_distributions,
    ),
)
