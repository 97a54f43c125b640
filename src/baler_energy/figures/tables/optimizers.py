"""Optimizers and batch sizes by the time and energy at which their loss reaches a target."""

import pandas as pd

from baler_energy.analysis.target_loss import costs_to_loss
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.captions import TIME_TO_A_LOSS_TITLE, TO_A_LOSS
from baler_energy.figures.readable import Row, each, place
from baler_energy.figures.selection import AXES, parameter_text, scaled_text
from baler_energy.figures.setting_rows import trainings

__all__ = ["NOTHING", "TABLE", "cost_text", "optimizers", "rate_text"]

#: Reason for leaving out what compares optimizers and batch sizes.
NOTHING = "no unflagged trainings that only differ in the optimizer or the batch size"


def optimizers(tables: Tables) -> pd.DataFrame:
    """Return `analysis.target_loss.costs_to_loss`, the quickest optimizer first for the lowest target."""
    found = costs_to_loss(trainings(tables), tables["history"])
    return pd.DataFrame(columns=["target_loss", *AXES]) if found.empty else found


def rate_text(row: Row) -> str:
    """Write a learning rate; ``default`` if the record has none."""
    rate: float = row["learning_rate"] if pd.isna(row["peak_learning_rate"]) else row["peak_learning_rate"]
    return "default" if pd.isna(rate) else f"{rate:g}"


def cost_text(row: Row, stem: str, unit: str) -> str:
    """Write a cost with its interval, or that the target is not reached."""
    value = row[f"{stem}_{unit}"]
    if row["reached"] < row["n"]:
        repeats = "" if row["reached"] == 0 else f", except in {row['reached']} of {row['n']} repeats"
        return f"not reached in {row['most_epochs']} epochs{repeats}"
    if pd.isna(value):
        return "unknown"
    return scaled_text(value, unit.upper() if unit == "j" else unit, row[f"{stem}_half_width_{unit}"])


def _row(row: Row) -> dict[str, str]:
    evidence: str = "" if pd.isna(row["evidence"]) else f", {row['evidence']}"
    return {
        **place(row),
        "engine": row["engine"],
        "model": row["model"],
        "precision": row["precision"],
        "batch size": parameter_text(row["batch_size"]),
        "start": row["start"],
        "schedule": row["schedule"],
        "optimizer": row["optimizer"],
        "learning rate": rate_text(row),
        "target loss per row": f"{row['target_loss']:g}",
        "time": cost_text(row, "time", "s"),
        f"energy{evidence}": cost_text(row, "energy", "j"),
        "n": f"{row['n']}",
    }


TABLE = TableSpec(
    "optimizers",
    TIME_TO_A_LOSS_TITLE,
    "Time and energy at the end of the first epoch whose loss per row is at most the target: means over n unflagged "
    f"repeats with half widths of 95 % t intervals. {TO_A_LOSS} Targets are round numbers. Rates are the "
    "largest ones of a schedule. Only trainings with the "
    "same engine, precision and other settings are comparable. A target that not every repeat reaches has no mean.",
    make=optimizers,
    rows=each(_row),
    averaged=True,
    main=("optimizer", "time", "energy, modelled", "energy, measured"),
    without_rows=f"Nothing to compare: {NOTHING}.",
)
