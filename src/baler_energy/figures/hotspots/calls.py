"""The call tree of training, and the one of the 2023 study."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.figures.base import FigureSpec, Tables
from baler_energy.figures.captions import SHARES
from baler_energy.figures.hotspots.icicle import Tile, draw_icicle, nested
from baler_energy.figures.profiled import one_profile, profiler_of, tool_of
from baler_energy.figures.style import COLOURS, grid, subtitle
from baler_energy.vocabulary import Operation

__all__ = ["FIGURES", "draw_calls"]

#: From the slides of the 2023 study: training with Baler took 76 s under cProfile, with 48 % in backward and 26 % in
#: forward; main calls training, and training calls fit. The other shares are unknown.
_ORIGINAL_S = 76.0
_ORIGINAL = {"backward": 48.0, "forward": 26.0}
_SMALLEST = 0.01
_PROFILER, _TOOL = profiler_of("calls"), tool_of("calls")


def draw_calls(tables: Tables) -> Figure:
    """Draw the call tree of training, ours above that of the 2023 study.

    Raises
    ------
    NoData
        No training was profiled by call.
    """
    otherwise = f"no training was profiled with {_PROFILER}"
    found, where = one_profile(tables, _PROFILER, ["call"], otherwise, Operation.TRAIN)
    shown = found[found["total_share"] >= _SMALLEST].assign(width=100 * found["total_share"])
    (root,) = nested(shown.to_dict("records"), COLOURS[2])[:1]  # type: ignore[arg-type]
    _coloured(root)
    figure, panels = grid(2, 1, 6.6, height_ratios=[9, 4])
    draw_icicle(panels[0, 0], root, deepest=9)
    panels[0, 0].set_title(f"Ours ({_seconds(found)} s under {_TOOL})")
    draw_icicle(panels[1, 0], _original())
    panels[1, 0].set_title(f"The 2023 study ({_ORIGINAL_S:.0f} s; dashed: share unknown)")
    for panel in panels[:, 0]:
        panel.set_xlabel("Share of time, callees included (%)")
    subtitle(figure, f"{where}.", "One profiled run, n = 1; shares only.")
    return figure


def _seconds(found: pd.DataFrame) -> str:
    return f"{float(found['total_time_s'].max()):.2g}"


def _coloured(root: Tile) -> None:
    """Colour the two passes that both trees have, including their callees."""

    def paint(tile: Tile, colour: str | None) -> None:
        own = {"backward": COLOURS[1], "forward": COLOURS[0]}.get(tile.label)
        tile.colour = colour or own or tile.colour
        for part in tile.parts:
            paint(part, colour or own)

    paint(root, None)


def _original() -> Tile:
    passes = [
        Tile("backward", _ORIGINAL["backward"], COLOURS[1]),
        Tile("forward", _ORIGINAL["forward"], COLOURS[0]),
    ]
    unknown: Any = {"colour": COLOURS[2], "known": False}
    rest = Tile("unknown", 100 - sum(_ORIGINAL.values()), "0.85", known=False)
    fit = Tile("fit", 100, parts=[*passes, rest], **unknown)
    return Tile("main", 100, COLOURS[2], parts=[Tile("training", 100, parts=[fit], **unknown)])


FIGURES = (
    FigureSpec(
        "calls",
        f"Call tree of training ({_TOOL})",
        "Top: time that one profiled epoch spends in each function, callers above callees; functions that call one "
        "another are one block. Bottom: the call tree of the 2023 study, with the shares from its slides. "
        f"{SHARES}",
        draw_calls,
    ),
)
