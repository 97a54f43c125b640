"""Is it worth it? What the reconstruction keeps, and what an error costs in energy."""

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baler_energy.analysis.statistics import clean, flagged, interval, mean_interval
from baler_energy.figures.base import NoData, Tables, specs
from baler_energy.figures.selection import (
    AXES,
    at_point,
    axis_label,
    describe,
    device_name,
    excluded_text,
    first_device,
    reference_point,
    scaled_unit,
    sweep,
    with_error,
)
from baler_energy.figures.style import (
    COLOURS,
    LINES,
    MARKERS,
    count_text,
    few_ticks,
    grid,
    legend_below,
    log_ticks,
    open_mark,
    plain,
    title,
)
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES"]

#: Columns that tell most about a jet or a particle, in order; names may carry a prefix and a trailing underscore.
_TELLING = ("pt", "eta", "mass", "m", "charged_multiplicity", "charged_hadron_energy", "phi", "energy", "e")
_SHOWN = 4
#: Labels of single runs: where there are more, none is drawn.
_MOST_LABELS = 50
#: Units of the generated columns; those of a user's file are not known.
_GENERATED_UNITS = {"pt": "GeV", "mass": "GeV", "phi": "rad"}

#: Axes along which points are joined.
_LINED = ("epochs", "rows", "batch_size", "threads", "compression_ratio", "precision")

#: Errors of a column, with their words.
_ERRORS = {"rms_over_range": "RMS residual / range", "max_over_range": "largest residual / range"}
_SPREAD = "Mean and 95 % t interval"

Floats = NDArray[np.float64]


def draw_distributions(tables: Tables) -> Figure:
    """Draw some columns before and after, their ratio, and the residuals.

    Raises
    ------
    NoData
        The reference point has no histograms.
    """
    histograms, runs = tables["histograms"], tables["runs"]
    if runs.empty or histograms.empty:
        raise NoData("no run has histograms")
    reference = reference_point(runs)
    here = at_point(histograms, reference)
    if here.empty:
        raise NoData("no run at the reference point has histograms")
    here, device = first_device(here)
    here = here[here["run_id"] == here["run_id"].min()]
    names = telling_columns(list(dict.fromkeys(here["column"])))
    figure, panels = grid(3, len(names), 6.8, width_in=2.9 * len(names) + 0.4, height_ratios=[2.4, 1, 1.4])
    for column, name in enumerate(names):
        _distribution(panels[:, column], here[here["column"] == name], name, str(here["source"].iloc[0]))
    panels[0, 0].set_ylabel("Rows per bin")
    panels[1, 0].set_ylabel("Rec. / orig.")
    panels[2, 0].set_ylabel("Rows per bin")
    legend_below(figure, panels[0, 0].get_legend_handles_labels()[0])
    words = f"Reference: {describe(reference)}, {device}, repeat {here['repeat'].iloc[0]} (n = 1)."
    title(figure, "Original and reconstructed distributions", words)
    return figure


def telling_columns(names: list[str]) -> list[str]:
    """Choose up to four columns: physically telling ones by name, then the first ones."""
    bare = {name: re.split(r"[./]", name)[-1].strip("_").lower() for name in names}
    chosen = [name for wanted in _TELLING for name in names if bare[name] == wanted]
    chosen += [name for wanted in _TELLING for name in names if bare[name].endswith(f"_{wanted}")]
    # A file without telling names is shown by its first columns alone; one with some is filled up from the front.
    return list(dict.fromkeys([*chosen[:_SHOWN], *names]))[:_SHOWN]


def _with_unit(name: str, source: str) -> str:
    if source in ("pythia8", "toy"):
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
    _say_beyond(panels[0], f"beyond: {beyond_before:,} original,\n{beyond_after:,} reconstructed")
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
    _say_beyond(panels[2], f"beyond: {beyond:,}")
    panels[2].set_xlabel(plain(f"Residual of {_with_unit(name, source)}"))


def _say_beyond(panel: Axes, words: str) -> None:
    panel.text(0.95, 0.95, words, transform=panel.transAxes, ha="right", va="top", fontsize=7.5)


def _histogram(part: pd.DataFrame, kind: str) -> tuple[Floats, Floats, int]:
    """Edges and counts of the regular bins, and how many rows lie in outer bins of another width."""
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
    """Whether inner bins widen by a constant factor."""
    inner = np.diff(edges[1:-1])
    return bool(edges[1] > 0 and inner[-1] > 3 * inner[0])


