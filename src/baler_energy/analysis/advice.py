"""Which codec for a file: what an error asked for means, how tried codecs rank, and the recommendation in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["CLOSE", "MEASURES", "Goal", "codec_name", "missed_sentence", "ranked", "recommended"]

#: Measures of the error that a user may ask for: the key of an evaluation's summary, and what it means.
MEASURES: Mapping[str, tuple[str, str]] = {
    "value": ("max_over_range", "every value within {} of its column's range"),
    "nrmse": ("mean_nrmse", "an RMS error of at most {} of a column's standard deviation, on average over the columns"),
    "relative": ("mean_relative_error_p99", "99 % of a column's non-zero values within {} of themselves, on average"),
}
#: Of codecs whose ratios differ by less than this factor, the fastest is recommended.
CLOSE = 1.05
#: Parameters that name a codec.
_CODEC = ("transform", "engine", "precision", "compression_ratio", "packing", "epochs")
_MB, _GB = 1e6, 1e9


@dataclass(frozen=True)
class Goal:
    """The error that a codec may have.

    Parameters
    ----------
    error
        At most; 0: the codec has to be lossless.
    measure
        A key of `MEASURES`.
    """

    error: float
    measure: str = "value"

    @property
    def key(self) -> str:
        """Key of an evaluation's summary."""
        return MEASURES[self.measure][0]

    @property
    def words(self) -> str:
        """What it asks for, as a phrase."""
        return MEASURES[self.measure][1].format(f"{100 * self.error:.3g} %") if self.error else "no loss at all"

    def holds(self, summary: Mapping[str, Any]) -> bool:
        """Whether an evaluation's summary fulfils it; an error is null where all columns are constant."""
        error = summary[self.key]
        return bool(error is None or error <= self.error)


def ranked(runs: Sequence[Mapping[str, Any]], file_bytes: int, goal: Goal) -> pd.DataFrame:
    """Rank the codecs that were tried on a sample.

    Parameters
    ----------
    runs
        Rows of the table ``runs`` of the dataset, of each codec its operations; without repeats.
    file_bytes
        Size of the whole file's columns in their number types (B), over which a model is spread.
    goal
        The error asked for.

    Returns
    -------
    pandas.DataFrame
        A row per codec: the parameters that name it; ``meets`` (the goal), ``ratio`` (of the whole file, with the
        model, as extrapolated from the sample), errors, ``compress_mb_per_s`` and so on (MB of the table in its
        number types), ``compress_j_per_gb`` and so on with the ``evidence`` of the energies, ``memory_peak_mb`` (the
        larger of compressing and decompressing), ``train_s`` and ``train_j`` (null without training). Those that meet
        the goal come first, then by ratio.
    """
    frame = pd.DataFrame(runs)
    rows = [_codec(part, file_bytes, goal) for _, part in frame.groupby("run_id", sort=False)]
    return pd.DataFrame(rows).sort_values(["meets", "ratio"], ascending=False, ignore_index=True)


def _codec(part: pd.DataFrame, file_bytes: int, goal: Goal) -> dict[str, Any]:
    of = {str(row["operation"]): row for row in part.to_dict("records")}
    one, training = of["compress"], of.get("train", {})
    native_bytes = one["ratio_native_bytes"] * one["compressed_bytes"]
    model_bytes = native_bytes / one["ratio_native_bytes_with_model"] - one["compressed_bytes"]
    found = {key: one[key] for key in _CODEC}
    found |= {key: one[key] for key in ("max_over_range", "mean_nrmse", "mean_relative_error_p99")}
    found |= {
        "trains": bool(training),
        "meets": goal.holds({goal.key: None if pd.isna(one[goal.key]) else one[goal.key]}),
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


def recommended(codecs: pd.DataFrame, goal: Goal) -> tuple[int, str]:
    """Choose a codec of `ranked`, and say why in two sentences.

    Returns
    -------
    tuple
        Row number of the codec, and the sentences; -1 where none meets the goal.
    """
    meeting = codecs[codecs["meets"]]
    if meeting.empty:
        return -1, f"No codec that was tried reaches {goal.words}. Ask for a larger error, or for --lossless."
    close = meeting[meeting["ratio"] * CLOSE >= meeting["ratio"].iloc[0]]
    # The slower of the two operations decides.
    slowest = close[["compress_mb_per_s", "decompress_mb_per_s"]].min(axis=1)
    number = int(slowest.idxmax())
    best = codecs.iloc[number]
    said = f"Use {codec_name(best)}: it stores {_times(best['ratio'])} less than the columns take, with {goal.words}"
    said += "." if number == meeting.index[0] else f", and is the fastest within {100 * (CLOSE - 1):.0f} % of the best."
    others = meeting[meeting["trains"] != best["trains"]]
    return number, f"{said} {_against(best, others)}"


def _against(best: "pd.Series[Any]", others: pd.DataFrame) -> str:
    """Compare with the best codec of the other kind: one that trains, or one that does not."""
    kind = "codec without training" if best["trains"] else "trained codec"
    if others.empty:
        return f"No {kind} that was tried reaches this error."
    other = others.iloc[0]
    factor = best["ratio"] / other["ratio"]
    said = f"The best {kind}, {codec_name(other)}, stores {_times(factor)} more"
    if other["trains"]:
        return f"{said}, after {_seconds(other['train_s'])} of training."
    return f"{said}, but needs no training, which took {_seconds(best['train_s'])} here."


def missed_sentence(errors: Mapping[str, float], goal: Goal) -> list[str]:
    """Say which codecs do not reach the goal, with their errors; nothing where all do."""
    if not errors:
        return []
    listed = ", ".join(f"{name} ({100 * error:.3g} %)" for name, error in errors.items())
    return [f"Not in the table, as their error is larger however their latents are stored: {listed}."]


def codec_name(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    """Name a codec of `ranked`."""
    if not row["trains"]:
        return str(row["packing"])
    epochs = "" if pd.isna(row["epochs"]) else f" after {row['epochs']:.0f} epochs"
    return f"{row['transform']} 1/{row['compression_ratio']:g}{epochs} with {row['packing']}"


def _times(factor: float) -> str:
    return f"{factor:.3g} times"


def _seconds(value: float) -> str:
    return "an unknown time" if math.isnan(value) else f"{value:.3g} s"


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)
