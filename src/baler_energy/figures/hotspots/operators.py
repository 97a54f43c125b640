"""Shares of time by operator and by GPU activity, from torch.profiler."""

from functools import partial

from baler_energy.figures.base import FigureSpec
from baler_energy.figures.captions import SHARES
from baler_energy.figures.hotspots.shares import draw_shares
from baler_energy.figures.style import COLOURS

__all__ = ["FIGURES"]

_ON_GPU = {"kernel": COLOURS[0], "copy": COLOURS[1], "idle": COLOURS[3]}


FIGURES = (
    FigureSpec(
        "operators",
        "Where the time goes: operators (torch.profiler)",
        "Share of self time by operator. " + SHARES,
        partial(draw_shares, "torch", {"operator": COLOURS[0]}),
    ),
    FigureSpec(
        "gpu",
        "Where the GPU's time goes: kernels, copies, waiting (torch.profiler)",
        "Share of the time between the GPU's first and last event: kernels, copies (between host and device, or within "
        "the device) and waiting for the next event. Where streams overlap, shares are of the sum. " + SHARES,
        partial(draw_shares, "torch", _ON_GPU),
    ),
)
