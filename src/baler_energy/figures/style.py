"""One style for all figures, readable for colour-blind readers and in greyscale; ticks and units; writing files."""

import io
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from baler_energy.files import atomic_path
from baler_energy.vocabulary import Evidence

__all__ = [
    "CO2E",
    "COLOURS",
    "HATCHES",
    "LINES",
    "MARKERS",
    "ORDERED_MARKS",
    "WIDTH_IN",
    "count_text",
    "few_ticks",
    "grid",
    "legend_below",
    "legend_of_panels",
    "log_ticks",
    "mean_text",
    "note_empty",
    "numbered_look",
    "open_mark",
    "plain",
    "save",
    "styled",
    "subtitle",
    "svg",
    "title",
    "value_ticks",
]

#: Width of a figure in the report (inches).
WIDTH_IN = 9.0

#: From dark to light in steps that are distinct in greyscale; the hues are distinct with the common colour-blindnesses.
COLOURS = ("#14213d", "#b8400e", "#3d9bd9", "#f0c808")
MARKERS = ("o", "s", "^", "D", "v", "P")
#: Marks of up to four series with an order, such as by epochs: distinct in shape and in lightness.
ORDERED_MARKS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": COLOURS[2]},
    {"marker": "s", "color": COLOURS[1]},
    {"marker": "^", "color": COLOURS[0]},
    {"marker": "D", "color": "0.5"},
)
#: Line style by evidence.
LINES: dict[str, str] = {Evidence.MEASURED: "-", Evidence.MODELLED: "--", Evidence.UNKNOWN: ":"}
#: Hatch of bars by evidence.
HATCHES: dict[str, str] = {Evidence.MEASURED: "", Evidence.MODELLED: "////", Evidence.UNKNOWN: "...."}

CO2E = "CO$_2$e"

#: Characters that XML, and so SVG, does not allow; a name of a column can have them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

#: Ticks within a decade without a gap of more than 0.31 decades.
_EVEN = (1.0, 2.0, 4.0, 6.0, 8.0)
#: Two or three ticks in a little more than a decade.
_THREES = (1.0, 3.0)
_RC: dict[str, Any] = {
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10,
    "axes.linewidth": 0.9,
    "axes.titlelocation": "left",
    "xaxis.labellocation": "center",
    "yaxis.labellocation": "center",
    "figure.titlesize": 10.5,
    "figure.dpi": 100,
    "legend.fontsize": 9,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 5,
    "xtick.minor.size": 2.5,
    "ytick.major.size": 5,
    "ytick.minor.size": 2.5,
    "xtick.major.pad": 4,
    "ytick.major.pad": 4,
    "savefig.dpi": 150,
    "svg.hashsalt": "baler-energy",
    "svg.fonttype": "path",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw or save within the project's style."""
    with mpl.rc_context(mplhep.style.ROOT | _RC):
        yield


def grid(
    rows: int, columns: int, height_in: float, *, width_in: float = WIDTH_IN, **options: Any
) -> tuple[Figure, Any]:
    """Make a figure with ``rows x columns`` panels.

    Returns
    -------
    tuple
        The figure and its axes, an object array of shape (rows, columns).
    """
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def subtitle(figure: Figure, *lines: str) -> None:
    """Write a description above the panels; long lines are wrapped."""
    _suptitle(figure, [part for line in lines for part in _wrapped(figure, line)])


def title(figure: Figure, text: str) -> None:
    """Put a title above the subtitle; a long one is wrapped, which the subtitle is already."""
    _suptitle(figure, [*_wrapped(figure, text), *filter(None, [figure.get_suptitle()])])


def _wrapped(figure: Figure, line: str) -> list[str]:
    return textwrap.wrap(line, int(figure.get_figwidth() * 13))


def _suptitle(figure: Figure, lines: Sequence[str]) -> None:
    figure.suptitle("\n".join(lines), x=0.01, horizontalalignment="left", parse_math=False)


def numbered_look(number: int) -> dict[str, Any]:
    """Colour and marker of the series with a number, from 0; twelve series look different."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def open_mark(colour: str, marker: str = "o") -> dict[str, Any]:
    """Style of a flagged run, which is in no mean."""
    look = {"color": colour, "marker": marker, "markerfacecolor": "white", "markersize": 4.5}
    return look | {"linestyle": "none", "zorder": 3}


def plain(text: str) -> str:
    """Text that matplotlib shows unchanged, dollar signs included, without what no SVG can have."""
    return _UNFIT.sub("?", text).replace("$", r"\$")


def count_text(counts: Iterable[int]) -> str:
    """``n = 3``, or ``n = 1 to 3`` if the numbers differ; ``n = 0`` if there are none."""
    values = sorted({int(count) for count in counts}) or [0]
    return f"n = {values[0]}" if len(values) == 1 else f"n = {values[0]} to {values[-1]}"


def mean_text(counts: Iterable[int]) -> list[str]:
    """Say that marks are means over so many runs, with their intervals; empty if there are no means."""
    known = list(counts)
    return [f"Mean and 95 % t interval, {count_text(known)}."] if known else []


def log_ticks(axis: Axis, low: float, high: float, *, narrow: bool = False) -> None:
    """Put plain numbers on a logarithmic axis from `low` to `high`, fewer of them on a `narrow` panel."""
    decades = math.log10(high / low)
    if narrow and decades < 0.3:
        # Below a factor of two, ticks can be at round numbers as on a linear axis.
        few_ticks(axis, 3)
    else:
        subs = _subs(decades, narrow=narrow)
        if narrow and _count_ticks(subs, low, high) < 2:
            # A single tick does not show the scale. Matplotlib would replace one that is no power of ten by those of a
            # linear axis, whose labels touch on a narrow panel.
            subs = _EVEN if len(subs) > 1 else _THREES
        axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=9))
    axis.set_major_formatter(FuncFormatter(_number))
    axis.set_minor_formatter(NullFormatter())


def _subs(decades: float, *, narrow: bool) -> tuple[float, ...]:
    """Choose the ticks within a decade for an axis of `decades`."""
    if decades < (0.45 if narrow else 0.7):
        return (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    if decades < 0.7:
        return (1.0, 1.5, 2.0, 3.0, 5.0)
    return (1.0, 2.0, 5.0) if decades < (1.2 if narrow else 2.5) else (1.0,)


def _count_ticks(subs: Sequence[float], low: float, high: float) -> int:
    """Count the ticks ``sub 10^n`` from `low` to `high`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return sum(low <= sub * 10.0**decade <= high for decade in decades for sub in subs)


def _number(value: float, _position: int | None = None) -> str:
    if value >= 1e6 or 0 < value < 1e-4:
        exponent = math.floor(math.log10(value) + 1e-9)
        mantissa = value / 10.0**exponent
        return f"$10^{{{exponent}}}$" if math.isclose(mantissa, 1) else f"${mantissa:g}\\times10^{{{exponent}}}$"
    return f"{value:,.10g}"


def few_ticks(axis: Axis, most: int) -> None:
    """Put ticks at round numbers on a linear axis, with at most `most` intervals."""
    axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]))


