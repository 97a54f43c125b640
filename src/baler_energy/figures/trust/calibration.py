"""What the calibration found out about this machine."""

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.effects import unless_hidden
from baler_energy.figures.bars import name_rows
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.style import grid, legend_below, numbered_look, subtitle
from baler_energy.meters.calibration import thread_sentence
from baler_energy.vocabulary import Evidence

__all__ = ["FIGURES", "draw_calibration"]

_OTHERS = {"tick": "tick", "shortest_window": "shortest window for 1 %"}


def draw_calibration(tables: Tables) -> Figure:
    """Draw idle power with its standard deviation by channel; list ticks, windows and overhead in the subtitle.

    Raises
    ------
    NoData
        The machine was not calibrated, or has no idle power.
    """
    table = tables["calibration"]
    idle = table[(table["quantity"] == "idle_power") & table["value"].notna()].reset_index(drop=True)
    require_rows("no calibration has an idle power", idle)
    figure, ((panel,),) = grid(1, 1, 2.4 + 0.32 * len(idle))
    for number, (evidence, part) in enumerate(idle.groupby("evidence", observed=True)):
        look = numbered_look(number)
        panel.errorbar(
            part["value"],
            part.index,
            xerr=part["spread"],
            linestyle="none",
            **look,
            markerfacecolor=look["color"] if evidence == Evidence.MEASURED else "white",
            capsize=3,
            label=f"{evidence} (mean, standard deviation over n = {int(part['n'].min())} slices)",
        )
    hosts = idle["hostname"].nunique() > 1
    names = [
        f"{r['component']} ({r['meter']}{', ' + str(r['hostname']) if hosts else ''})" for r in idle.to_dict("records")
    ]
    name_rows(panel, names, margin=0.6, upwards=True, ticks=True)
    panel.set_xlim(0, 1.15 * float((idle["value"] + idle["spread"].fillna(0)).max()))
    panel.set_xlabel("Idle power (W)")
    legend_below(figure, panel.get_legend_handles_labels()[0], columns=1)
    subtitle(figure, *_sentences(table))
    return figure


def _sentences(table: pd.DataFrame) -> list[str]:
    """List in words what is not drawn: ticks, shortest windows, overhead."""
    known = table.dropna(subset=["value"])
    said = []
    for quantity, words in _OTHERS.items():
        values = known.loc[known["quantity"] == quantity, "value"]
        if len(values):
            low, high = f"{1000 * values.min():.3g}", f"{1000 * values.max():.3g}"
            said.append(f"{words} {low if low == high else f'{low} to {high}'} ms")
    lines = [f"Counters: {', '.join(said)}." if said else "This machine has no counters."]
    effects = {"overhead_cpu": "its share of one CPU", "overhead_duration": "its effect on the duration"}
    costs = [
        f"{effects[row['quantity']]}: {_effect(row['value'], row['spread'])}"
        for row in known.to_dict("records")
        if row["quantity"] in effects and pd.notna(row["spread"])
    ]
    if costs:
        lines.append(f"Cost of measuring (± standard deviation): {'; '.join(costs)}.")
    for quantity in ("time_per_row", "energy_per_row"):
        rows = known[known["quantity"] == quantity].drop_duplicates("component")
        if sentence := thread_sentence(dict(zip(rows["component"], rows["value"], strict=True)), quantity):
            lines.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return lines


def _effect(value: float, spread: float) -> str:
    """Write an effect of measuring in percent, unless its spread hides it."""
    text = f"{100 * value:.1f} ± {100 * spread:.1f} %"
    return unless_hidden(text, 100 * value, 100 * spread, "%")


FIGURES = (
    FigureSpec(
        "calibration",
        "What this machine can resolve",
        "Idle power of each channel, mean and standard deviation over slices of the calibration's idle time; filled "
        "marks are measured, open marks modelled. The subtitle gives the counters' ticks, the shortest window that "
        "resolves 1 % (the minimum for measured jobs), and the overhead of measuring.",
        draw_calibration,
        by_dataset=False,
    ),
)
