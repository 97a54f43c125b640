"""CPU time that other processes used during each window."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.statistics import clean, flagged
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.selection import OPERATIONS
from baler_energy.figures.style import COLOURS, MARKERS, count_text, grid, legend_below, open_mark, subtitle

__all__ = ["FIGURES"]


def draw_contamination(tables: Tables) -> Figure:
    """Draw the CPU share of other processes during each window, in the order of the runs.

    Raises
    ------
    NoData
        No record has this share.
    """
    runs = tables["runs"].dropna(subset=["contamination"]).sort_values("window_start")
    require_rows("no record has the CPU time of other processes", runs)
    limit_percent = 100 * runs["contamination_limit"].iloc[0]  # one for the whole study
    minutes = (runs["window_start"] - runs["window_start"].min()).dt.total_seconds() / 60
    figure, ((panel,),) = grid(1, 1, 4.4)
    for number, operation in enumerate(OPERATIONS):
        mine = (runs["operation"] == operation).to_numpy()
        _contamination_marks(panel, minutes, runs[mine], number, operation.value)
    if len(flagged(runs)):
        panel.plot([], [], label="open: flagged", **open_mark("black"))
    panel.axhline(limit_percent, color="0.4", linestyle="--", linewidth=1)
    top = max(1.3 * limit_percent, 115 * runs["contamination"].max())
    panel.set_ylim(-0.03 * top, top)
    panel.set_xlabel("Start of the window (min since the first)")
    panel.set_ylabel("CPU time of other processes (% of the machine)")
    legend_below(figure, panel.get_legend_handles_labels()[0], columns=4)
    over = int((100 * runs["contamination"] > limit_percent).sum())
    dashed = f"{over} above {limit_percent:g} % (dashed)"
    subtitle(figure, f"Each mark is one run and operation, {count_text([len(runs)])}; {dashed}.")
    return figure


def _contamination_marks(panel: Axes, minutes: "pd.Series[float]", runs: pd.DataFrame, number: int, label: str) -> None:
    colour, marker = COLOURS[number], MARKERS[number]
    filled: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "label": label}
    for part, look in ((clean(runs), filled), (flagged(runs), open_mark(colour, marker))):
        panel.plot(minutes.loc[part.index], 100 * part["contamination"], **look)


FIGURES = (
    FigureSpec(
        "contamination",
        "CPU time of other processes",
        "CPU time used by other processes during each window, as a share of the machine's, in the order of the runs; "
        "each mark is one run. Runs above the dashed line (the study's measurement.contamination_limit) are flagged "
        "as contaminated. Open marks are runs with any flag.",
        draw_contamination,
        by_dataset=False,
    ),
)
