"""The runtimes side by side: speed, energy, memory, start-up and deviation from PyTorch."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from baler_energy.analysis.comparison import ratio_of_means
from baler_energy.analysis.statistics import clean, estimate, flagged
from baler_energy.figures.bars import label_edge, name_rows
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.captions import STARTUP_AND_DEVIATION, TYPICAL_TIMES, engine_notes
from baler_energy.figures.runtime_rows import (
    APPLIED,
    EAGER,
    NAMES,
    OUTSIDE_WINDOW,
    absent,
    fault_of,
    is_deprecated,
    runtimes_at_centre,
)
from baler_energy.figures.selection import describe, device_name, excluded_text, first_device, scaled_unit
from baler_energy.figures.style import (
    COLOURS,
    MARKERS,
    grid,
    legend_below,
    log_ticks,
    mean_text,
    note_empty,
    open_mark,
    plain,
    subtitle,
)
from baler_energy.vocabulary import Evidence

__all__ = ["FIGURES", "draw_runtimes"]

#: Panels: column, label, unit. Energy is only drawn if it is measured: otherwise it is a model of the time.
_PANELS = (
    ("rows_per_s", "Rows per second", ""),
    ("energy_per_row_j", "Energy per row", "J"),
    ("memory_peak_b", "Peak memory", "B"),
    ("startup_s", "Start-up (s)", ""),
    ("runtime_deviation", "Deviation / range", ""),
)
_LOOKS = dict(zip(APPLIED, zip((COLOURS[0], COLOURS[1]), MARKERS, strict=False), strict=True))
#: Smallest deviation on the axis; equal results are drawn here.
_LEAST_DEVIATION = 1e-17


def draw_runtimes(tables: Tables) -> Figure:
    """Draw costs and deviation of each runtime and precision at the study's centre, on the first device by name.

    Raises
    ------
    NoData
        Only one runtime ran at the study's centre, and none is missing.
    """
    every, centre = runtimes_at_centre(tables)
    rows, device = first_device(every)
    reasons = _reasons(tables, every, rows)
    ran = dict.fromkeys(zip(rows["runtime"], rows["precision"], strict=True))
    precisions = list(dict.fromkeys(rows["precision"]))
    places = [(n, p) for p in precisions for n in NAMES if (n, p) in ran or (n, p) in reasons]
    measured = (rows["energy_evidence"] == Evidence.MEASURED).any()
    shown = [panel for panel in _PANELS if measured or panel[2] != "J"]
    widths = [2.0, *[1.0] * (len(shown) - 1)]
    figure, (panels,) = grid(1, len(shown), 1.9 + 0.3 * len(places), sharey=True, width_ratios=widths)
    counted = rows[[place not in reasons for place in zip(rows["runtime"], rows["precision"], strict=True)]]
    for panel, (value, words, unit) in zip(panels, shown, strict=True):
        # A runtime with a fault only has its deviation, and the reason.
        _panel(panel, rows if value == "runtime_deviation" else counted, places, value, words, unit)
    for place, key in enumerate(places):
        if key in reasons:
            text = plain(reasons[key].partition(":")[0])
            panels[0].text(0.01, place, text, transform=panels[0].get_yaxis_transform(), fontsize=7, va="center")
        elif key[0] != EAGER:
            _factors(panels[0], rows[rows["precision"] == key[1]], key[0], place)
    labels = [f"{name}{' (deprecated)' if is_deprecated(name) else ''}, {precision}" for name, precision in places]
    name_rows(panels[0], labels, margin=0.6)
    marks = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=operation)
        for operation, (colour, marker) in _LOOKS.items()
    ]
    legend_below(figure, marks)
    counts = clean(rows).groupby(["runtime", "precision", "operation"], observed=True)["run_id"].nunique()
    subtitle(
        figure,
        " ".join([f"At {describe(centre, without=('runtime', 'precision'))}, {device}.", *mean_text(counts)]),
        "Numbers: rows/s over eager in the same precision (compress; decompress); ~: it may be 1, or n = 1.",
        *_elsewhere(every[every["device"] != rows["device"].iloc[0]]),
        *excluded_text(rows),
    )
    return figure


def _reasons(tables: Tables, every: pd.DataFrame, rows: pd.DataFrame) -> dict[tuple[Any, Any], str]:
    """Return why a runtime was not run or does not count, by its name and the precision."""
    reasons: dict[tuple[Any, Any], str] = {(name, precision): why for name, precision, why in absent(tables, every)}
    for (name, precision), mine in rows.groupby(["runtime", "precision"], sort=False, observed=True):
        if reason := fault_of(mine):
            reasons[name, precision] = reason
    return reasons


def _elsewhere(others: pd.DataFrame) -> list[str]:
    """Name the runtimes on other devices, which the figure does not show."""
    found = others[["runtime", "device"]].drop_duplicates().to_dict("records")
    names = [f"{row['runtime']} ({device_name(row['device'])})" for row in found]
    return [f"Not drawn, but in the table of runtimes: {', '.join(names)}."] if names else []


def _panel(panel: Axes, rows: pd.DataFrame, places: list[tuple[str, str]], value: str, words: str, unit: str) -> None:
    """Draw one quantity of each runtime in both operations."""
    factor, prefixed = scaled_unit(rows[value], unit) if unit else (1.0, "")
    panel.set_xlabel(f"{words} ({prefixed})" if prefixed else words)
    present = rows[rows[value].notna()]
    if present.empty:
        note_empty(panel)
        return
    # After the return: pandas fills up an empty table from an assigned column.
    present = present.assign(shown=present[value] * factor)
    if value == "runtime_deviation":
        present["shown"] = present["shown"].clip(lower=_LEAST_DEVIATION)
    for number, (operation, (colour, marker)) in enumerate(_LOOKS.items()):
        for place, (name, precision) in enumerate(places):
            keys = (present["runtime"] == name) & (present["precision"] == precision)
            mine = present[keys & (present["operation"] == operation)]
            mine = mine.assign(in_mean=True) if value in OUTSIDE_WINDOW else mine
            if mine.empty:
                continue
            height, bad, found = place + (-0.15, 0.15)[number], flagged(mine), estimate(mine, "shown")
            panel.plot(bad["shown"], [height] * len(bad), **open_mark(colour))
            if found.n:
                look: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 2, "ms": 4, "linestyle": "none"}
                panel.errorbar([found.mean], [height], xerr=[found.half_width] if found.n > 1 else None, **look)
    low, high = present["shown"].min() / 1.5, present["shown"].max() * 1.5
    panel.set(xscale="log", xlim=(low, low * (high / low) ** (1.6 if value == "rows_per_s" else 1)))
    if value == "runtime_deviation":
        # Whole decades, since there are no other labels.
        panel.set_xlim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
        panel.xaxis.set_major_locator(LogLocator(numticks=4))
        panel.xaxis.set_minor_formatter(NullFormatter())
    else:
        log_ticks(panel.xaxis, *panel.get_xlim(), narrow=value != "rows_per_s")


def _factors(panel: Axes, rows: pd.DataFrame, name: str, place: int) -> None:
    """Write the factors of a runtime's speed over eager's, in compression and decompression."""
    words = []
    for operation in APPLIED:
        part = clean(rows[rows["operation"] == operation])
        ratio = ratio_of_means(*(list(part.loc[part["runtime"] == one, "rows_per_s"]) for one in (name, EAGER)))
        unsure = "" if ratio.low > 1 or ratio.high < 1 else "~"
        words += [] if pd.isna(ratio.value) else [f"{unsure}{ratio.value:.2f}"]
    label_edge(panel, "; ".join(words), place, size=7.5)


FIGURES = (
    FigureSpec(
        "runtimes",
        "The runtimes: speed, memory, start-up and deviation",
        "Runtimes that compute the trained network in compression and decompression, at the centre: eager is PyTorch "
        "itself, and an engine is a separate program. Marks are means over n unflagged repeats, bars are 95 % t "
        "intervals, open marks are flagged runs. Rows per second of the whole operation, which also scales, packs and "
        f"reads or writes the file's content ({engine_notes('content', '{}: {}')}). Energy is drawn where it is "
        "measured; a modelled one follows the time. Peak memory includes all libraries, and for decompression what "
        f"compression loaded in the same process. {STARTUP_AND_DEVIATION} Results equal to eager's are drawn at 1e-17. "
        "A row with a text gives the reason why the runtime did not run, or why its runs do not count. "
        f"{TYPICAL_TIMES}",
        draw_runtimes,
    ),
)
