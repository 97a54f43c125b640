"""Effect of each codec on derived quantities, such as masses, and on their peaks."""

import math

import pandas as pd

from baler_energy.analysis.effects import unless_hidden
from baler_energy.analysis.matched_error import MEASURES
from baler_energy.analysis.rate_distortion import CODEC
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.derived_rows import (
    OVER_REPEATS,
    QUANTITY,
    VALUES,
    at_error_of,
    derived_at_centre,
    trained_codecs,
)
from baler_energy.figures.readable import Row, each
from baler_energy.figures.selection import interval_text
from baler_energy.figures.trivial import note_trivial

__all__ = ["TABLE", "physics"]

_COLUMNS = [
    *QUANTITY,
    *("measure", "at_codec", "at_error", "below", "codec", *CODEC, "family", *MEASURES, "ratio", "n"),
    *VALUES,
    *(f"{name}_half_width" for name in OVER_REPEATS),
    "reason",
]
#: Smaller units for small values: factor and name.
_SMALLER = {"GeV": (1e3, "MeV"), "TeV": (1e3, "GeV")}
#: Values from here on keep their unit.
_LARGE = 5.0


def physics(tables: Tables) -> pd.DataFrame:
    """Return the effect of each codec at the study's centre on each derived quantity and in each of its windows.

    Returns
    -------
    pandas.DataFrame
        For each quantity and window the rows of `derived_at_centre`, followed by those of `at_error_of` in each of
        `MEASURES` for each trained codec. Empty if there are no derived quantities.
    """
    try:
        codecs = derived_at_centre(tables)
    except NoData:
        return pd.DataFrame(columns=_COLUMNS)
    codecs = codecs.assign(measure=None, at_codec=None, at_error=math.nan, below=math.nan)
    found = []
    for _, part in codecs.groupby(["quantity", "window"], dropna=False, sort=False, observed=True):
        found.append(part)
        for measure in MEASURES:
            found += [at_error_of(trained, part, measure) for trained in trained_codecs(part, measure)]
    words = {"measure": object, "at_codec": object}
    return pd.concat([one.astype(words) for one in found], ignore_index=True)[_COLUMNS]


def _row(row: Row) -> dict[str, str]:
    return {
        "quantity": row["quantity"] + ("" if pd.isna(row["window"]) else f", {row['window']}"),
        "at the error of": "every codec" if pd.isna(row["at_codec"]) else _matched(row),
        "codec": row["codec"],
        "ratio": f"{row['ratio']:.2f}",
        "error": _percent(row["error"]),
        "relative error": _percent(row["relative_error"]),
        "below": "-" if pd.isna(row["below"]) or row["codec"] == row["at_codec"] else f"{100 * row['below']:.2g} %",
        "peak shift": _change(row, "peak_shift"),
        "width change": _change(row, "width_change"),
        "entries": "-" if pd.isna(row["window"]) else _change(row, "entries_change", counts=True),
        "residual": _change(row, "residual_median"),
        "resolution": _plain(row, "residual_half_width"),
        "KS distance": _ks(row),
        "undefined rows": f"{row['undefined_after']:,.0f}",
        "n": f"{row['n']}",
    }


def _matched(row: Row) -> str:
    """Name the trained codec, its error and the measure in which codecs have about this error."""
    return f"{row['at_codec']} ({MEASURES[row['measure']]} {_percent(row['at_error'])})"


def _percent(value: float) -> str:
    return "-" if pd.isna(value) else f"{100 * value:.3g} %"


def _ks(row: Row) -> str:
    """Format the distance of the distributions before and after; it has an interval over repeats only."""
    return "-" if pd.isna(row["ks_distance"]) else interval_text(row["ks_distance"], row["ks_distance_half_width"])


def _change(row: Row, name: str, *, counts: bool = False) -> str:
    """Format a change with its sign and its statistical uncertainty, unless that hides it."""
    text = _plain(row, name, counts=counts)
    if pd.isna(row[name]):
        return text
    factor, unit = _scale(row, name, counts=counts)
    signed = text if text.startswith("-") or row[name] == 0 else f"+{text}"
    return unless_hidden(signed, factor * row[name], factor * row[f"{name}_uncertainty"], unit)


def _plain(row: Row, name: str, *, counts: bool = False) -> str:
    """Format a value with its statistical uncertainty, in the quantity's unit or a smaller one; counts have no unit."""
    if pd.isna(row[name]):
        return "-"
    factor, unit = _scale(row, name, counts=counts)
    return f"{interval_text(row[name], row[f'{name}_uncertainty'], factor=factor)} {unit}".rstrip()


