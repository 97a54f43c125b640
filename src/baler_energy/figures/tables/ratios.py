"""Compression ratios, split into the gains of the autoencoder and the packing."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from baler_energy.codecs.packing import Packing
from baler_energy.codecs.words import packing_words
from baler_energy.config.shown import column_type, phrase_of
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import (
    AXES,
    at_point,
    centre_of,
    other_settings,
    parameter_text,
    variant,
    with_error,
)

__all__ = ["FORMAT", "GAINS", "RATIOS", "TABLE", "TRAINING", "ratios", "saving", "trained_as", "unknown_source"]

#: Ratios by column, and their labels.
RATIOS = {
    "ratio_float64_bytes": "float64 table / compressed file",
    "ratio_native_bytes": "table in recorded formats / compressed file",
    "ratio_source_bytes": "source file / compressed file",
    "ratio_float64_bytes_with_model": "float64 table / (compressed file + model)",
    "ratio_native_bytes_with_model": "table in recorded formats / (compressed file + model)",
    "ratio_source_bytes_with_model": "source file / (compressed file + model)",
}
#: The parts of a ratio that were gained by the autoencoder and by the packing.
GAINS = {
    "ratio_autoencoder_float64_bytes": "float64 table / latents (autoencoder)",
    "ratio_autoencoder_native_bytes": "table in recorded formats / latents (autoencoder)",
    "ratio_packing": "latents / stored latents and corrections (packing)",
}
#: The ones over the source file.
_OVER_SOURCE = ("ratio_source_bytes", "ratio_source_bytes_with_model")
_PARTS = ("latent_bytes", "stored_latent_bytes", "correction_bytes")
#: What the size of a compressed file depends on.
FORMAT = (
    "dataset",
    "source",
    "rows",
    "columns",
    "latent_columns",
    "transform",
    "engine",
    "model",
    "precision",
    "packing",
)
#: What it also depends on if the packing depends on the values of the latents or on the errors.
TRAINING = tuple(axis for axis in AXES if axis not in (*FORMAT, "compression_ratio", "threads"))
_OTHERS = tuple(axis for axis in TRAINING if axis != "epochs")


def ratios(tables: Tables) -> pd.DataFrame:
    """Return the compression ratios, split into the gains of the autoencoder and the packing.

    They only depend on the training if the packing is a lossless coder or has an error bound; such a packing has a row
    for each training.

    Returns
    -------
    pandas.DataFrame
        A row per combination of `FORMAT` and `TRAINING` (null: any): mean ``compressed_bytes``; ``..._bytes_per_row``
        of the compressed file, of the original in its recorded formats and as float64, of the latents as computed and
        as stored, and of corrections; the ratios `RATIOS` and `GAINS` (null if a size is unknown), and ``n`` runs.
    """
    known = with_error(tables["runs"]).dropna(subset=["compressed_bytes"])
    varies = known["packing"].map(lambda packing: _depends_on_training(str(packing))).astype(bool)
    whole = known.astype({name: "Int64" for name in TRAINING if column_type(name) == "integer"})
    known = known.assign(**{name: whole[name].where(varies) for name in TRAINING})
    grouped = known.groupby([*FORMAT, *TRAINING], sort=True, observed=True, dropna=False)
    table = grouped[["compressed_bytes", *_PARTS, *RATIOS, *GAINS]].mean()
    table.insert(0, "n", grouped.size())
    table = table.reset_index()
    per_row = table["compressed_bytes"] / table["rows"]
    sizes = {"compressed": per_row, "native": per_row * table["ratio_native_bytes"]}
    sizes |= {"float64": per_row * table["ratio_float64_bytes"]}
    sizes |= {name.removesuffix("_bytes"): table.pop(name) / table["rows"] for name in _PARTS}
    place = table.columns.get_loc("compressed_bytes")
    assert isinstance(place, int)
    for number, (name, values) in enumerate(sizes.items(), start=place + 1):
        table.insert(number, f"{name}_bytes_per_row", values)
    return table


def _depends_on_training(packing: str) -> bool:
    """Whether the stored size depends on the values of the latents or on the errors."""
    asked = Packing.parse(packing)
    return asked.coder is not None or asked.error_bound is not None


def trained_as(table: pd.DataFrame, point: Mapping[Any, Any], free: Collection[str] = ()) -> pd.DataFrame:
    """Rows of `ratios` of a point's training, except for the parameters in `free`, or of any training."""
    of_any = same = pd.Series(True, index=table.index)
    for name in TRAINING:
        missing = table[name].isna()
        of_any = of_any & missing
        if name not in free:
            equal = missing if pd.isna(point[name]) else (table[name] == point[name]).fillna(False).astype(bool)
            same = same & equal
    return table[of_any | same]


