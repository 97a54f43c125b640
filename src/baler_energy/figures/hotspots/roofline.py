"""Rooflines: how close operations and layers come to the machine's limits, in time and in energy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baler_energy.figures.base import FigureSpec, NoData, Tables
from baler_energy.figures.captions import LOOPS
from baler_energy.figures.hotspots.parts import flag_line, parts_of
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import COLOURS, MARKERS, grid, legend_below, log_ticks, subtitle
from baler_energy.vocabulary import Evidence

__all__ = ["FIGURES", "draw_roofline", "work"]


def work(found: pd.DataFrame) -> pd.DataFrame:
    """Return FLOP/byte, FLOP/s and J/FLOP of each layer's pass and of each operation.

    Parameters
    ----------
    found
        Rows of ``parts``.

    Returns
    -------
    pandas.DataFrame
        ``operation``, ``name``, ``kind`` (forward, backward or whole), ``flop_per_byte``, ``flop_per_s`` and
        ``j_per_flop`` (null where energy is not measured). Bytes are the minimum traffic, with each value moved once;
        those of a whole are the sum over its layers.
    """
    layers = found[(found["kind"] == "layer") & found["flops"].notna() & found["bytes"].notna()]
    wholes = found[(found["kind"] == "whole") & (found["flops"] > 0)].drop(columns="bytes")
    wholes = wholes.merge(layers.groupby("operation", as_index=False)["bytes"].sum(), on="operation")
    rows = pd.concat([layers, wholes])
    measured = rows["energy_evidence"].eq(Evidence.MEASURED)
    pass_ = rows["name"].str.rpartition(" ")[2].where(rows["kind"] == "layer", "whole")
    return pd.DataFrame(
        {
            "operation": rows["operation"],
            "name": rows["name"],
            "kind": pass_,
            "flop_per_byte": (rows["flops"] / rows["bytes"]).astype(float),
            "flop_per_s": (rows["flops"] / rows["self_time_s"]).astype(float),
            "j_per_flop": (rows["energy_j"] / rows["flops"]).where(measured).astype(float),
        }
    )


@dataclass(frozen=True)
class _Peaks:
    """What the machine reaches: FLOP/s and byte/s and, if measured, J per FLOP and byte above idle power (W)."""

    flop_per_s: float
    byte_per_s: float
    j_per_flop: float | None
    j_per_byte: float | None
    idle_power_w: float | None

    @classmethod
    def of(cls, found: pd.DataFrame) -> "_Peaks | None":
        peaks: Any = found[found["kind"] == "peak"].set_index("name")
        if not {"matrix product", "memory copy"} <= set(peaks.index):
            return None
        product, copy = peaks.loc["matrix product"], peaks.loc["memory copy"]
        rates = (product["flops"] / product["self_time_s"], copy["bytes"] / copy["self_time_s"])
        whole, static = (found[found["kind"] == kind].dropna(subset=["energy_j"]) for kind in ("whole", "static"))
        measured = peaks["energy_evidence"].eq(Evidence.MEASURED).all()
        if static.empty or whole.empty or not measured or pd.concat([peaks, whole])["energy_scope"].nunique() != 1:
            return cls(*rates, None, None, None)
        same = whole[whole["operation"] == static["operation"].iloc[0]]
        idle_w = float(static["energy_j"].iloc[0] / same["self_time_s"].iloc[0])
        return cls(
            *rates,
            float((product["energy_j"] - idle_w * product["self_time_s"]) / product["flops"]),
            float((copy["energy_j"] - idle_w * copy["self_time_s"]) / copy["bytes"]),
            idle_w,
        )

    def floor_j_per_flop(self, intensity: Any) -> Any:
        """Return the minimum energy per FLOP at some FLOP/byte; None if it was not measured.

        After Choi et al. 2013: energy of FLOPs and of bytes, plus idle power times the shortest time under the roof.
        """
        if self.j_per_flop is None or self.j_per_byte is None or self.idle_power_w is None:
            return None
        seconds = np.maximum(1 / self.flop_per_s, 1 / (self.byte_per_s * intensity))
        return self.j_per_flop + self.j_per_byte / intensity + self.idle_power_w * seconds


def draw_roofline(tables: Tables) -> Figure:
    """Draw the roofline (Williams, Waterman, Patterson 2009), and that of energy (Choi 2013) if it is measured.

    Raises
    ------
    NoData
        The study measured no parts or no peaks.
    """
    found, where = parts_of(tables)
    points, peaks = work(found), _Peaks.of(found)
    if points.empty or peaks is None:
        raise NoData("the study measured no layers or no peaks of the machine")
    energetic = bool(points["j_per_flop"].notna().any())
    figure, panels = grid(1, 2 if energetic else 1, 5.2)
    intensity, ridge = points["flop_per_byte"], peaks.flop_per_s / peaks.byte_per_s
    span = np.geomspace(min(intensity.min(), ridge) / 3, max(intensity.max(), ridge) * 3, 200)
    _scatter(panels[0, 0], points, "flop_per_s", 1e-9)
    roof = np.minimum(peaks.flop_per_s, peaks.byte_per_s * span) * 1e-9
    panels[0, 0].plot(span, roof, color="black", linewidth=1.2)
    panels[0, 0].set_ylabel("Rate (GFLOP/s)")
    if energetic:
        _scatter(panels[0, 1], points, "j_per_flop", 1e9)
        floor = peaks.floor_j_per_flop(span)
        if floor is not None:
            panels[0, 1].plot(span, floor * 1e9, color="black", linewidth=1.2)
        panels[0, 1].set_ylabel("Energy per FLOP, measured (nJ)")
    for panel in panels[0]:
        _log(panel)
    legend_below(figure, _legend(points), columns=4)
    subtitle(
        figure,
        f"{where}.",
        f"Peaks: matrix product {peaks.flop_per_s / 1e9:,.3g} GFLOP/s, memory copy {peaks.byte_per_s / 1e9:,.3g} GB/s, "
        "one window each (n = 1). Bytes are the minimum traffic: inputs, weights and outputs moved once. Layers whose "
        "data stay in the caches may lie above the slope.",
        *flag_line(found),
    )
    return figure


def _log(panel: Axes) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("Intensity (FLOP/byte)")
    log_ticks(panel.xaxis, *panel.get_xlim())
    log_ticks(panel.yaxis, *panel.get_ylim())


_PASSES = {"forward": MARKERS[0], "backward": MARKERS[2], "whole": MARKERS[3]}


def _scatter(panel: Axes, points: pd.DataFrame, value: str, factor: float) -> None:
    for key, same in points.dropna(subset=[value]).groupby(["operation", "kind"]):
        operation, kind = map(str, key)
        look: dict[str, Any] = {"color": _colour(operation), "marker": _PASSES[kind], "linestyle": "none"}
        look |= {"markersize": 10 if kind == "whole" else 5.5, "zorder": 4 if kind == "whole" else 3}
        panel.plot(same["flop_per_byte"], same[value] * factor, markeredgecolor="black", **look)


def _colour(operation: str) -> str:
    return COLOURS[[*map(str, OPERATIONS)].index(operation)]


def _legend(points: pd.DataFrame) -> list[Line2D]:
    operations = [name.value for name in OPERATIONS if (points["operation"] == name).any()]
    look: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "black"}
    colours = [Line2D([], [], color=_colour(name), marker="s", label=name, **look) for name in operations]
    shapes = [
        Line2D([], [], color="0.8", marker=mark, label={"whole": "whole operation"}.get(kind, f"layer, {kind}"), **look)
        for kind, mark in _PASSES.items()
        if (points["kind"] == kind).any()
    ]
    return [*colours, *shapes, Line2D([], [], color="black", label="roof (rate), floor (energy)")]


FIGURES = (
    FigureSpec(
        "roofline",
        "Rooflines: operations and layers against the machine's measured peaks",
        "FLOP/s of layers and operations against their FLOP per byte; the roof is what the machine reached in a long "
        "matrix product and a long memory copy (copied bytes count twice: read and written). If energy is measured, "
        "energy per FLOP is shown as well, with a floor after Choi et al. 2013: energy of FLOPs and bytes above idle "
        "power, from the same two loops, plus idle power times the shortest time under the roof. A multiply-accumulate "
        f"of the matrix products counts as two FLOPs. {LOOPS}",
        draw_roofline,
    ),
)
