"""Shares of time by function, from a profiler that sees every call and one that samples."""

from functools import partial

from baler_energy.figures.base import FigureSpec
from baler_energy.figures.captions import SHARES
from baler_energy.figures.hotspots.shares import draw_shares
from baler_energy.figures.profiled import profiler_of, tool_of
from baler_energy.figures.style import COLOURS

__all__ = ["FIGURES"]

_KINDS = {"function": COLOURS[0]}


FIGURES = (
    FigureSpec(
        "functions",
        f"Where the time goes: functions ({tool_of('functions')})",
        "Share of self time by function. " + SHARES,
        partial(draw_shares, profiler_of("functions"), _KINDS),
    ),
    FigureSpec(
        "sampled",
        f"Where the time goes: functions ({tool_of('samples')})",
        "Share of the samples in which a function was the innermost one. The flame graph (flamegraph.svg) and the file "
        f"for speedscope.app are in the study's results, under profiles/. {SHARES}",
        partial(draw_shares, profiler_of("samples"), _KINDS),
    ),
)
