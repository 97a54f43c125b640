"""How does it get cheaper? The figures of the chapter, each in a module of its own."""

from baler_energy.figures.base import specs
from baler_energy.figures.difference import draw_difference
from baler_energy.figures.engines import draw_engines
from baler_energy.figures.models import draw_error_flops, draw_forward
from baler_energy.figures.packing import draw_packing

__all__ = ["FIGURES"]

FIGURES = specs(
    "savings",
    {
        "engines": draw_engines,
        "difference": draw_difference,
        "packing": draw_packing,
        "forward": draw_forward,
        "error_flops": draw_error_flops,
    },
)