def saving(row: Mapping[Any, Any]) -> str:
    """Write how much a row of `ratios` saves compared with the recorded formats."""
    ratio, with_model = row["ratio_native_bytes"], row["ratio_native_bytes_with_model"]
    if pd.isna(ratio):
        return f"{_where(row)}: the size in recorded formats is unknown."
    stored = "the table takes" if pd.isna(row["latent_columns"]) else f"{row['latent_columns']:.0f} latent columns take"
    said = (
        f"{_where(row)}: {stored} "
        f"{row['compressed_bytes_per_row']:.1f} B per row in the compressed file; the {row['columns']} columns take "
        f"{row['native_bytes_per_row']:.1f} B per row in their recorded formats (ratio {ratio:.3f}; with the model's "
        f"own bytes {with_model:.3f}) and {row['float64_bytes_per_row']:.1f} B as float64 (ratio "
        f"{row['ratio_float64_bytes']:.3f})."
    )
    share = 100 * (1 - 1 / ratio)
    if share <= 0:
        return f"{said} Compared with the recorded formats, nothing is saved: the file is {-share:.1f} % larger."
    verdict = "next to nothing is saved" if share < 2 else "the file is smaller"
    return f"{said} Compared with the recorded formats, {verdict}: {share:.1f} %."


def unknown_source(runs: pd.DataFrame, ratio: str) -> str:
    """Say why a ratio of `RATIOS` is unknown for some runs: only those over the source file have a reason."""
    reasons = map(str, runs["source_bytes_reason"].dropna().unique() if ratio in _OVER_SOURCE else [])
    return ": ".join(["unknown", *filter(None, ["; ".join(reasons)])])


def _where(row: Mapping[Any, Any]) -> str:
    epochs = row.get("epochs")
    words = [f"{row['rows']:,} rows", f"packing {row['packing']}" if packing_words(row["packing"]) else ""]
    words.append("" if epochs is None or pd.isna(epochs) else phrase_of("epochs", epochs))
    words.append(other_settings(row, _OTHERS))
    return ", ".join([row["dataset"], *filter(None, words)])


def _row(row: Row) -> dict[str, str]:
    return {
        "dataset": row["dataset"],
        "rows": f"{row['rows']:,}",
        "columns": f"{row['columns']}",
        "latent columns": parameter_text(row["latent_columns"]),
        **variant(row),
        "precision": parameter_text(row["precision"]),
        "epochs": unless_missing(parameter_text(row["epochs"]), row["epochs"], "any"),
        "other settings": other_settings(row, _OTHERS) or "-",
        "compressed file (B)": f"{row['compressed_bytes']:,.0f}",
        **{label: unless_missing(f"{row[name]:.3f}", row[name]) for name, label in (RATIOS | GAINS).items()},
    }


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Write the saving for each size of the table, with the centre's engine, model and packing, and what is unknown."""
    runs = tables["runs"]
    centre = centre_of(runs)
    format_of_centre = {axis: centre[axis] for axis in ("transform", "engine", "model", "precision", "packing")}
    alike = trained_as(at_point(frame, format_of_centre), centre, free=("epochs",))
    unknown = runs.dropna(subset=["source_bytes_reason"]).groupby("dataset", observed=True, sort=False)
    reasons = [f"{name}, ratio over the source file: {unknown_source(own, _OVER_SOURCE[0])}." for name, own in unknown]
    return [*(saving(row) for row in alike.to_dict("records")), *reasons]


TABLE = TableSpec(
    "ratios",
    "Compression ratios",
    "Compression ratios relative to three sizes of the original, each without and with the model that decompression "
    "needs, and the gains of the autoencoder and the packing. The source file counts with the bytes on disk of the "
    "columns and rows that were read: for a part of the columns, those of their baskets, pages or column chunks (ROOT, "
    "Parquet). Below 1 the data grew. With a lossless packing or an "
    "error bound, sizes depend on the training, whose epochs and other settings the row names.",
    make=ratios,
    rows=each(_row),
    notes=_notes,
    main=tuple(RATIOS[name] for name in ("ratio_native_bytes", "ratio_native_bytes_with_model")),
)
