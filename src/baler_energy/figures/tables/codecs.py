"""Codecs at the same error: what each needs at the error of each trained one, and whether training is worth it."""

import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from baler_energy.analysis.headline import LEAST
from baler_energy.analysis.matched_error import MEASURES, scorecard
from baler_energy.analysis.rate_distortion import CODEC, COSTS, MEMORY, NAMED, TRAINING
from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.config.texts import one_of
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.codec_rows import codecs_at_centre, startup_words, threads_words
from baler_energy.figures.readable import Row, unless_missing
from baler_energy.figures.selection import (
    axis_label,
    interval_text,
    parameter_text,
    percent_text,
    scaled_text,
    scaled_unit,
)
from baler_energy.figures.stated import more_repeats
from baler_energy.figures.trivial import trivial_words
from baler_energy.vocabulary import Operation

__all__ = ["TABLE", "codecs", "worth_words"]

_QUESTION = "Should I use Baler?"
_FIRST = "at the error of"


def codecs(tables: Tables) -> pd.DataFrame:
    """Return what each family of codecs needs at the error of each codec trained in epochs.

    Returns
    -------
    pandas.DataFrame
        `matched_error.scorecard` of the codecs at the study's centre, and a row with ``family`` and ``reason`` for each
        packing that is not available here; empty if there is nothing to compare.
    """
    try:
        _, runs, _ = codecs_at_centre(tables)
    except NoData:
        return pd.DataFrame(columns=["measure"])
    frame = scorecard(runs)
    if frame.empty:
        return frame
    missing = tables["left_out"][tables["left_out"]["axis"] == "packing"]
    absent = missing[["value", "reason"]].rename(columns={"value": "family"}).drop_duplicates()
    if absent.empty:
        return frame.assign(reason=None)
    return pd.concat([frame, absent.assign(measured=False, trains=False, in_epochs=False)], ignore_index=True)