def _outer_bins(edges: Floats) -> tuple[bool, bool]:
    """Whether the first and the last bin are of another width than the regular ones."""
    if np.all(edges[1:-1] % 1 == 0.5):  # bins of integers lie between halves, their outer ones end at a value
        return bool(edges[0] % 1 != 0.5), bool(edges[-1] % 1 != 0.5)
    steps = _steps(edges)
    return not np.isclose(steps[0], steps[1], rtol=1e-3), not np.isclose(steps[-1], steps[-2], rtol=1e-3)


def _steps(edges: Floats) -> Floats:
    if not _logarithmic(edges):
        return np.diff(edges)
    # A non-positive first edge makes the first step differ from all others, as an underflow bin must.
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


def draw_column_errors(tables: Tables) -> Figure:
    """Draw RMS and largest residual over range of each column, with their spread over repeats.

    Raises
    ------
    NoData
        The reference point has no errors.
    """
    errors, runs = tables["errors"], tables["runs"]
    if runs.empty or errors.empty:
        raise NoData("no run has errors per column")
    reference = reference_point(runs)
    here = at_point(errors, reference)
    here = here[(here["column"] != "all") & here["rms_over_range"].notna()]
    if here.empty:
        raise NoData("no run at the reference point has errors per column")
    here, device = first_device(here)
    means = {name: mean_interval(here, ["column"], name).set_index("column") for name in _ERRORS}
    order = means["rms_over_range"]["mean"].sort_values().index
    figure, ((panel,),) = grid(1, 1, 1.9 + 0.24 * len(order))
    for number, (value, label) in enumerate(_ERRORS.items()):
        table = means[value].reindex(order)
        look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "label": label}
        # Apart in height, so that wide intervals do not cover one another.
        places = np.arange(len(order)) + (0.16 if number else -0.16)
        panel.errorbar(
            table["mean"], places, xerr=table["half_width"], linestyle="none", capsize=2, elinewidth=0.9, ms=4.5, **look
        )
    smallest = means["rms_over_range"]["mean"].min()
    largest = (means["max_over_range"]["mean"] + means["max_over_range"]["half_width"].fillna(0)).max()
    _column_axes(panel, [str(name) for name in order], max(smallest, largest * 1e-9) / 3, largest * 1.5)
    legend_below(figure, panel.get_legend_handles_labels()[0])
    shown = count_text(means["rms_over_range"]["n"])
    title(figure, "Error of each column", f"Reference: {describe(reference)}, {device}.", f"{_SPREAD}, {shown}.")
    return figure


def _column_axes(panel: Axes, names: list[str], low: float, high: float) -> None:
    """Put the columns' names on the y axis and a logarithmic scale on the other."""
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    log_ticks(panel.xaxis, low, high)
    panel.set_yticks(range(len(names)), list(map(plain, names)))
    panel.tick_params(axis="y", which="minor", left=False, right=False)
    panel.set_ylim(-0.7, len(names) - 0.3)
    panel.set_xlabel("Residual over the column's range")
    panel.grid(axis="y", linewidth=0.4)


def draw_error_energy(tables: Tables) -> Figure:
    """Draw the error of each point against the energy of its training, joined along the axes.

    Raises
    ------
    NoData
        No point has both.
    """
    trained, reference = _trained(tables["runs"])
    factor, unit = scaled_unit(trained["energy_j"], "J")
    kinds = sorted(set(zip(trained["device"], trained["energy_evidence"], strict=True)))
    figure, (panels,) = grid(1, len(kinds), 5.2, width_in=max(7.5, 4.6 * len(kinds)), sharex=True, sharey=True)
    values, errors = trained["energy_j"] * factor, trained["mean_rms_over_range"]
    x_limits, y_limits = (values.min() / 1.5, values.max() * 1.5), (errors.min() / 1.4, errors.max() * 1.4)
    counts = set[int]()
    for panel, (device, evidence) in zip(panels, kinds, strict=True):
        part = trained[(trained["device"] == device) & (trained["energy_evidence"] == evidence)]
        counts |= _error_points(panel, part, factor)
        for number, axis in enumerate(_LINED):
            along = sweep(clean(part), axis, reference)
            if along[axis].nunique() > 1:
                _error_line(panel, along, axis, factor, number, reference[axis])
        panel.set(xscale="log", yscale="log", xlim=x_limits, ylim=y_limits)
        log_ticks(panel.xaxis, *x_limits, narrow=len(kinds) > 1)
        log_ticks(panel.yaxis, *y_limits)
        panel.set_xlabel(f"Energy of one training, {evidence} ({unit})")
        panel.set_title(f"{device_name(device)} run" if len(kinds) > 1 else "")
    panels[0].set_ylabel("Mean over columns of RMS residual / range")
    found = {text: h for panel in panels for h, text in zip(*panel.get_legend_handles_labels(), strict=True)}
    legend_below(figure, list(found.values()))
    spread = [f"{_SPREAD}, {count_text(counts)}."] if counts else []
    words = f"Around the reference: {describe(reference)}."
    title(figure, "Error against training energy", words, *spread, *excluded_text(trained))
    return figure


