"""Distributions of derived quantities, such as masses, before and after compression, and their peaks in windows."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.codec_rows import where
from baler_energy.figures.derived_rows import at_error_of, derived_at_centre, trained_codecs
from baler_energy.figures.style import COLOURS, few_ticks, grid, legend_below, log_ticks, plain, subtitle

__all__ = ["FIGURES"]

#: Maximum number of codecs and of panels, and panels per row.
_CODECS, _PANELS, _ACROSS = 4, 6, 3
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def draw_derived(tables: Tables) -> Figure:
    """Draw derived quantities before and after compression with a few codecs, over all rows and in their windows.

    Raises
    ------
    NoData
        The dataset at the study's centre has no derived quantities.
    """
    codecs = derived_at_centre(tables)
    bins = tables["derived_histograms"]
    bins = bins[bins["run_id"].isin(codecs["run_id"])]
    require_rows("no run at the study's centre has histograms of derived quantities", bins)
    chosen, words = _chosen(codecs.drop_duplicates("codec"))
    shown = list(bins.groupby(["quantity", "window"], dropna=False, sort=False, observed=True))[:_PANELS]
    across = min(len(shown), _ACROSS)
    down = -(-len(shown) // across)
    figure, panels = grid(down, across, 3.3 * down + 1.3, width_in=max(7.0, 3.4 * across))
    for panel, (_, here) in zip(panels.flat, shown, strict=False):
        _distribution(panel, here, chosen)
        window = here["window"].iloc[0]
        panel.set_title("all rows" if pd.isna(window) else plain(str(window)))
    for panel in panels.flat[len(shown) :]:
        panel.remove()
    for panel in panels[:, 0]:
        panel.set_ylabel("Rows per bin")
    legend_below(figure, panels[0, 0].get_legend_handles_labels()[0])
    subtitle(figure, f"At {where(tables['runs'])}, first repeat (n = 1). {words}")
    return figure


def _chosen(codecs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Choose a few codecs: at the error of the one trained longest, or else one of each family with a medium error."""
    if trained := trained_codecs(codecs):
        matched = at_error_of(trained[-1], codecs)
        lossy = matched[matched["error"] > 0]
        shown, others = lossy.head(_CODECS), len(lossy) - 1
        words = f"{trained[-1]['codec']}, and the other lossy families with its error or less ({others})."
        if not others:
            words = f"{trained[-1]['codec']}; no other lossy family has its error or less."
        elif len(shown) <= others:
            words = f"{words[:-1]}, of which the {len(shown) - 1} with the largest ratios."
        return shown, words
    lossy = codecs[codecs["error"] > 0] if (codecs["error"] > 0).any() else codecs
    distance = (lossy["error"].rank() - (len(lossy) + 1) / 2).abs()
    middling = lossy.loc[distance.sort_values(kind="stable").index].drop_duplicates("family").head(_CODECS)
    return middling.sort_values("error"), f"One codec of each family, with a medium error; at most {_CODECS}."


def _distribution(panel: Axes, bins: pd.DataFrame, codecs: pd.DataFrame) -> None:
    """Draw one distribution with Poisson errors: the original is filled, each codec is a line with a band."""
    first = bins[bins["run_id"] == codecs["run_id"].iloc[0]]
    original, edges = _counts(first, "original")
    panel.stairs(original, edges, fill=True, color="0.85", label="original")
    _band(panel, original, edges, color="0.5", alpha=0.5, label="original ± its square root (Poisson)")
    highest = original.max()
    for number, codec in enumerate(codecs.to_dict("records")):
        counts, _ = _counts(bins[bins["run_id"] == codec["run_id"]], "reconstructed")
        look: dict[str, Any] = {"color": COLOURS[number], "linestyle": _DASHES[number], "linewidth": 1.3}
        label = f"{codec['codec']} (ratio {codec['ratio']:.3g}, error {100 * codec['error']:.2g} %)"
        panel.stairs(counts, edges, baseline=None, label=plain(label), **look)
        _band(panel, counts, edges, color=look["color"], alpha=0.2)
        highest = max(highest, counts.max())
    unit = first["unit"].iloc[0]
    panel.set_xlabel(plain(f"{first['quantity'].iloc[0]} ({'unit not given' if pd.isna(unit) else unit})"))
    _axes(panel, edges, highest)


def _band(panel: Axes, counts: Any, edges: Any, **look: Any) -> None:
    """Shade the statistical uncertainty of counts: plus and minus their square root."""
    error = np.sqrt(counts)
    panel.stairs(counts + error, edges, baseline=counts - error, fill=True, linewidth=0, **look)


def _counts(bins: pd.DataFrame, kind: str) -> tuple[Any, Any]:
    chosen = bins[bins["kind"] == kind].sort_values("low")
    edges = np.append(chosen["low"].to_numpy(float), chosen["high"].to_numpy(float)[-1:])
    return chosen["count"].to_numpy(float), edges


def _axes(panel: Axes, edges: Any, highest: float) -> None:
    steps = np.diff(edges)
    if steps[-1] > 3 * steps[0]:
        panel.set(xscale="log", yscale="log", ylim=(0.7, highest * 2))
        log_ticks(panel.xaxis, float(edges[0]), float(edges[-1]))
    else:
        few_ticks(panel.xaxis, 6)
        panel.set_ylim(0, highest * 1.15)
    # A margin, so that labels of the two axes do not meet in the corner.
    margin = 0.0 if panel.get_xscale() == "log" else 0.03 * (edges[-1] - edges[0])
    panel.set_xlim(edges[0] - margin, edges[-1] + margin)


FIGURES = (
    FigureSpec(
        "derived",
        "Quantities computed from the columns, before and after compression",
        "Distributions of quantities such as invariant masses, computed from the original columns (grey) and from the "
        "reconstructed ones (lines), in the windows of the study and over all rows, except for 0.05 % of the rows at "
        "each end. Bands are one statistical standard deviation of each bin (the square root of its count). Before and "
        "after are the same rows, so a difference can be significant within the bands. At most four codecs are shown: "
        "the one trained for most epochs and, from the other lossy families with its RMS residual over the range or "
        "less, those with the largest ratios, at the nearest error. Shifts and widths of the peaks are in the table "
        "'physics'. Rows in which a quantity is undefined after compression, for example because of a negative pt, are "
        "missing from the lines. "
        f"{ERROR_ROWS}",
        draw_derived,
    ),
)