def _scale(row: Row, name: str, *, counts: bool) -> tuple[float, str]:
    """Return the factor to the unit in which a value is written, and that unit."""
    unit = "" if counts or pd.isna(row["unit"]) else row["unit"]
    return _SMALLER.get(unit, (1.0, unit)) if abs(row[name]) < _LARGE else (1.0, unit)


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    every = frame[frame["at_codec"].isna()]
    said = []
    for (name, definition), part in every.groupby(["quantity", "definition"], sort=False, observed=True):
        said.append(f"{name}: {definition}.")
        said += [_verdict(one) for _, one in part.dropna(subset="window").groupby("window", sort=False, observed=True)]
        said += _undefined(part[part["window"].isna()])
    return said + note_trivial(frame, tables)


def _verdict(codecs: pd.DataFrame) -> str:
    """Name the codec with the largest ratio among those that change a peak by less than this sample resolves."""
    first = codecs.iloc[0].to_dict()
    unit = "" if pd.isna(first["unit"]) else f" {first['unit']}"
    name = f"{first['window']} ({first['low']:g} to {first['high']:g}{unit})"
    if codecs["peak_before"].isna().all():
        return f"{name}: {first['reason']}."
    position, width = (_plain(first, f"{what}_before") for what in ("peak", "width"))
    said = f"{name}: {first['entries_before']:,.0f} entries before compression, peak at {position}, width {width}."
    changed = codecs.assign(peak=codecs["peak_shift"].abs(), width=codecs["width_change"].abs())
    fine = (changed["peak"] < changed["peak_before_uncertainty"]) & (
        changed["width"] < changed["width_before_uncertainty"]
    )
    gone = int(codecs["peak_shift"].isna().sum())
    if fine.any():
        best = codecs[fine].sort_values("ratio").iloc[-1]
        change = "changes" if fine.sum() == 1 else "change"
        said += f" {fine.sum()} of {len(codecs)} codecs {change} both by less than these uncertainties; "
        said += (
            f"{best['codec']} has the largest ratio of these ({best['ratio']:.3g}, error {100 * best['error']:.3g} %)."
        )
    else:
        said += f" None of {len(codecs)} codecs changes both by less than these uncertainties."
    return said + (f" With {gone} of the codecs, the peak can no longer be measured." if gone else "")


def _undefined(codecs: pd.DataFrame) -> list[str]:
    lost = codecs[codecs["undefined_after"] > codecs["undefined_before"]]
    if lost.empty:
        return []
    each_one = ", ".join(f"{row['codec']} ({row['undefined_after']:,.0f})" for row in lost.to_dict("records"))
    return [f"Undefined rows after compression (negative pt or mass, or ratio to 0): {each_one}."]


TABLE = TableSpec(
    "physics",
    "Physics after compression",
    "Quantities computed from the columns before and after compression of the same rows, over all rows and in "
    "windows around peaks. Peak shift and width change: after minus before, for a Gaussian fitted on a flat "
    "background, with uncertainties from a paired bootstrap; a dash means that no peak could be measured (reason in "
    "physics.csv). Entries: change of their number in the window; the uncertainty is the square root of the number "
    "that moved in or out. A change below its uncertainty is not distinguishable from zero. Residual and resolution: "
    "median and half the central 68 % of reconstructed minus original, for the rows that were in the window before. KS "
    "distance: Kolmogorov-Smirnov distance of the distributions over all rows, with the 95 % t interval over repeats; "
    "each other ± is one statistical standard deviation. Error: RMS residual / range; relative error: median of "
    "non-zero values; both are means over columns. The lower rows repeat the "
    "comparison at the error of each trained codec, in one measure and then in the other, with the codec of each other "
    "family that has the nearest error not above it. Nothing is interpolated: 'below' is how far the error of a codec "
    "is below that of the trained one, so a small change at 90 % below is no merit of the codec. A family whose errors "
    "are all above is missing. Undefined rows, such as those with a negative pt, are in no window. Values are means "
    "over n repeats, which have the same rows.",
    make=physics,
    rows=each(_row),
    notes=_notes,
    without_rows="The study's dataset has no derived quantities (key `derived` of a dataset, docs/physics.md).",
    by_dataset=True,
)
