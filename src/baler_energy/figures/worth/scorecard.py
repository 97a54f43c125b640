"""Codecs at the same error, compared with a trained one by factors."""

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.analysis.matched_error import MEASURES, scorecard
from baler_energy.analysis.rate_distortion import COSTS, MEMORY, family
from baler_energy.figures.bars import name_rows
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.selection import centre_of
from baler_energy.figures.style import (
    ORDERED_MARKS,
    count_text,
    grid,
    legend_below,
    log_ticks,
    note_empty,
    plain,
    subtitle,
)
from baler_energy.vocabulary import Evidence, Operation

__all__ = ["FIGURES"]

#: Longest line of a panel's label: a panel may have room for one family of codecs only.
_LABEL_LETTERS = 18


def draw_scorecard(tables: Tables) -> Figure:
    """Draw the factor by which each family of codecs is better than a trained one at the same error.

    The trained codecs are those of `_chosen`.

    Raises
    ------
    NoData
        The study compares no codecs, or no other codec reaches the error of a trained one.
    """
    _, runs, device = codecs_at_centre(tables)
    card = scorecard(runs)
    require_rows("no codec trains in epochs, so there is no error to compare others at", card)
    chosen = _chosen(card, family(centre_of(tables["runs"])))
    card = card[card["at_codec"].isin(chosen)]
    others = card[~card["measured"]]
    require_rows(f"no other codec reaches the error of {' or '.join(chosen)}", others)
    measured = bool(card["evidence"].eq(Evidence.MEASURED).all())
    order = list(others.groupby("family", sort=False)["ratio_factor"].max().sort_values(ascending=False).index)
    measures = [measure for measure in MEASURES if (others["measure"] == measure).any()]
    gains = _gains(measured)
    height_in = 2.2 + len(measures) * (0.7 + 0.27 * len(order))
    figure, panels = grid(len(measures), len(gains), height_in, width_in=11.5, sharey=True, sharex="col")
    for line, measure in zip(panels, measures, strict=True):
        part = others[others["measure"] == measure]
        for panel, (words, column, inverse) in zip(line, gains, strict=True):
            _panel(panel, part, column, inverse, chosen, order)
            panel.set_title(words, fontsize=9)
        line[0].set_ylabel(textwrap.fill(f"Same {MEASURES[measure]}", _LABEL_LETTERS), fontsize=9)
    for number, (_, name, _) in enumerate(gains):
        _limits(panels[:, number], others[f"{name}_factor"])
        panels[-1, number].set_xlabel("Times better (1: equal)", fontsize=9)
    legend_below(figure, _legend(card, chosen))
    subtitle(
        figure,
        f"At {where(tables['runs'])}, {device}. Right of the line: better than the trained codec.",
        f"Bars are 95 % intervals over repeats and interpolation, {count_text(card['n'])}.",
    )
    return figure


def _chosen(card: pd.DataFrame, central: str) -> list[str]:
    """Choose the trained codecs to compare with: those of one family, and the one that does best against the others.

    The family is that of the study's centre (`central`) or, if the centre does not train in epochs, the first one. The
    other codec is the one whose best rival stores least more; rivals do not train in epochs.
    """
    families = list(card["at_family"])
    own = card[card["at_family"] == (central if central in families else families[0])]
    chosen = list(own.sort_values("at_epochs", kind="stable")["at_codec"].unique())
    rivals = card[~card["in_epochs"].astype(bool) & (card["measure"] == next(iter(MEASURES)))]
    best = [] if rivals.empty else [rivals.groupby("at_codec")["ratio_factor"].max().idxmin()]
    kept = chosen[-(len(ORDERED_MARKS) - len(set(best) - set(chosen))) :]
    return list(dict.fromkeys([*kept, *best]))


def _gains(measured: bool) -> list[tuple[str, str, bool]]:
    """Return title, column and whether smaller values are better."""
    kind, unit = (0, "energy") if measured else (1, "time")
    compress, decompress = Operation.COMPRESS, Operation.DECOMPRESS
    return [
        ("Stored bytes", "ratio", False),
        (f"Compressing: {unit}", COSTS[compress][kind], True),
        (f"Decompressing: {unit}", COSTS[decompress][kind], True),
        ("Compressing: memory", MEMORY[compress], True),
    ]


def _panel(panel: Axes, part: pd.DataFrame, column: str, inverse: bool, chosen: list[str], order: list[str]) -> None:
    """Draw one quantity: rows are families, marks are trained codecs."""
    name = f"{column}_factor"
    panel.set_xscale("log")
    for number, (value, look) in enumerate(zip(chosen, ORDERED_MARKS, strict=False)):
        mine = part[part["at_codec"] == value].dropna(subset=[name])
        for row in mine.to_dict("records"):
            middle, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
            if inverse:
                middle, low, high = 1 / middle, 1 / high, 1 / low
            place = order.index(row["family"]) + 0.2 * (number - (len(chosen) - 1) / 2)
            bar = None if pd.isna(low) else [[middle - low], [high - middle]]
            panel.errorbar([middle], [place], xerr=bar, ms=5, elinewidth=0.9, linestyle="none", **look)
    panel.axvline(1, color="0.3", linewidth=0.9, linestyle="--", zorder=0)
    for place in range(1, len(order), 2):
        panel.axhspan(place - 0.5, place + 0.5, color="0.95", zorder=-1)
    name_rows(panel, order, margin=0.6, size=8)
    if part[name].isna().all():
        note_empty(panel, "unknown")
        return
    for place, other in enumerate(order):
        if part.loc[part["family"] == other, name].isna().all():
            panel.text(1, place, " unknown at these errors", fontsize=7, color="0.4", va="center")


def _limits(panels: Any, factors: "pd.Series[float]") -> None:
    """Set the same limits, with 1 in the centre, for a column of panels; bars may extend beyond them."""
    known = factors.dropna()
    # Symmetric about 1, so that better and worse can be compared at a glance.
    limit = 1.4 * max([2.0, *known, *(1 / known)])
    for panel in panels:
        panel.set_xlim(1 / limit, limit)
        log_ticks(panel.xaxis, 1 / limit, limit)


def _legend(card: pd.DataFrame, chosen: list[str]) -> list[Any]:
    errors = card[card["measure"] == next(iter(MEASURES))].groupby("at_codec")["at_error"].first()
    return [
        Line2D(
            *([], []),
            label=plain(f"at the error of {name}" + (f" ({100 * errors[name]:.2g} %)" if name in errors else "")),
            linestyle="none",
            **look,
        )
        for name, look in zip(chosen, ORDERED_MARKS, strict=False)
    ]


FIGURES = (
    FigureSpec(
        "scorecard",
        "Should I use Baler? Other codecs at the same error",
        "Factor by which each family of codecs is better than a trained codec at its error: fewer stored bytes, less "
        "energy (time if energy is not measured) to compress and to decompress, less memory. Marks to the right of the "
        "dashed line are better than the trained codec, marks to the left are worse; the energy of its training is not "
        "included. The trained codecs are those of the centre's family (or else the first one), and the one that does "
        "best against the codecs that are not trained in epochs. Upper row: codecs with the same RMS residual over the "
        "range; lower row: codecs with the same median relative error. Values are interpolated between the two members "
        "of a family next to that error; a family without errors on both sides has no mark. Bars are 95 % t intervals "
        "of the logarithm over repeats, with the factor computed separately in each repeat, and include what is "
        "unknown between the two members. The table of codecs has the numbers. "
        f"{ERROR_ROWS}",
        draw_scorecard,
    ),
)
