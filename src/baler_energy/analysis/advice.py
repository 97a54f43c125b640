"""Which codec suits a file: the ranking of the codecs that were tried, and the recommendation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from baler_energy.analysis.goal import Goal
from baler_energy.analysis.rate_distortion import CODEC, codec_name

__all__ = ["CLOSE", "late_sentence", "missed_sentence", "ranked", "reasons_sentence", "recommended"]

#: The fastest codec is recommended among those whose ratios are within this factor of the best.
CLOSE = 1.05
_MB, _GB = 1e6, 1e9
#: Errors of a codec, and of the trivial codec.
_ERRORS = (
    *("max_over_range", "mean_nrmse", "mean_relative_error_p99"),
    *("trivial_max_over_range", "trivial_mean_relative_error_p99"),
)
#: From this error on, its size no longer matters.
_WORTHLESS = 10.0


def ranked(runs: Sequence[Mapping[str, Any]], file_bytes: int, goal: Goal) -> pd.DataFrame:
    """Rank the codecs that were tried on a sample.

    Parameters
    ----------
    runs
        Rows of the dataset's table ``runs``: one per codec and operation, without repeats.
    file_bytes
        Size of the whole file's columns in their number types (B); one model serves the whole file.
    goal
        The requested error.

    Returns
    -------
    pandas.DataFrame
        A row per codec: the parameters that name it; ``meets`` (the goal), ``ratio`` (of the whole file including the
        model, extrapolated from the sample), errors, ``compress_mb_per_s`` and so on (MB of the table in its number
        types), ``compress_j_per_gb`` and so on with the ``evidence`` of the energies, ``memory_peak_mb`` (the larger of
        compressing and decompressing), ``train_s`` and ``train_j`` (null without training). Codecs that meet the goal
        come first, then the largest ratio.
    """
    frame = pd.DataFrame(runs)
    rows = [_codec(part, file_bytes, goal) for _, part in frame.groupby("run_id", sort=False)]
    return pd.DataFrame(rows).sort_values(["meets", "ratio"], ascending=False, ignore_index=True)


def _codec(part: pd.DataFrame, file_bytes: int, goal: Goal) -> dict[str, Any]:
    of = {str(row["operation"]): row for row in part.to_dict("records")}
    one, training = of["compress"], of.get("train", {})
    native_bytes = one["ratio_native_bytes"] * one["compressed_bytes"]
    model_bytes = native_bytes / one["ratio_native_bytes_with_model"] - one["compressed_bytes"]
    found = {key: one[key] for key in (*CODEC, "engine", "precision")}
    found |= {key: one[key] for key in _ERRORS}
    found |= {
        "trains": bool(training),
        "meets": goal.holds({key: None if pd.isna(one[key]) else one[key] for key in _ERRORS}),
        "ratio": file_bytes / (file_bytes / one["ratio_native_bytes"] + model_bytes),
        "evidence": one["energy_evidence"],
        "memory_peak_mb": max(_number(of[name]["memory_peak_b"]) for name in ("compress", "decompress")) / _MB,
        "train_s": _number(training.get("duration_s")),
        "train_j": _number(training.get("energy_j")),
    }
    for name in ("compress", "decompress"):
        found[f"{name}_mb_per_s"] = native_bytes / _MB / of[name]["duration_s"]
        found[f"{name}_j_per_gb"] = _number(of[name]["energy_j"]) / (native_bytes / _GB)
    return found


def recommended(codecs: pd.DataFrame, goal: Goal, *, trained: bool) -> tuple[int, str]:
    """Choose a codec of `ranked`, and explain the choice in two sentences, the first of which has the reason.

    Parameters
    ----------
    codecs, goal
        See `ranked`.
    trained
        Whether any trained codec was tried, even if none is in `codecs`.

    Returns
    -------
    tuple
        Row number of the codec (-1 if no codec meets the goal), and the sentences.
    """
    meeting = codecs[codecs["meets"]]
    if meeting.empty:
        return -1, f"No codec that was tried meets the goal: {goal.words}. Allow a larger error, or use --lossless."
    close = meeting[meeting["ratio"] * CLOSE >= meeting["ratio"].iloc[0]]
    # The slower of the two operations counts.
    slowest = close[["compress_mb_per_s", "decompress_mb_per_s"]].min(axis=1)
    number = int(slowest.idxmax())
    best = codecs.iloc[number]
    reason = f"the fastest within {100 * (CLOSE - 1):.0f} % of the largest ratio"
    if number == meeting.index[0]:
        reason = "the largest ratio"
    said = f"Use {codec_name(best)}: compression ratio {best['ratio']:.3g}, {reason}, with {goal.words}."
    return number, f"{said} {_against(best, meeting[meeting['trains'] != best['trains']], goal, trained=trained)}"


def _against(best: "pd.Series[Any]", others: pd.DataFrame, goal: Goal, *, trained: bool) -> str:
    """Compare with the best codec of the other kind, trained or not, in one sentence."""
    kind = "codec without training" if best["trains"] else "trained codec"
    if others.empty and not best["trains"] and not trained:
        return f"No {kind} was tried{'' if goal.error else ', since none is lossless'}."
    if others.empty:
        return f"No {kind} that was tried meets the goal."
    other = others.iloc[0]
    factor = best["ratio"] / other["ratio"]
    said = f"The best {kind}, {codec_name(other)}, needs {factor:.3g} times as many bytes"
    if other["trains"]:
        return f"{said}, after {_seconds(other['train_s'])} of training."
    return f"{said}, but no training, which took {_seconds(best['train_s'])} here."


def missed_sentence(errors: Mapping[str, float]) -> list[str]:
    """List the codecs that do not reach the goal in any way, with their errors; empty if all do."""
    if not errors:
        return []
    listed = ", ".join(f"{name} ({_percent(error)})" for name, error in errors.items())
    return [f"Tried, but their error is too large even with the finest step or the best packing: {listed}."]


def reasons_sentence(words: str, reasons: Mapping[str, str]) -> list[str]:
    """List the codecs that are missing from the table, with the reasons, after `words`; empty if there are none."""
    if not reasons:
        return []
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(f"{reason[:1].lower()}{reason[1:].rstrip('.')}", []).append(name)
    listed = ", ".join(f"{', '.join(alike)} ({reason})" for reason, alike in names.items())
    return [f"{words}: {listed}."]


def late_sentence(names: Sequence[str]) -> list[str]:
    """List what was not tried because time ran out; empty if nothing was left out."""
    return [f"Not tried, because time ran out (--limit-s): {', '.join(names)}."] if names else []


def _percent(error: float) -> str:
    return f"{100 * error:.3g} %" if error < _WORTHLESS else f"over {100 * _WORTHLESS:,.0f} %"


def _seconds(value: float) -> str:
    return "an unknown time" if math.isnan(value) else f"{value:.3g} s"


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)
