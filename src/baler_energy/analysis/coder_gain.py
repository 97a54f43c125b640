"""The gain of a transform and the gain of its coder: transforms with the same coder at the same error."""

import math
from typing import Any

import pandas as pd

from baler_energy.analysis.matched_error import at_codec, in_repeats
from baler_energy.analysis.rate_distortion import CODEC, alike, codec_name, codec_points, packing_family

__all__ = ["coder_gain"]

_ENDS = ("", "_low", "_high")


def coder_gain(runs: pd.DataFrame, measure: str = "error") -> pd.DataFrame:
    """Compare transforms, each with and without the same coder, at the errors of codecs trained in epochs.

    Parameters
    ----------
    runs
        As in `rate_distortion.codec_points`.
    measure
        Measure of the error, a key of `matched_error.MEASURES`.

    Returns
    -------
    pandas.DataFrame
        A row per trained codec with a packing (``at_codec``, its name; ``error``; ``n``) and per transform that reaches
        its error with the same ``coder`` (the packing without its error bounds): ``transform``, ``transforms`` (false
        for no transform), ``with_coder`` and ``without_coder`` (the ratios at that error, each with ``..._low`` and
        ``..._high``, its 95 % interval over repeats from `at_codec`), ``coder_gain`` (``with_coder / without_coder``)
        and ``transform_gain`` (``with_coder`` over that without a transform). Without transform and coder the ratio is
        1, since nothing is compressed. Ratios that do not reach the error are null. A trained codec has no rows if no
        other transform reaches its error.
    """
    points, repeats = codec_points(runs), in_repeats(runs)
    trained = points[points["epochs"].notna() & (points["packing"].map(packing_family) != "")].sort_values(measure)
    rows = [row for codec in trained.to_dict("records") for row in _at(points, repeats, codec, measure)]
    return pd.DataFrame(rows)


def _at(points: pd.DataFrame, repeats: list[pd.DataFrame], codec: dict[Any, Any], measure: str) -> list[dict[str, Any]]:
    """Compare all transforms at the error of one codec."""
    found = at_codec(points, repeats, codec, measure, ["ratio"])
    if found.empty:
        return []
    ratios = found.set_index("family")
    coder = packing_family(str(codec["packing"]))
    members = points.drop_duplicates("family").set_index("family")
    members["coder"] = members["packing"].map(packing_family)
    # Families that train in epochs must be trained like the codec, with its compression ratio.
    trained = [name for name in CODEC if name not in ("transform", "packing", "epochs")]
    comparable = members["epochs"].isna() | alike(members, codec, trained)
    rows = []
    # No transform comes first, then transforms in closed form, then trained ones.
    learnt = members.groupby("transform", observed=True)[["epochs", "compression_ratio"]].count().gt(0)
    for transform in learnt.sort_values(["epochs", "compression_ratio"], kind="stable").index:
        mine = members[comparable & (members["transform"] == transform)]
        own = transform == codec["transform"]
        packed = [codec["family"]] if own else list(mine.index[mine["coder"] == coder])
        row = {"transform": transform} | _ratio("with_coder", packed, ratios)
        if math.isnan(row["with_coder"]):
            continue
        plain = _ratio("without_coder", list(mine.index[mine["coder"] == ""]), ratios)
        # Only transforms have a number of latents, which the compression ratio sets.
        row["transforms"] = bool(mine["compression_ratio"].notna().any())
        row |= plain if row["transforms"] else {f"without_coder{end}": 1.0 for end in _ENDS}
        rows.append(row | {"coder_gain": row["with_coder"] / row["without_coder"]})
    base = next((row["with_coder"] for row in rows if not row["transforms"]), math.nan)
    about = {"at_codec": codec_name(codec), "error": codec[measure], "n": codec["n"], "coder": coder}
    rows = [about | row | {"transform_gain": row["with_coder"] / base} for row in rows]
    return rows if len(rows) > 1 else []


def _ratio(name: str, families: list[Any], ratios: pd.DataFrame) -> dict[str, Any]:
    """Return the largest ratio of some families with its interval; null if no family reaches the error."""
    known = ratios[ratios.index.isin(families)]
    if known.empty:
        return {f"{name}{end}": math.nan for end in _ENDS}
    best = known.sort_values("ratio").iloc[-1]
    return {f"{name}{end}": float(best[f"ratio{end}"]) for end in _ENDS}
