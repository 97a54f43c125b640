"""Where the difference between the engines comes from: time per row by category of work."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.analysis.breakdown import CATEGORIES, REST, breakdown, over_epochs
from baler_energy.analysis.statistics import clean, per_row
from baler_energy.figures.bars import label_end, name_rows
from baler_energy.figures.base import FigureSpec, NoData, Tables, require_rows, runs_and_centre
from baler_energy.figures.captions import engine_notes
from baler_energy.figures.engine_rows import base_label, compared, engines_at, where
from baler_energy.figures.profiled import profiler_of, rows_of, tool_of
from baler_energy.figures.selection import OPERATIONS, centre_of, scaled_unit
from baler_energy.figures.style import COLOURS, grid, legend_below, subtitle
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES", "draw_difference", "times_by_category"]

_LOOKS: dict[str, tuple[str, str]] = {
    "products and activations": (COLOURS[0], ""),
    "optimizer": (COLOURS[1], ""),
    "loss": (COLOURS[1], "////"),
    "drawing batches": (COLOURS[2], ""),
    "scaling and rounding": (COLOURS[3], ""),
    "collecting output": (COLOURS[2], "////"),
    "files": ("0.55", ""),
    "work in other threads": ("0.55", "////"),
    REST: ("0.85", ""),
}
_PROFILER, _TOOL = profiler_of("calls"), tool_of("calls")
#: Share of a panel's width for the bars; the differences are written in the rest.
_BARS = 0.58
#: Most differences that are written next to a bar, and their smallest share of the whole difference.
_WRITTEN, _SMALLEST = 3, 0.1


def times_by_category(tables: Tables) -> pd.DataFrame:
    """Estimate the time per row by category, for the engines that were profiled at the study's centre.

    Returns
    -------
    pandas.DataFrame
        A row per ``operation`` and ``label`` of an engine, with a column (s per row) for each category. Their sum is
        the mean time per row of the clean runs without a profiler.

    Raises
    ------
    NoData
        Fewer than two engines ran or were profiled there, or no run is clean.
    """
    runs, point = runs_and_centre(tables)
    rows = clean(compared(per_row(runs), point)).dropna(subset=["time_per_row_s"])
    require_rows("the engines have no unflagged run at the study's centre", rows)
    profiled = engines_at(rows_of(tables, _PROFILER, ["call"]), point)
    profiled = profiled[profiled["device"] == rows["device"].iloc[0]]
    found: list[dict[str, Any]] = []
    for (operation, label), part in rows.groupby(["operation", "label"], sort=False, observed=True):
        mine = profiled[(profiled["operation"] == operation) & (profiled["label"] == label)]
        if len(mine):
            time_s = float(part["time_per_row_s"].mean())
            one = mine[mine["run_id"] == mine["run_id"].iloc[0]].sort_index()
            shares = breakdown(one.to_dict("records"), str(one["engine"].iloc[0]))
            if operation == Operation.TRAIN:  # the profiler watched one epoch
                shares = over_epochs(shares, int(point["epochs"]))
            found.append({"operation": operation, "label": label} | {k: time_s * v for k, v in shares.items()})
    if len({row["label"] for row in found}) < 2:
        raise NoData(f"fewer than two engines were profiled with {_PROFILER} at the study's centre (profile.points)")
    return pd.DataFrame(found)


def draw_difference(tables: Tables) -> Figure:
    """Draw the time per row of each engine's operations by category, and the largest differences from the base.

    Raises
    ------
    NoData
        As in `times_by_category`.
    """
    times = times_by_category(tables)
    point = centre_of(tables["runs"])
    rows = compared(tables["runs"], point)
    base = base_label(rows, point)
    shown = [operation for operation in OPERATIONS if (times["operation"] == operation).any()]
    bars = [int((times["operation"] == operation).sum()) for operation in shown]
    figure, panels = grid(len(shown), 1, 2.2 + 0.55 * len(shown) + 0.36 * sum(bars), height_ratios=bars)
    for panel, operation in zip(panels[:, 0], shown, strict=True):
        _bars(panel, times[times["operation"] == operation].set_index("label").drop(columns="operation"), base)
        panel.set_title(operation.value)
    used = [name for name in _LOOKS if times[name].gt(0).any()]
    looks = {name: _LOOKS[name] for name in used}
    patches = [Patch(label=name, facecolor=c, hatch=hatch, edgecolor="white") for name, (c, hatch) in looks.items()]
    legend_below(figure, patches, columns=4)
    subtitle(
        figure,
        f"At {where(point, rows)}. Estimate: shares of one run under {_TOOL} (n = 1) on the first batches, "
        "times the mean time per row without a profiler.",
        f"Next to each bar: its sum, and its largest differences from {base} (+ more, - less).",
        *_left_out(rows),
    )
    return figure


def _left_out(rows: pd.DataFrame) -> list[str]:
    """Name the engines without a time for an operation, since all its runs are flagged."""
    groups = rows.groupby("label", sort=False, observed=True)
    labels = [str(label) for label, part in groups if set(part["operation"]) - set(clean(part)["operation"])]
    return [f"No bar where all runs are flagged: {', '.join(labels)}."] if labels else []


def _bars(panel: Axes, times: pd.DataFrame, base: str) -> None:
    sums = times.sum(axis=1)
    factor, unit = scaled_unit(sums, "s")
    for place, (label, parts) in enumerate(times.iterrows()):
        left = 0.0
        for name in [*CATEGORIES, REST]:
            colour, hatch = _LOOKS[name]
            width = float(parts[name]) * factor
            panel.barh(place, width, 0.72, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.6)
            left += width
        words = f"{left:.3g} {unit}"
        if base in times.index and label != base:
            words += _difference(times, str(label), base, factor)
        label_end(panel, words, left, place, gap=4)
    name_rows(panel, map(str, times.index), margin=0.5)
    panel.set_xlim(0, sums.max() * factor / _BARS)
    panel.set_xlabel(f"Time per row, estimated from shares ({unit})")


def _difference(times: pd.DataFrame, label: str, base: str, factor: float) -> str:
    """Name the largest differences by the first word of their category, such as ``: scaling +1.2, drawing -0.4``."""
    both = times.to_dict("index")
    parts = {str(name): float(both[label][name] - both[base][name]) * factor for name in times.columns}
    smallest = _SMALLEST * sum(map(abs, parts.values()))
    ordered = sorted(parts.items(), key=lambda part: -abs(part[1]))
    large = [(name.split()[0], value) for name, value in ordered[:_WRITTEN] if value and abs(value) >= smallest]
    return f": {', '.join(f'{word} {value:+.2g}' for word, value in large)}" if large else ""


FIGURES = (
    FigureSpec(
        "difference",
        "Where the difference between the engines comes from",
        f"Time per row of each operation by category of work. It is an estimate: the shares that {_TOOL} recorded in a "
        "separate run (n = 1) on the first batches, times the mean time per row of the measured runs, which were not "
        "profiled. A profiled training has one epoch: scaling and files count once, everything else once per epoch of "
        "the measured training. Profiling slows Python code more than compiled code. On each path of the call tree the "
        "outermost known function sets the category, so nothing counts twice. "
        f"{engine_notes('difference', 'Engine {} {}')}. {_TOOL} does not see what runs in other threads. "
        "Differences are labelled with the first word of their category.",
        draw_difference,
    ),
)
