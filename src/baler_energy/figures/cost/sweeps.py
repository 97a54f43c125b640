"""Energy, CO2e, cost of electricity and duration of an operation against an axis of the grid."""

from functools import partial

from matplotlib.figure import Figure

from baler_energy.figures.base import FigureSpec, NoData, Tables, runs_and_centre
from baler_energy.figures.captions import EVIDENCE, SPREAD
from baler_energy.figures.selection import OPERATIONS, axis_label, describe, excluded_text, sweep
from baler_energy.figures.series import Row, draw_row, handles
from baler_energy.figures.style import CO2E, grid, legend_below, mean_text, subtitle, value_ticks

__all__ = ["FIGURES"]

_ROWS = (
    Row("energy_j", "Energy", "J", 1.0, True),
    Row("co2e_kg", CO2E, "g", 1000.0, True),
    Row("duration_s", "Duration", "s", 1.0, False),
)
_OPTIONAL = ("co2e_kg", "electricity_cost")


def draw_against(axis: str, tables: Tables) -> Figure:
    """Draw energy, CO2e and money (if known) and duration of each operation against `axis`.

    Raises
    ------
    NoData
        There is only one value of the axis.
    """
    runs, centre = runs_and_centre(tables)
    chosen = sweep(runs, axis, centre)
    values = sorted(chosen[axis].unique())
    if len(values) < 2:
        raise NoData(f"only one value of {axis} ({values[0]})")
    # Without a carbon intensity there is no CO2e and no panel for it; the same holds for a price.
    money = Row("electricity_cost", "Electricity", f"{chosen['currency'].iloc[0]}", 1.0, True)
    rows = [*_ROWS[:-1], money, _ROWS[-1]]
    rows = [row for row in rows if row.value not in _OPTIONAL or chosen[row.value].notna().any()]
    figure, panels = grid(len(rows), 3, 1.4 + 2.2 * len(rows), sharex=True, sharey="row")
    counts = set[int]()
    for row, line in zip(rows, panels, strict=True):
        counts |= draw_row(row, line, chosen, axis)
    for panel, operation in zip(panels[0], OPERATIONS, strict=True):
        panel.set_title(operation.value)
    for panel in panels[-1]:
        panel.set_xlabel(axis_label(axis))
        value_ticks(panel, values)
    legend_below(figure, handles(chosen))
    subtitle(
        figure,
        f"Fixed: {describe(centre, without=axis)}.",
        *mean_text(counts),
        *excluded_text(chosen),
    )
    return figure


def _against(axis: str, words: str) -> FigureSpec:
    return FigureSpec(
        f"cost_{axis}",
        f"Cost per operation against {words}",
        f"Energy, CO2e and duration of one train, compress and decompress against {words}; all other axes are fixed at "
        f"the values in the subtitle. {SPREAD} {EVIDENCE} CO2e is the energy times the study's carbon intensity and "
        "PUE, with the same evidence; without an intensity it has no panels. The same holds for the cost of "
        "electricity, with the study's price.",
        partial(draw_against, axis),
    )


FIGURES = (_against("epochs", "epochs"), _against("rows", "rows"), _against("batch_size", "batch size"))
