"""What pruned networks cost in compression and decompression."""

import pandas as pd

from baler_energy.analysis.comparison import Ratio
from baler_energy.analysis.pruned_costs import ALIKE, pruned_costs
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.captions import TYPICAL_TIMES
from baler_energy.figures.engine_rows import factor_text
from baler_energy.figures.readable import Row, each, place
from baler_energy.figures.selection import percent_text, scaled_text, with_results
from baler_energy.figures.trivial import note_trivial

__all__ = ["TABLE", "pruning"]

#: Costs: name in the table, stem of the ratio, column, unit.
_COSTS = (("time", "time_per_row_s", "s"), ("energy", "energy_per_row_j", "J"))


def pruning(tables: Tables) -> pd.DataFrame:
    """Return `analysis.pruned_costs.pruned_costs`."""
    found = pruned_costs(with_results(tables["runs"]))
    return pd.DataFrame(columns=[*ALIKE, "operation", "pruning"]) if found.empty else found


def _row(row: Row) -> dict[str, str]:
    cells = {
        **place(row),
        "engine": row["engine"],
        "model": row["model"],
        "precision": row["precision"],
        "packing": row["packing"],
        "operation": f"{row['operation']}",
        "pruning": row["pruning"],
        "n": f"{row['n']}",
    }
    for name, column, unit in _COSTS:
        kind = f" ({row['evidence']})" if unit == "J" and isinstance(row["evidence"], str) else ""
        cost: str = "unknown" if pd.isna(row[column]) else scaled_text(row[column], unit, row[f"{column}_half_width"])
        cells[f"{name} per row"] = cost + kind
        ratio = Ratio.of_row(row, f"{name}_ratio")
        interval = "" if pd.isna(ratio.low) else f" ({ratio.low:.3f} to {ratio.high:.3f})"
        cells[f"{name}, over unpruned"] = factor_text(ratio) + interval
    for name, words in (("error", "error"), ("unpruned_error", "error, unpruned")):
        cells[words] = "-" if pd.isna(row[name]) else percent_text(row[name], row[f"{name}_half_width"])
    return cells


TABLE = TableSpec(
    "pruning",
    "What pruned networks cost to apply",
    "Time and energy per row of compression and decompression, for networks that only differ in the pruning: means "
    "over n unflagged runs of all trainings with half widths of 95 % t intervals, and the ratio to the unpruned "
    "network with its 95 % interval (~: it may be 1). Removed neurons make the matrices smaller. Removed weights are "
    "zeros in matrices of the same size, which take as long as before. Error: RMS residual / range, mean over columns; "
    f"unpruned: that of the same training without pruning. {TYPICAL_TIMES}",
    make=pruning,
    rows=each(_row),
    notes=note_trivial,
    averaged=True,
    main=("operation", "pruning", "time per row", "energy per row"),
    without_rows="No pruned network was applied in the same way as an unpruned one.",
)
