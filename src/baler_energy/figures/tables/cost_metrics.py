"""Which metric is representative of the cost."""

import pandas as pd

from baler_energy.analysis.cost_metrics import advice, cost_metrics
from baler_energy.figures.base import TableSpec
from baler_energy.figures.captions import COST_METRICS_TITLE
from baler_energy.figures.readable import Row, each
from baler_energy.figures.selection import device_name

__all__ = ["TABLE"]


def _row(row: Row) -> dict[str, str]:
    predicted = f"{row['energy_evidence']} energy of {row['energy_scope']}" if row["quantity"] == "energy" else "time"
    return {
        "machine": row["machine"],
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "predicted": predicted,
        "metric": row["label"],
        "known": "before the run" if row["known_before"] else "after it",
        "n": f"{row['n']:.0f}",
        "proportional law: median deviation": _percent(row, "proportional"),
        "power law: median deviation": _percent(row, "power"),
        "exponent": "-" if pd.isna(row["exponent"]) else f"{row['exponent']:.2f}",
        "rank correlation": "-" if pd.isna(row["rank_correlation"]) else f"{row['rank_correlation']:.2f}",
        "why not": "" if pd.isna(row["reason"]) else row["reason"],
    }


def _percent(row: Row, name: str) -> str:
    return "-" if pd.isna(row[name]) else f"{100 * row[name]:.3g} %"


TABLE = TableSpec(
    "cost_metrics",
    COST_METRICS_TITLE,
    "How well a single number predicts the measured energy or, where energy is modelled, the time: median relative "
    "deviation of the unflagged runs of an operation from a proportional law and from a power law, each run predicted "
    "by a fit without its point (ten-fold cross-validation over the points), and Spearman's rank correlation. "
    "Utilisation is the CPU load; on one machine the TDP is a constant. CPU hours are the CPU time in "
    "another unit. A metric that is computed from what it would predict is not scored. Formulas are those of the table "
    "of other tools and are only computed for trainings.",
    make=cost_metrics,
    rows=each(_row),
    notes=lambda frame, _tables: advice(frame),
    averaged=True,
    without_rows="No run without flags, so no metric can be scored.",
)
