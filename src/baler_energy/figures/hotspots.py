"""Where does it go? The figures of the chapter, each in a module of its own."""

from functools import partial

from baler_energy.figures.base import specs
from baler_energy.figures.calls import draw_calls
from baler_energy.figures.components import draw_components
from baler_energy.figures.gpu import draw_gpu_timeline
from baler_energy.figures.lines import draw_copies, draw_lines
from baler_energy.figures.parallel import draw_parallel
from baler_energy.figures.parts import draw_parts, draw_whole
from baler_energy.figures.roofline import draw_roofline
from baler_energy.figures.shares import draw_hotspots
from baler_energy.figures.style import COLOURS

__all__ = ["FIGURES"]

_FUNCTIONS = {"function": COLOURS[0]}
_ON_GPU = {"kernel": COLOURS[0], "copy": COLOURS[1], "idle": COLOURS[3]}

FIGURES = specs(
    "hotspots",
    {
        "components": draw_components,
        "whole": draw_whole,
        "parts": draw_parts,
        "roofline": draw_roofline,
        "calls": draw_calls,
        "functions": partial(draw_hotspots, "cprofile", _FUNCTIONS, "the time goes: functions (cProfile)"),
        "sampled": partial(draw_hotspots, "pyspy", _FUNCTIONS, "the time goes: functions (py-spy)"),
        "operators": partial(
            draw_hotspots, "torch", {"operator": COLOURS[0]}, "the time goes: operators (torch.profiler)"
        ),
        "lines": draw_lines,
        "copies": draw_copies,
        "gpu": partial(
            draw_hotspots, "torch", _ON_GPU, "the GPU's time goes: kernels, copies, waiting (torch.profiler)"
        ),
        "gpu_timeline": draw_gpu_timeline,
        "parallel": draw_parallel,
    },
)