def value_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Put the ticks of the x axis at the values of the grid, without those whose labels would touch.

    The axis is logarithmic if the values are positive and span more than a factor of four.
    """
    ordered = sorted(set(map(float, values)))
    logarithmic = ordered[0] > 0 and ordered[-1] > 4 * ordered[0]
    axes.set_xscale("log" if logarithmic else "linear")
    place = np.log10(ordered) if logarithmic else np.array(ordered)
    width = place[-1] - place[0]
    margin = 0.12 * width if width else (0.3 if logarithmic else max(1.0, 0.3 * abs(place[0])))
    limits = np.array([place[0] - margin, place[-1] + margin])
    axes.set_xlim(*(10.0**limits if logarithmic else limits))
    kept = [0]
    for index in range(1, len(ordered)):
        if place[index] - place[kept[-1]] >= 0.17 * width:
            kept.append(index)
    axes.xaxis.set_major_locator(FixedLocator([ordered[index] for index in kept]))
    axes.xaxis.set_major_formatter(FuncFormatter(_number))
    axes.xaxis.set_minor_locator(NullLocator())


def legend_below(figure: Figure, handles: Sequence[Any], columns: int = 2) -> None:
    """Put one legend below all panels, if it has entries."""
    if handles:
        figure.legend(handles=list(handles), loc="outside lower center", ncols=max(1, min(columns, len(handles))))


def legend_of_panels(figure: Figure, panels: Iterable[Axes]) -> None:
    """Put one legend below all panels, with each of their labels once."""
    found = {text: h for panel in panels for h, text in zip(*panel.get_legend_handles_labels(), strict=True)}
    legend_below(figure, list(found.values()))


def note_empty(panel: Axes, words: str = "no data") -> None:
    """Write in the middle of an empty panel why it is empty."""
    panel.text(0.5, 0.5, words, transform=panel.transAxes, horizontalalignment="center")


def svg(figure: Figure) -> str:
    """Give the figure as an SVG element; the same figure always gives the same text."""
    written = io.StringIO()
    with styled():
        figure.savefig(written, format="svg", metadata={"Date": None})
    text = written.getvalue()
    return text[text.index("<svg") :]


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write ``name.svg`` and ``name.png`` atomically; the same figure always has the same bytes."""
    with styled():
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            with atomic_path(folder / f"{name}{suffix}") as temporary:
                figure.savefig(temporary, metadata=metadata)
            # The second file reuses the layout of the first.
            figure.set_layout_engine("none")