def _trained(runs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Give the trainings with error and energy of the reference point's engine, model and packing, and that point.

    What engines, models and packings save is told apart, in a chapter of its own.
    """
    if runs.empty:
        raise NoData("there are no runs")
    reference = reference_point(runs)
    alike = at_point(runs, {axis: reference[axis] for axis in ("transform", "engine", "model", "packing")})
    trained = with_error(alike)
    trained = trained[trained["operation"] == Operation.TRAIN].dropna(subset=["mean_rms_over_range", "energy_j"])
    if trained.empty:
        raise NoData("no run has both an error and a training energy")
    if len(trained[[*AXES, "device"]].drop_duplicates()) < 2:
        raise NoData("one point only, no curve to draw")
    return trained, reference


def _error_points(panel: Axes, trained: pd.DataFrame, factor: float) -> set[int]:
    """Draw each point with intervals in both directions, and single flagged runs; returns the numbers of repeats."""
    bad = flagged(trained)
    panel.plot(bad["energy_j"] * factor, bad["mean_rms_over_range"], **open_mark("0.45"))
    keys = [*AXES, "device", "energy_evidence"]
    means = [
        (*interval(part["energy_j"].to_numpy() * factor), *interval(part["mean_rms_over_range"].to_numpy()))
        for _, part in clean(trained).groupby(keys, observed=True, dropna=False)
    ]
    if not means:
        return set()
    # One set of points and bars: grids have thousands.
    energies, energy_widths, _, errors, error_widths, counts = zip(*means, strict=True)
    look: dict[str, Any] = {"color": "0.45", "marker": "o", "markersize": 4, "elinewidth": 0.9, "zorder": 1.5}
    panel.errorbar(energies, errors, xerr=energy_widths, yerr=error_widths, linestyle="none", **look)
    single = [place for place, count in zip(zip(energies, errors, strict=True), counts, strict=True) if count == 1]
    for place in single if len(single) <= _MOST_LABELS else []:
        panel.annotate("n = 1", place, (5, -10), textcoords="offset points", fontsize=8)
    return set(counts)


def _error_line(panel: Axes, part: pd.DataFrame, axis: str, factor: float, number: int, reference: Any) -> None:
    """Join the points of one axis, and put the values beside those that differ from the reference."""
    means = part.groupby(axis, observed=True)[["energy_j", "mean_rms_over_range"]].mean().sort_index()
    values = [f"{value:,}" if isinstance(value, int | np.integer) else f"{value}" for value in means.index]
    for (value, point), text in zip(means.iterrows(), values, strict=True):
        if value != reference:
            place = (point["energy_j"] * factor, point["mean_rms_over_range"])
            panel.annotate(text, place, (6, 6), textcoords="offset points", fontsize=8)
    evidence = str(part["energy_evidence"].iloc[0])
    words = axis_label(axis).removesuffix(" (rows)")
    panel.plot(
        means["energy_j"] * factor,
        means["mean_rms_over_range"],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        linestyle=LINES[evidence],
        markerfacecolor="none",
        markersize=8,
        label=f"{words}: {', '.join(values)}",
    )


FIGURES = specs(
    "worth",
    {
        "distributions": draw_distributions,
        "column_errors": draw_column_errors,
        "error_energy": draw_error_energy,
    },
)
