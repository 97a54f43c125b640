"""The factor of each setting of the training at the error of Baler's default."""

import pandas as pd

from baler_energy.analysis.early_stopping import PART, stopped_trainings
from baler_energy.analysis.savings import QUANTITIES
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, place
from baler_energy.figures.selection import AXES
from baler_energy.figures.setting_rows import NOTHING, factor_words, read_by_baler, settings_compared, trainings
from baler_energy.figures.trivial import note_trivial

__all__ = ["TABLE"]

_PARTS = {
    "alone": "one of the recommended changes",
    "product": "product",
    "together": "recommended: all together",
    "excess": "1 if the changes multiply",
    PART: "stopped early, at another error",
    "other": "other",
}


def settings(tables: Tables) -> pd.DataFrame:
    """Return the factors of all settings: the recommended changes first, then others, largest factor first.

    Returns
    -------
    pandas.DataFrame
        Rows of `analysis.savings.savings`, and those of `analysis.early_stopping.stopped_trainings`.
    """
    card = settings_compared(tables)
    if card.empty:
        return pd.DataFrame(columns=["setting", *AXES])
    stopped = stopped_trainings(trainings(tables), tables["history"])
    card = pd.DataFrame([*card.to_dict("records"), *stopped.to_dict("records")])
    order = card["part"].map({part: place for place, part in enumerate(_PARTS)})
    card = card.assign(_order=order).sort_values(
        ["dataset", "rows", "_order", "time_factor"], ascending=[True] * 3 + [False]
    )
    return card.drop(columns="_order").reset_index(drop=True)


def _part(row: Row) -> str:
    words = _PARTS[row["part"]]
    if row["part"] != PART:
        return words
    return f"{words}: {row['loss_ratio']:.3g} times the loss, after {row['stopped_epoch']:.3g} epochs"


def _row(row: Row) -> dict[str, str]:
    cells = {
        **place(row),
        "change": row["setting"],
        "part": _part(row),
        "error of the default": f"{100 * row['default_error']:.3g} % ({row['default_epochs']} epochs)",
        "Baler reads it": "-" if pd.isna(row["model"]) else read_by_baler(row),
        "n": f"{row['time_n']}",
    }
    for name in QUANTITIES:
        kind = f" ({row['evidence']})" if name == "energy" and isinstance(row["evidence"], str) else ""
        cells[name] = factor_words(row, name) + ("" if pd.isna(row[f"{name}_factor"]) else kind)
        cells[f"{name}, held-out error"] = factor_words(row, f"held_out_{name}")
    return cells


TABLE = TableSpec(
    "savings",
    "What a training costs at the error of Baler's default",
    "Cost of Baler's default (100 epochs; without them its longest training) over the cost of each setting at the same "
    "error, in time and in energy, at the error of the rows that were trained on and of held-out rows: geometric means "
    "over n repeats, each paired with the default of the same repeat, and 95 % t intervals of the logarithms. The "
    "default runs on the threads of the study's centre. The cost at an error is interpolated between trainings with "
    "different numbers of epochs, on logarithmic scales, and never extrapolated; errors within 2 % count as equal at "
    "the ends. At least: even the shortest training has a lower error. Flagged runs have no cost here. The "
    "product multiplies the factors of the single recommended changes; the next row divides the factor of all by it. "
    "Stopped early: the default's recorded history up to the epoch at which training.stop_at_gain would have stopped "
    "it, compared with its end. Baler reads it: whether Baler can load the network; padded: filled up with zeros to "
    "the widths of its own, so that it is no faster there.",
    make=settings,
    rows=each(_row),
    notes=note_trivial,
    averaged=True,
    main=("change", "time", "energy"),
    without_rows=f"Nothing to compare: {NOTHING}.",
)
