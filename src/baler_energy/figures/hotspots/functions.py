"""Shares of time by function, from cProfile and py-spy."""

from functools import partial

from baler_energy.figures.base import FigureSpec
from baler_energy.figures.captions import SHARES
from baler_energy.figures.hotspots.shares import draw_shares
from baler_energy.figures.style import COLOURS

__all__ = ["FIGURES"]

_KINDS = {"function": COLOURS[0]}


FIGURES = (
    FigureSpec(
        "functions",
        "Where the time goes: functions (cProfile)",
        "Share of self time by function. " + SHARES,
        partial(draw_shares, "cprofile", _KINDS),
    ),
    FigureSpec(
        "sampled",
        "Where the time goes: functions (py-spy)",
        "Share of the samples in which a function was the innermost one. The flame graph (flamegraph.svg) and the file "
        f"for speedscope.app are in the study's results, under profiles/. {SHARES}",
        partial(draw_shares, "pyspy", _KINDS),
    ),
)
