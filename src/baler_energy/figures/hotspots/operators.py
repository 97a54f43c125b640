"""Shares of time by operator and by GPU activity."""

from functools import partial

from baler_energy.figures.base import FigureSpec
from baler_energy.figures.captions import SHARES
from baler_energy.figures.hotspots.shares import draw_shares
from baler_energy.figures.profiled import profiler_of, tool_of
from baler_energy.figures.style import COLOURS

__all__ = ["FIGURES"]

_ON_GPU = {"kernel": COLOURS[0], "copy": COLOURS[1], "idle": COLOURS[3]}


FIGURES = (
    FigureSpec(
        "operators",
        f"Where the time goes: operators ({tool_of('operators')})",
        "Share of self time by operator. " + SHARES,
        partial(draw_shares, profiler_of("operators"), {"operator": COLOURS[0]}),
    ),
    FigureSpec(
        "gpu",
        f"Where the GPU's time goes: kernels, copies, waiting ({tool_of('gpu')})",
        "Share of the time between the GPU's first and last event: kernels, copies (between host and device, or within "
        "the device) and waiting for the next event. Where streams overlap, shares are of the sum. " + SHARES,
        partial(draw_shares, profiler_of("gpu"), _ON_GPU),
    ),
)
