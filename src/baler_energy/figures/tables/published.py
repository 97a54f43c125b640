"""Energy per volume of compressors that others measured, and of the same compressors in this study."""

from dataclasses import asdict

import pandas as pd

from baler_energy.analysis.published import PUBLISHED, Published
from baler_energy.analysis.rate_distortion import codec_name
from baler_energy.codecs.words import packing_words
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.codec_rows import codecs_at_centre, where
from baler_energy.figures.readable import Row, each, unless_missing
from baler_energy.figures.selection import interval_text
from baler_energy.variants import NO_TRANSFORM

__all__ = ["TABLE", "published"]

_COSTS = ("compress_j_per_gb", "decompress_j_per_gb")
#: What is taken from the study's codecs.
_SHARED = [*_COSTS, *(f"{name}_half_width" for name in _COSTS), "n", "evidence"]
_COLUMNS = ["compressor", "codec", *_SHARED, "data", "hardware", "source"]


def published(tables: Tables) -> pd.DataFrame:
    """Return published energies per volume, each followed by those of the study's codecs that use the same compressor.

    Returns
    -------
    pandas.DataFrame
        Columns ``compressor``, ``codec`` (null: published), ``compress_j_per_gb``, ``decompress_j_per_gb`` (null:
        unknown), their ``..._half_width`` and ``n`` runs (null: published), ``evidence``, ``data``, ``hardware``,
        ``source``. Empty if the study compares no codecs.
    """
    try:
        points, runs, _ = codecs_at_centre(tables)
    except NoData:
        return pd.DataFrame(columns=_COLUMNS)
    processors = "; ".join(sorted(runs["cpu_model"].dropna().unique())) or "unknown"
    about = {"data": where(tables["runs"]), "hardware": processors, "source": "this study"}
    rows: list[Row] = []
    for one in PUBLISHED:
        rows.append({name: value for name, value in asdict(one).items() if name != "word"} | {"evidence": "measured"})
        mine = points[_uses(points, one)].sort_values("error")
        rows += [
            about | {"compressor": one.compressor, "codec": codec_name(row)} | {name: row[name] for name in _SHARED}
            for row in mine.to_dict("records")
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _uses(points: pd.DataFrame, one: Published) -> "pd.Series[bool]":
    """Whether a codec is a compressor and nothing else: no transform, and no other word before it."""
    first = points["packing"].map(lambda packing: [word.name for word in packing_words(packing)][:1])
    return (points["transform"] == NO_TRANSFORM) & first.map([one.word].__eq__)


def _row(row: Row) -> dict[str, str]:
    return {
        "compressor": row["compressor"],
        "in": unless_missing(f"this study: {row['codec']}", row["codec"], row["source"]),
        **{f"{name.partition('_')[0]} (J/GB)": _cost(row, name) for name in _COSTS},
        "n": unless_missing(f"{row['n']:.0f}", row["n"]),
        "evidence": row["evidence"],
        "data": row["data"],
        "hardware": row["hardware"],
    }


def _cost(row: Row, name: str) -> str:
    if pd.isna(row[name]):
        return "-"
    return interval_text(row[name], row[f"{name}_half_width"])


def _notes(frame: pd.DataFrame, _tables: Tables) -> list[str]:
    if frame.empty or frame["codec"].notna().any():
        return []
    return ["The study has none of these compressors."]


TABLE = TableSpec(
    "published",
    "Published energies of compressors",
    "Energy per GB (10^9 bytes) of original data that others measured, on other data and other hardware, and that of "
    "the same compressors in this study (mean over n unflagged runs, with the half width of the 95 % t interval). The "
    "energy of a whole node is several times that of a core. docs/break-even.md has the sources.",
    make=published,
    rows=each(_row),
    notes=_notes,
    averaged=True,
    without_rows="The study compares no codecs.",
    by_dataset=True,
)
