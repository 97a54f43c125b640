"""How well single numbers, such as FLOPs or CPU time, predict the cost of a run."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.cost_metrics import METRICS, cost_metrics
from baler_energy.figures.bars import label_edge, name_rows
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import COST_METRICS_TITLE, TYPICAL_TIMES
from baler_energy.figures.selection import OPERATIONS, device_name, excluded_text
from baler_energy.figures.style import COLOURS, grid, legend_of_panels, log_ticks, note_empty, subtitle

__all__ = ["FIGURES", "draw_cost_metrics"]

_LAWS: dict[str, dict[str, Any]] = {
    "proportional": {"color": COLOURS[0], "marker": "o", "label": "proportional law"},
    "power": {"color": COLOURS[1], "marker": "D", "label": "power law"},
}
#: Share of a panel's width for the marks; the rank correlations are in the rest.
_MARKED = 0.78
#: A smaller deviation (%) is drawn here.
_SMALLEST = 0.1


def draw_cost_metrics(tables: Tables) -> Figure:
    """Draw how far runs deviate from what each metric predicts, a panel per operation.

    Raises
    ------
    NoData
        No metric could be scored.
    """
    scores = cost_metrics(tables)
    scores = scores[scores[list(_LAWS)].notna().any(axis=1)]
    require_rows("no metric has three or more values, so none can be scored", scores)
    # One machine and device, and one kind of energy: those with the most runs.
    keys = ["machine", "device", "quantity", "energy_evidence", "energy_scope"]
    counts = scores.groupby(keys, observed=True, dropna=False)["n"].sum()
    most: Any = counts.idxmax()
    chosen = dict(zip(keys, most, strict=True))
    same = pd.Series(True, index=scores.index)
    for name, value in chosen.items():
        same &= scores[name].isna() if pd.isna(value) else scores[name].eq(value)
    scores = scores[same]
    labels = [one.label for name, one in METRICS.items() if (scores["metric"] == name).any()]
    operations = [one.value for one in OPERATIONS if (scores["operation"] == one).any()]
    figure, (panels,) = grid(1, len(operations), 1.9 + 0.3 * len(labels), sharey=True)
    for panel, operation in zip(panels, operations, strict=True):
        _panel(panel, scores[scores["operation"] == operation], labels)
        panel.set_title(operation)
    legend_of_panels(figure, panels)
    evidence = f"{chosen['energy_evidence']} energy" if chosen["quantity"] == "energy" else "time"
    reason = [] if chosen["quantity"] == "energy" else ["Energy is modelled, so the time is predicted."]
    n = f"n = {int(scores['n'].max())} runs"
    subtitle(
        figure,
        f"Predicted: {evidence}, {device_name(str(chosen['device']))} runs on {chosen['machine']}; at most {n}.",
        *reason,
        "At the right: Spearman's rank correlation over all runs.",
        *excluded_text(tables["runs"][tables["runs"]["operation"].isin(operations)], drawn=False),
    )
    return figure


def _panel(panel: Axes, scores: pd.DataFrame, labels: Sequence[str]) -> None:
    values = 100 * scores[list(_LAWS)].astype(float).clip(lower=_SMALLEST / 100)
    places = scores["label"].map(labels.index)
    for law, look in _LAWS.items():
        panel.plot(values[law], places + (0.15 if law == "power" else -0.15), linestyle="none", **look)
    for place, correlation in zip(places, scores["rank_correlation"], strict=True):
        if pd.notna(correlation):
            label_edge(panel, f"{correlation:.2f}", int(place))
    name_rows(panel, labels, margin=0.6)
    known = values.stack().dropna()
    if known.empty:
        note_empty(panel)
        return
    low, high = known.min() / 1.5, known.max() * 1.5
    panel.set(xscale="log", xlim=(low, low * (high / low) ** (1 / _MARKED)))
    log_ticks(panel.xaxis, *panel.get_xlim(), narrow=True)
    panel.set_xlabel("Median deviation (%)")


FIGURES = (
    FigureSpec(
        "cost_metrics",
        COST_METRICS_TITLE,
        "Median relative deviation of runs from what a single number predicts for them: by a law that is proportional "
        "to it, and by a power of it, both fitted without the point of the run (ten-fold cross-validation over the "
        "points of an operation). The runs differ in all that the study varies, such as engine, precision, "
        "threads, batch size and model. Predicted is the measured energy or, where energy is modelled, the time; then "
        "metrics that contain the measured time are left out. CPU hours are CPU time in another unit, and FLOPs are "
        "twice the MACs, so they predict the same. Formulas of the literature are computed for trainings. The "
        f"table of the same name gives the reasons for missing metrics, and advice. {TYPICAL_TIMES}",
        draw_cost_metrics,
    ),
)
