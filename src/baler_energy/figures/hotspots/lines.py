"""Lines of code: time and memory, and the lines that copy data."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from baler_energy.figures.bars import label_end, name_rows
from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.captions import SHARES
from baler_energy.figures.profiled import one_profile, profiler_of, tool_of
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import COLOURS, grid, legend_below, subtitle

__all__ = ["FIGURES", "draw_copies", "draw_lines"]

_PARTS = {"native": COLOURS[0], "python": COLOURS[2], "system": COLOURS[3]}
_LINES, _COPIES = profiler_of("lines"), profiler_of("copies")
_TOP = 6
_NAME_LENGTH = 52


def draw_lines(tables: Tables) -> Figure:
    """Draw the lines that take most time, split into Python, native code and system.

    Raises
    ------
    NoData
        No run was profiled by line, or the profiler could not run.
    """
    found, where = one_profile(tables, _LINES, ["line", *_PARTS], f"no run was profiled with {_LINES}")
    figure = _by_operation(found, _line_bars, "Share of time (%)")
    legend_below(figure, [Patch(facecolor=colour, label=kind) for kind, colour in _PARTS.items()], columns=3)
    unknown = found.loc[found["kind"] == "line", ["memory_bytes", "bytes"]].isna().all(axis=None)
    reasons: list[str] = [*found["reason"].dropna().unique()] if unknown else []
    subtitle(
        figure,
        f"{where}.",
        "Next to each bar: memory that the line allocated, bytes that it copied. One profiled run, n = 1; shares only.",
        *(f"Memory unknown: {reason}" for reason in reasons[:1]),
    )
    return figure


def _line_bars(panel: Axes, part: pd.DataFrame) -> float:
    lines = part[part["kind"] == "line"].sort_values("self_share", ascending=False).head(_TOP)
    longest = 0.0
    for place, line in enumerate(lines.to_dict("records")):
        same = part[(part["file"] == line["file"]) & (part["line"] == line["line"])].set_index("kind")["self_share"]
        left = 0.0
        for kind, colour in _PARTS.items():
            width = 100 * float(same.get(kind, 0.0))
            panel.barh(place, width, 0.7, left=left, color=colour)
            left += width
        label_end(panel, f"{left:.1f}{_bytes_words(line)}", left, place)
        longest = max(longest, left)
    name_rows(panel, [_name(line) for line in lines.to_dict("records")], size=8)
    return longest * 1.6


def _bytes_words(line: Any) -> str:
    known = {"memory_bytes": "allocated", "bytes": "copied"}
    megabytes = {word: line[key] / 1e6 for key, word in known.items() if pd.notna(line[key]) and line[key]}
    said = [f"{value:,.0f} MB {word}" if value >= 10 else f"{value:.2g} MB {word}" for word, value in megabytes.items()]
    return f"; {', '.join(said)}" if said else ""


def draw_copies(tables: Tables) -> Figure:
    """Draw the lines that copy data, with their bytes and their share of the operation's time.

    Raises
    ------
    NoData
        No run was profiled for copies.
    """
    found, where = one_profile(tables, _COPIES, ["copy"], f"no run was profiled with {_COPIES}")
    figure = _by_operation(found, _copy_bars, "New arrays and copies (MB)")
    subtitle(
        figure,
        f"{where}.",
        "Next to each bar: share of the operation's time that the line takes, including what it calls. "
        "One traced run, n = 1.",
    )
    return figure


def _copy_bars(panel: Axes, part: pd.DataFrame) -> float:
    lines = part.sort_values("bytes", ascending=False).head(_TOP).to_dict("records")
    megabytes = [line["bytes"] / 1e6 for line in lines]
    panel.barh(range(len(lines)), megabytes, 0.7, color=COLOURS[2])
    for place, (line, width) in enumerate(zip(lines, megabytes, strict=True)):
        label_end(panel, f"{width:.3g} MB, {100 * line['self_share']:.1f} % of time", width, place)
    name_rows(panel, map(_name, lines), size=8)
    return float(max(megabytes)) * 1.45


def _by_operation(found: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame], float], label: str) -> Figure:
    """Draw a panel of horizontal bars for each operation; `draw` returns the end of the axis."""
    shown = [operation for operation in OPERATIONS if (found["operation"] == operation).any()]
    figure, panels = grid(len(shown), 1, 1.6 + 1.9 * len(shown), sharex=True)
    longest = 0.0
    for panel, operation in zip(panels[:, 0], shown, strict=True):
        longest = max(longest, draw(panel, found[found["operation"] == operation]))
        panel.set_title(operation.value)
    panels[-1, 0].set_xlabel(label)
    panels[-1, 0].set_xlim(0, longest)
    return figure


def _name(line: Any) -> str:
    """Code of a line, shortened to fit, with file and line number."""
    place = f"{str(line['file']).rpartition('/')[2]}:{line['line']:.0f}"
    room = _NAME_LENGTH - len(place) - 2
    code = str(line["name"]).partition("  # ")[0]
    return f"{code if len(code) <= room else code[: room - 2] + '..'}  {place}"


FIGURES = (
    FigureSpec(
        "lines",
        f"Where the time goes: lines ({tool_of('lines')})",
        "Share of time by line of this program, including what the line calls elsewhere, split into Python, native "
        f"code and system. Memory and copied bytes are {tool_of('lines')}'s estimates, from a separate run. Its page "
        f"({_LINES}.html) is in the study's results, under profiles/. {SHARES}",
        draw_lines,
    ),
    FigureSpec(
        "copies",
        "Lines that copy data",
        "Bytes of new NumPy arrays that each line creates (even if they are filled later), of Python objects that it "
        "creates in bulk, and bytes that torch's copying operators write for it (stack, cat, clone, copy, index); and "
        "the share of the operation's time that the line takes. One traced run.",
        draw_copies,
    ),
)
