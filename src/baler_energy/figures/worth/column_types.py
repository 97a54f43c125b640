"""The error of each codec in each type of column."""

import pandas as pd
from matplotlib.figure import Figure

from baler_energy.analysis.column_types import MEANINGS, errors_by_type
from baler_energy.analysis.error_measures import COMPRESSED
from baler_energy.analysis.rate_distortion import CODEC, family
from baler_energy.analysis.statistics import interval
from baler_energy.figures.base import FigureSpec, Tables, require_rows
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.codec_marks import (
    draw_against_error,
    front_legend,
    label_families,
    legend_by_kind,
    looks,
    ring_front,
)
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.style import grid, log_ticks, mean_text, subtitle

__all__ = ["FIGURES"]


def draw_column_types(tables: Tables) -> Figure:
    """Draw the compression ratio of each codec against its NRMSE in the columns of each type, one panel per type.

    Raises
    ------
    NoData
        The study compares no codecs, or no run has errors per column.
    """
    points, runs, device = codecs_at_centre(tables)
    errors = tables["errors"]
    found = errors_by_type(errors[errors["on_rows"] == COMPRESSED])
    once = runs.drop_duplicates("run_id")[["run_id", *CODEC, "ratio_native_bytes"]]
    joined = found.merge(once, on="run_id")
    require_rows("no codec has errors per column of a known type", joined)
    styles = looks(points)
    shown = [name for name in MEANINGS if (joined["type"] == name).any()]
    rows = (len(shown) + 1) // 2
    figure, grid_of_panels = grid(rows, 2, 2.2 + 3.1 * rows, width_in=11.5, sharey=True)
    panels = list(grid_of_panels.flat)
    low, high = min(points["ratio"].min() / 1.25, 1.0), points["ratio"].max() * 1.35
    curves = []
    for panel, name in zip(panels, shown, strict=False):
        part = joined[joined["type"] == name]
        panel.set(yscale="log", ylim=(low, high))
        here = _points(part)
        curves.append(draw_against_error(panel, here, runs, styles, "nrmse", "ratio"))
        ring_front(panel, here, "nrmse")
        count = int(part["columns"].max())
        panel.set_title(f"{name}: {count} column{'' if count == 1 else 's'} ({MEANINGS[name]})")
        panel.set_xlabel("NRMSE of these columns (mean)")
        log_ticks(panel.yaxis, low, high)
    for panel in panels[len(shown) :]:
        panel.remove()
    for panel in panels[::2]:
        panel.set_ylabel("Ratio of the whole table (1: as recorded)")
    legend_by_kind(figure, points, styles, front_legend())
    subtitle(figure, f"At {where(tables['runs'])}, {device}.", *mean_text(points["n"]))
    label_families(figure, panels[: len(shown)], curves)
    return figure


def _points(part: pd.DataFrame) -> pd.DataFrame:
    """Summarise each codec over its repeats in one type of column."""
    rows = []
    for key, mine in part.groupby(CODEC, dropna=False, observed=True, sort=False):
        row = dict(zip(CODEC, key, strict=True))
        mean, half_width, _ = interval(mine["nrmse"].to_numpy("float64"))
        row |= {"family": family(row), "nrmse": mean, "nrmse_half_width": half_width}
        rows.append(row | {"ratio": mine["ratio_native_bytes"].mean()})
    return pd.DataFrame(rows).sort_values("nrmse", ignore_index=True)


FIGURES = (
    FigureSpec(
        "column_types",
        "Error of each codec by type of column",
        "Compression ratio of the whole table against the error in the columns of each type: RMS residual over "
        "standard deviation (NRMSE), mean over these columns. A column has the first type that fits its values and "
        "recorded format; its name does not matter. Constant columns are left out. Rings: no other codec has a larger "
        "ratio at the same error in these columns or less. Marks are means over n repeats, bars are 95 % t intervals. "
        f"The dotted line is the error of storing only the columns' means, which is 1 in each column. {ERROR_ROWS}",
        draw_column_types,
    ),
)