def _rows(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Return the answer in the first row, then a row for each codec, and one for each that is not available."""
    if frame.empty:
        return []
    compared, absent = frame[frame["reason"].isna()], frame[frame["reason"].notna()]
    rows = [_row(row) for row in compared.head(max(most - len(absent), 1)).to_dict("records")]
    empty = dict.fromkeys(rows[0], "")
    missing = [
        empty | {_FIRST: row["reason"], "codec": f"{row['family']} (not available here)"}
        for row in absent.to_dict("records")
    ]
    return [empty | {_FIRST: f"{_QUESTION} {answer(frame)}"}, *[*rows, *missing][:most]]


def _row(row: Row) -> dict[str, str]:
    return {
        _FIRST: row["at_codec"],
        "measure": MEASURES[row["measure"]],
        "error": _quantity(row, "at_error"),
        "held-out RMS / range": unless_missing(percent_text(row["at_held_out_error"]), row["at_held_out_error"], "-"),
        "codec": row["family"] + ("" if row["measured"] else " (interpolated)"),
        "ratio": _quantity(row, "ratio"),
        "times less stored": "1" if row["measured"] else _quantity(row, "ratio_factor"),
        "bytes per row": _quantity(row, "bytes_per_row"),
        "its model": _model(row),
        "one training": _cost(row, *TRAINING),
        **{
            f"{operation} (per GB)": _cost(row, joules, seconds)
            for operation, (joules, seconds) in COSTS.items()
            if operation != Operation.TRAIN
        },
        "peak memory": _memory(row),
        "NRMSE": interval_text(row["nrmse"], math.nan),
        "largest / range": interval_text(row["max_over_range"], math.nan),
        "evidence": unless_missing(f"{row['evidence']}", row["evidence"]),
        "n": f"{row['ratio_n']:.0f}",
    }


def _cost(row: Row, joules: str, seconds: str) -> str:
    said = [_quantity(row, name, unit) for name, unit in ((joules, "J"), (seconds, "s")) if not pd.isna(row[name])]
    return "\n".join(said) or "-"


def _model(row: Row) -> str:
    """Format the size of the trained codec's model; those of the others are not interpolated."""
    return scaled_text(row["at_model_bytes"], "B") if row["measured"] and row["at_model_bytes"] > 0 else "-"


def _memory(row: Row) -> str:
    said = [f"{operation} {_quantity(row, name, 'B')}" for operation, name in MEMORY.items() if not pd.isna(row[name])]
    return "\n".join(said) or "-"


def _quantity(row: Row, name: str, unit: str = "") -> str:
    """Format a value with the best prefix, and its interval unless rounding hides it."""
    factor, prefixed = scaled_unit([row[name]], unit) if unit else (1.0, "")
    value, low, high = (interval_text(row[f"{name}{end}"], math.nan, factor=factor) for end in ("", "_low", "_high"))
    known = low != high and not pd.isna(row[f"{name}_low"])
    return f"{value}{f' ({low} to {high})' if known else ''}{f' {prefixed}' if unit else ''}"


def answer(frame: pd.DataFrame) -> str:
    """Answer whether a codec trained in epochs is worth it, from all errors at which one was compared with another.

    The other codecs are not trained in epochs: they have no transform, or one in closed form, such as PCA. A comparison
    is decided if the 95 % interval of the factor between the ratios excludes 1. Single runs have no interval; their
    factor decides. If several trained codecs were compared, a second sentence lists what they vary.
    """
    pairs = _pairs(frame)
    if not pairs:
        return "Not known: no other codec reaches the error of one trained in epochs."
    return f"{_verdict_of_all(pairs)}{_with_models(pairs)}{_variants([own for own, _ in pairs])}"


def worth_words(tables: Tables) -> list[str]:
    """Ask and answer whether Baler is worth it; empty if no other codec reaches the error of one trained in epochs."""
    frame = codecs(tables)
    pairs = _pairs(frame)
    if not pairs:
        return []
    fewest = int(min(row["ratio_n"] for pair in pairs for row in pair if not pd.isna(row["ratio_n"])))
    few = f" Known from n = {fewest} only: {more_repeats(LEAST - fewest)}." if fewest < LEAST else ""
    return [f"{_QUESTION} {answer(frame)}{few}"]


def _verdict_of_all(pairs: list[tuple[Row, Row]]) -> str:
    more = [(own, best) for own, best in pairs if _side(best) > 0]
    less = [1 / best["ratio_factor"] for _, best in pairs if _side(best) < 0]
    undecided = len(pairs) - len(more) - len(less)
    unknown = f"; at {undecided} the 95 % interval includes no difference" if undecided else ""
    if more and less:
        said = f"another codec stores less at {_of(len(more), pairs)} (up to {_factors(more)[1]:.3g} times)"
        return f"It depends on the error: {said}, Baler at {len(less)} (up to {max(less):.3g} times){unknown}."
    if more:
        stored = f"another codec ({_rivals(more)}) stores {_span(_factors(more))} times less"
        return f"No, not for these data: at {_of(len(more), pairs)}, {stored}{_training(more)}{unknown}."
    if less:
        stored = f"it stores {_span(less)} times less than the best other codec ({_rivals(pairs)})"
        return f"Yes, for these data: at {_of(len(less), pairs)}, {stored}{unknown}."
    return f"Not known: at {_of(len(pairs), pairs)}, the 95 % interval includes no difference."


def _with_models(pairs: list[tuple[Row, Row]]) -> str:
    """Say from how many rows on the codecs that store less also pay for their models; empty if there are none."""
    rows = [
        own["at_model_bytes"] / (best["bytes_per_row"] - own["bytes_per_row"])
        for own, best in pairs
        if _side(best) < 0 and own["at_model_bytes"] > 0 and best["bytes_per_row"] > own["bytes_per_row"]
    ]
    if not rows:
        return ""
    ends = list(dict.fromkeys(f"{float(f'{one:.2g}'):,.0f}" for one in (min(rows), max(rows))))
    varies = ", depending on the error" if len(ends) > 1 else ""
    return f" Sizes are without the model; with it, Baler stores less from {' to '.join(ends)} rows on{varies}."


def _rivals(pairs: list[tuple[Row, Row]]) -> str:
    """Name the best other codec, or the most frequent one."""
    counts = Counter(best["family"] for _, best in pairs).most_common()
    return f"{'mostly ' if len(counts) > 1 else ''}{counts[0][0]}"


def _variants(trained: list[Row]) -> str:
    """List the values of what the trained codecs vary, and other values than the default; empty if there are none."""
    said = []
    for name in CODEC:
        found = pd.Series([row[f"at_{name}"] for row in trained]).drop_duplicates().sort_values(na_position="first")
        default = found.isna() if pd.isna(AXIS_DEFAULTS.get(name)) else found == AXIS_DEFAULTS[name]
        if len(found) > 1 or (name not in NAMED and not default.all()):
            texts = ["default" if pd.isna(value) else parameter_text(value) for value in found]
            said.append(f"{axis_label(name).partition(' (')[0].lower()} {one_of(texts)}")
    return f" Variants compared: {'; '.join(said)}." if said else ""


def _of(count: int, pairs: list[tuple[Row, Row]]) -> str:
    which = "the one" if len(pairs) == 1 else f"all {count}" if count == len(pairs) else f"{count} of {len(pairs)}"
    return f"{which} error{'' if len(pairs) == 1 else 's'} compared"


def _factors(pairs: list[tuple[Row, Row]]) -> tuple[float, float]:
    """Return the smallest and the largest factor by which the other codecs store less."""
    factors = [best["ratio_factor"] for _, best in pairs]
    return min(factors), max(factors)


def _pairs(frame: pd.DataFrame) -> list[tuple[Row, Row]]:
    """Pair each codec trained in epochs with the other one that stores least at the same error.

    A transform in closed form, such as PCA, is one of the others, although it is trained.
    """
    pairs = []
    for _, part in frame.groupby(["measure", "at_codec"], sort=False) if len(frame) else []:
        rows = part.to_dict("records")
        others = [row for row in rows if not row["in_epochs"]]
        if others:
            pairs.append((rows[0], others[0]))
    return pairs


def _side(best: Row) -> int:
    """Return 1 if a codec stores significantly less than the trained one, -1 if significantly more, otherwise 0."""
    low, high = best["ratio_factor_low"], best["ratio_factor_high"]
    if pd.isna(low):
        low = high = best["ratio_factor"]
    return int(low > 1) - int(high < 1)


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"


def _span_in(values: Sequence[float], unit: str) -> str:
    factor, prefixed = scaled_unit(values, unit)
    return f"{_span([value * factor for value in values])} {prefixed}"


def _training(pairs: list[tuple[Row, Row]]) -> str:
    """Compare the cost of one training with that of the other codecs; empty if it is unknown."""
    for name, unit in zip(TRAINING, ("J", "s"), strict=True):
        own = [pair[0][name] for pair in pairs if not pd.isna(pair[0][name])]
        if not own:
            continue
        other = [best[name] if best["trains"] else 0.0 for _, best in pairs]
        mine, theirs = (_span_in(values, unit) for values in (own, other))
        kinds = sorted({str(pair[0]["evidence"]) for pair in pairs}) if unit == "J" else []
        evidence = f" ({', '.join(kinds)})" if kinds else ""
        if not any(best["trains"] for _, best in pairs):
            return f", and needs no training, which took Baler {mine}{evidence}"
        if not pd.isna(other).any():
            return f", and its training took {theirs} instead of Baler's {mine}{evidence}"
    return ""


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Describe the comparisons that are most and least favourable for a codec trained in epochs."""
    pairs = sorted(_pairs(frame), key=lambda pair: pair[1]["ratio_factor"])
    if not pairs:
        return []
    said = [f"Most favourable for Baler: {_verdict(*pairs[0])}"]
    said += [f"Least favourable: {_verdict(*pairs[-1])}"] if len(pairs) > 1 else []
    if all(pd.isna(best["ratio_factor_low"]) for _, best in pairs):
        said.append("These are single runs (n = 1), so there are no intervals.")
    return said + threads_words(tables) + startup_words(tables) + trivial_words(tables["runs"])


def _verdict(own: Row, best: Row) -> str:
    factor = best["ratio_factor"]
    measure = f"{MEASURES[own['measure']]} {100 * own['at_error']:.3g} %"
    said = f"at the error of {own['at_codec']} ({measure}), {best['family']} stores"
    said += f" {factor:.3g} times less" if factor > 1 else f" {1 / factor:.3g} times more"
    joules, seconds = COSTS[Operation.COMPRESS]
    kind, unit = (joules, "J") if own[joules] > 0 else (seconds, "s")
    if own[kind] > 0 and best[kind] > 0:
        takes, instead = (scaled_text(row[kind], unit) for row in (best, own))
        said += f", and takes {takes} instead of {instead} to compress a GB"
        said += f" ({own['evidence']})" if unit == "J" else ""
    return f"{said}, {'after' if best['trains'] else 'without'} a training of its own."


TABLE = TableSpec(
    "codecs",
    f"{_QUESTION} Codecs at the same error",
    "What each family of codecs needs at the error of each codec trained in epochs, on the compressed rows: ratio "
    "over the recorded formats without the model (which has a separate column, since one model may serve more rows), "
    "the trained codec's error on held-out rows, which is what counts then, cost of one training on the table, "
    "energy and time per GB of the table in these formats, and peak resident memory. The logarithms are interpolated "
    "between the two points of a family next to that error; nothing is extrapolated, so a family without errors on "
    "both sides is missing. Ratios, errors and memory are means over all repeats, costs over the clean ones. In "
    "brackets: 95 % t intervals of the logarithm over n repeats; in each repeat, the curve is read at the trained "
    "codec's error in that repeat. They include what is unknown between the two points, estimated from how far these "
    "are from a straight line through their neighbours; of a family of only two points, everything between the two. "
    "A value without brackets has no interval (one repeat) or one that rounding hides. "
    "A bound over the range leaves small values with large relative errors, so codecs are matched in two measures: "
    "RMS residual over the range, and median relative error of non-zero values (means over columns). The answer "
    "compares Baler with all codecs that are not trained in epochs: those without a transform, and those with one "
    "in closed form, such as PCA. The last rows are codecs that are not available here, with the reason.",
    make=codecs,
    rows=_rows,
    notes=_notes,
    without_rows="The study compares no codec trained in epochs with another family of codecs at its centre.",
    averaged=True,
    by_dataset=True,
    main=("codec", "ratio", "times less stored", "evidence"),
)
