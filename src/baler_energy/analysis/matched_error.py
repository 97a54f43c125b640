"""What each family of codecs needs at the error of a trained codec, with its uncertainty over the repeats."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.rate_distortion import (
    CODEC,
    COSTS,
    MEMORY,
    TRAINING,
    alike,
    at_error,
    codec_name,
    codec_points,
)
from baler_energy.analysis.statistics import interval

__all__ = ["MEASURES", "NEEDS", "at_codec", "in_repeats", "scorecard"]

#: Measures of the error in which codecs are matched, with their labels. They rank codecs differently.
MEASURES = {"error": "RMS residual / range", "relative_error": "median relative error"}
#: What a codec needs: errors in other measures, sizes, costs and memory.
NEEDS = [
    *("nrmse", "max_over_range", "ratio", "bytes_per_row"),
    *TRAINING,
    *(name for pair in COSTS.values() for name in pair),
    *MEMORY.values(),
]
_JOULES = [TRAINING[0], *(joules for joules, _ in COSTS.values())]


def in_repeats(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Summarise the codecs in each repeat separately: `codec_points` of the runs of each repeat."""
    return [codec_points(part) for _, part in runs.groupby("repeat", sort=True)]


def at_codec(
    points: pd.DataFrame,
    repeats: Sequence[pd.DataFrame],
    codec: Mapping[Any, Any],
    measure: str = "error",
    names: Iterable[str] = NEEDS,
) -> pd.DataFrame:
    """Interpolate what the other families need at the error of one codec.

    Parameters
    ----------
    points
        `codec_points` of all runs.
    repeats
        The same for each repeat, from `in_repeats`.
    codec
        A row of `points`.
    measure
        Column of the error in which codecs are matched.
    names
        Columns to interpolate; missing values stay null.

    Returns
    -------
    pandas.DataFrame
        The codec itself first (``measured``), then the other families, largest ratio first; empty if the codec has no
        error. For each of `names`: the value at the codec's mean error, ``..._low`` and ``..._high`` (95 % interval),
        ``..._n`` (repeats in the interval), and the same for ``..._factor``, the value over that of the codec.

    Notes
    -----
    The interval is over repeats. In each repeat, the curve of a family is read at the codec's error in the same repeat.
    The interval is ``value exp(+-sqrt(h^2 + d^2))``, where h is the half width of the 95 % t interval of the
    logarithms, and d the deviation of the interpolation from `rate_distortion.at_error`. It therefore includes the
    spread of the codec's error, that of the family, and what is unknown between the points of its curve. It is null for
    a single repeat. A bootstrap would be too narrow for the few repeats of a study.
    """
    columns = list(names)
    own = _codec_row(points, codec)
    if own is None or not own[measure] > 0:
        return pd.DataFrame()
    central = _read(points, own, measure, columns)
    single = []
    for part in repeats:
        here = _codec_row(part, codec)
        if here is not None and here[measure] > 0:
            single.append(_read(part, here, measure, columns))
    rows = [
        {"family": family, "measured": family == own["family"]} | _estimates(values, family, single, columns)
        for family, values in central.items()
    ]
    found = pd.DataFrame(rows)
    return found.sort_values(["measured", "ratio"], ascending=False, kind="stable", ignore_index=True)


#: Values and factors, by column, of each family.
_ValuesByFamily = dict[str, dict[str, float]]


def _codec_row(points: pd.DataFrame, codec: Mapping[Any, Any]) -> "pd.Series[Any] | None":
    """Find a codec among points."""
    chosen = alike(points, codec)
    return points[chosen].iloc[0] if chosen.any() else None


def _read(points: pd.DataFrame, own: "pd.Series[Any]", measure: str, columns: list[str]) -> _ValuesByFamily:
    """Read the curves of all other families at the error of a codec; the codec's own values come first."""
    others = points[points["family"] != own["family"]]
    # Measured and modelled energies are not compared with each other; ratios and times are.
    same_kind = others["evidence"].eq(own["evidence"])
    joules = [name for name in _JOULES if name in others]
    others = others.assign(**{name: others[name].where(same_kind) for name in joules})
    rows = at_error(others, own[measure], columns, measure).to_dict("records")
    found = {str(own["family"]): {name: float(own[name]) for name in columns}}
    deviations = [f"{name}_deviation" for name in columns]
    found |= {str(row["family"]): {name: row[name] for name in (*columns, *deviations)} for row in rows}
    mine = found[str(own["family"])]
    for values in found.values():
        values |= {f"{name}_factor": values[name] / mine[name] if mine[name] else math.nan for name in columns}
    return found


def _estimates(
    values: dict[str, float], family: str, single: list[_ValuesByFamily], columns: list[str]
) -> dict[str, float]:
    """Return each value and factor with its interval over the repeats."""
    row: dict[str, float] = {}
    for name in (one for column in columns for one in (column, f"{column}_factor")):
        known = [part[family][name] for part in single if family in part]
        logarithms = np.log([value for value in known if value > 0])
        _, half_width, n = interval(logarithms)
        width = math.hypot(half_width, values.get(f"{name.removesuffix('_factor')}_deviation", 0.0))
        low, high = (values[name] * math.exp(sign * width) for sign in (-1, 1))
        row |= {name: values[name], f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
    return row


def scorecard(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the families of codecs at the error of each codec that trains in epochs, in each of `MEASURES`.

    Parameters
    ----------
    runs
        As in `codec_points`.

    Returns
    -------
    pandas.DataFrame
        Rows of `at_codec`, each with ``measure``, the trained codec (``at_codec``, its name; ``at_family``; `CODEC`,
        each with the prefix ``at_``), its error (``at_error``, ``at_error_low``, ``at_error_high``), its
        ``at_held_out_error`` (over the range, in both measures) and ``at_model_bytes``, ``trains``
        (whether the family is trained), ``in_epochs`` (whether it is trained in epochs, so not in closed form),
        ``evidence`` of the energies, and ``n``, the number of the trained codec's runs. Fewest epochs first.
    """
    points, repeats = codec_points(runs), in_repeats(runs)
    families = points.groupby("family")
    trains, in_epochs = families["trains"].any(), families["epochs"].count() > 0
    trained = points[points["epochs"].notna()].sort_values("epochs", kind="stable").to_dict("records")
    found = []
    for measure in MEASURES:
        for codec in trained:
            part = at_codec(points, repeats, codec, measure, [measure, *NEEDS])
            if part.empty:
                continue
            about = {"measure": measure, "at_codec": codec_name(codec), "at_family": codec["family"]}
            about |= {f"at_{name}": codec[name] for name in CODEC}
            about |= {"evidence": codec["evidence"], "n": codec["n"]}
            about |= {f"at_{name}": codec[name] for name in ("model_bytes", "held_out_error")}
            about |= {f"at_error{end}": part.loc[0, f"{measure}{end}"] for end in ("", "_low", "_high")}
            kinds = {name: part["family"].map(one) for name, one in (("trains", trains), ("in_epochs", in_epochs))}
            found.append(part.assign(**about, **kinds))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
