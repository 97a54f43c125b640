"""How much less a training costs at the error of Baler's own training: the factor of each setting.

A *setting* is what distinguishes trainings of the same table, except for the number of epochs. The epochs give its
curve of error against cost, on which the cost at a given error is read.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.comparison import paired_ratio
from baler_energy.analysis.statistics import clean, interval, kind_of_energy, typical_duration_s
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS
from baler_energy.config.recommended import BALER, BALER_EPOCHS, CHANGES, RECOMMENDED
from baler_energy.config.shown import phrase_of

__all__ = [
    "DEFAULT",
    "FIXED",
    "MEASURES",
    "QUANTITIES",
    "SETTING",
    "CostAtError",
    "Factor",
    "comparisons",
    "cost_at_error",
    "default_epochs",
    "default_of",
    "flat_factors",
    "savings",
    "setting_points",
    "setting_text",
    "with_setting",
]

#: Parameters that compared trainings share.
FIXED = ("dataset", "rows", "device", "transform", "compression_ratio", "packing")
#: Parameters that make a setting.
SETTING = tuple(axis for axis in AXES if axis not in (*FIXED, "epochs"))
#: Errors at which settings are compared: prefix of the columns of the result, and column of ``runs``.
MEASURES = {"": "mean_rms_over_range", "held_out_": "held_out_mean_rms_over_range"}
#: Costs that are compared: name in the result, and column of `comparisons`.
QUANTITIES = {"time": "training_s", "energy": "training_j"}
#: Errors that differ by at most this fraction count as the same where there is no training on the other side: engines
#: and precisions round differently, so that their errors after the same epochs differ by chance in both directions.
SAME_ERROR = 0.02
#: Name of the setting that changes nothing.
DEFAULT = "Baler's default"


@dataclass(frozen=True)
class CostAtError:
    """The cost of a setting at an error, in the unit of the costs that it was read from.

    Parameters
    ----------
    cost
        NaN if the error is not reached.
    at_most
        Even the shortest training has a lower error, so that the cost is an upper limit: it is that training's.
    """

    cost: float
    at_most: bool = False


def cost_at_error(errors: Sequence[float], costs: Sequence[float], error: float) -> CostAtError:
    """Read the cost at which a setting first reaches an error.

    Parameters
    ----------
    errors, costs
        Of trainings with an increasing number of epochs, all above 0.
    error
        The error to reach, above 0.

    Notes
    -----
    Between the first training that reaches the error and the one before, the logarithm of the cost is interpolated
    linearly in the logarithm of the error. Nothing is extrapolated; see `CostAtError` and `SAME_ERROR`.
    """
    before: tuple[float, float] | None = None
    for own, cost in zip(errors, costs, strict=True):
        if own <= error:
            if before is None:
                return CostAtError(cost, at_most=own * (1 + SAME_ERROR) < error)
            share = math.log(before[0] / error) / math.log(before[0] / own)
            return CostAtError(before[1] * (cost / before[1]) ** share)
        before = own, cost
    if before is not None and before[0] <= error * (1 + SAME_ERROR):
        return CostAtError(before[1])
    return CostAtError(math.nan)


def with_setting(trained: pd.DataFrame) -> pd.DataFrame:
    """Keep trainings in epochs and add their ``setting`` in words and their costs.

    Parameters
    ----------
    trained
        Rows of training, each with the errors of its run (`figures.selection.with_error`).

    Returns
    -------
    pandas.DataFrame
        Its rows with a number of epochs, and ``setting`` (see `setting_text`; the threads are part of it if they are
        not those of the study's centre on the same device), ``changed`` (the axes that it names), ``training_s`` (s,
        median of the window's iterations) and ``training_j`` (J); the costs of flagged runs are null.
    """
    kept = trained[trained["operation"].eq("train") & trained["epochs"].notna()]
    kept = kept.assign(training_s=typical_duration_s(kept), training_j=kept["energy_j"].astype(float))
    kept.loc[~kept.index.isin(clean(kept).index), ["training_s", "training_j"]] = math.nan
    threads = _usual_threads(kept)
    rows = kept[[*SETTING, "device"]].to_dict("records")
    pairs = [(row, {**BALER, "threads": threads[row["device"]]}) for row in rows]
    changed = pd.Series([_changed(*pair) for pair in pairs], index=kept.index, dtype=object)
    return kept.assign(setting=[setting_text(*pair) for pair in pairs], changed=changed)


def _usual_threads(trained: pd.DataFrame) -> dict[str, int]:
    """Return the threads of Baler's own training by device: the most frequent number at the study's centre, or of all.

    Records have the actual number of threads, so that it cannot be compared with the parameter's default ``auto``.
    """
    central = trained[trained["at_reference"].astype(bool)]
    return {
        str(device): int(part["threads"].mode().max())
        for table in (trained, central)
        for device, part in table.groupby("device", observed=True)
    }


def setting_text(values: Mapping[Any, Any], own: Mapping[str, Any] = BALER) -> str:
    """Name a setting by what it changes in Baler's `own` training, such as ``engine fast, float32, start pca``."""
    return ", ".join(phrase_of(axis, values[axis]) for axis in _changed(values, own)) or DEFAULT


def _changed(values: Mapping[Any, Any], own: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(axis for axis in SETTING if not _same(values[axis], own.get(axis)))


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) or (pd.isna(value) and pd.isna(other))


def default_epochs(trained: pd.DataFrame) -> int | None:
    """Return the epochs of Baler's own training: 100 or, without such a run, its longest one; None: there is no run."""
    epochs = set(trained.loc[trained["setting"] == DEFAULT, "epochs"])
    return int(BALER_EPOCHS if BALER_EPOCHS in epochs else max(epochs)) if epochs else None


def comparisons(trained: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the trainings that can be compared with Baler's own, with what they share: `FIXED`, and its threads.

    Parameters
    ----------
    trained
        From `with_setting`.
    """
    for key, part in trained.groupby(list(FIXED), dropna=False, observed=True, sort=True):
        if default_epochs(part) is not None and part["setting"].nunique() > 1:
            threads = part.loc[part["setting"] == DEFAULT, "threads"].iloc[0]
            yield dict(zip(FIXED, key, strict=True)) | {"threads": threads}, part


def savings(trained: pd.DataFrame) -> pd.DataFrame:
    """Compare the cost of each setting with that of Baler's own training, at the error of the latter.

    Parameters
    ----------
    trained
        From `with_setting`.

    Returns
    -------
    pandas.DataFrame
        A row per comparison and setting, with `FIXED` and `SETTING`: ``setting`` in words; ``part``: what it is of the
        recommended setting (``alone``: one of its changes, ``product``: of the factors of all changes alone,
        ``together``: the recommended setting, ``excess``: the latter over the product, 1 if changes multiply) or
        ``other``; ``default_epochs``; ``evidence`` of the energy; and for each of `MEASURES` and `QUANTITIES`, such as
        ``time``, ``held_out_energy``: ``..._factor`` (cost of Baler's own training over that of the setting) with
        ``..._factor_low`` and ``..._factor_high`` (95 % interval), ``..._n`` repeats, ``..._at_least`` (the factor is a
        lower limit) and ``..._reason`` if it is null. ``default_error`` and ``held_out_default_error`` are means.

    Notes
    -----
    Baler's own training is that on the threads of the study's centre, also for settings with other threads. In each
    repeat, the setting's cost is read at the error of Baler's own training in the same repeat. The factor is the
    geometric mean over repeats, with the t interval of its logarithm. A factor that is only known in some repeats is
    null: the others may be those with a high cost.
    """
    return pd.DataFrame([row for shared, part in comparisons(trained) for row in _rows(shared, part)])


def setting_points(trained: pd.DataFrame) -> pd.DataFrame:
    """Average error and energy of each setting and number of epochs over its repeats.

    Parameters
    ----------
    trained
        From `with_setting`, with energies of one kind.

    Returns
    -------
    pandas.DataFrame
        A row per ``setting`` and ``epochs`` with a clean run, ordered by them: ``error`` (mean of
        ``mean_rms_over_range``), ``training_j`` (J), and the half widths of their 95 % t intervals
        (``..._half_width``, null for one run); ``n`` clean runs.
    """
    known = trained.dropna(subset=["mean_rms_over_range", "training_j"])
    rows = []
    for (setting, epochs), part in known.groupby(["setting", "epochs"]):
        row: dict[str, Any] = {"setting": setting, "epochs": epochs}
        for name, column in (("error", "mean_rms_over_range"), ("training_j", "training_j")):
            row[name], row[f"{name}_half_width"], row["n"] = interval(part[column].to_numpy("float64"))
        rows.append(row)
    names = ["setting", "epochs", "error", "error_half_width", "training_j", "training_j_half_width", "n"]
    return pd.DataFrame(rows, columns=names)


def default_of(shared: dict[str, Any], part: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows of Baler's own training in a comparison, and the columns about it in every row of `savings`."""
    base = part[(part["setting"] == DEFAULT) & (part["epochs"] == default_epochs(part))]
    about = shared | {"default_epochs": default_epochs(part), "evidence": kind_of_energy(base)[0]}
    return base, about | {f"{prefix}default_error": base[column].mean() for prefix, column in MEASURES.items()}


def _rows(shared: dict[str, Any], part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    base, about = default_of(shared, part)
    parts = {setting_text({**AXIS_DEFAULTS, **change}): "alone" for change in CHANGES}
    recommended = setting_text({**AXIS_DEFAULTS, **RECOMMENDED})
    parts |= {recommended: "together"}
    found: dict[str, dict[str, Factor]] = {}
    for setting, own in part.groupby("setting", sort=False):
        if setting != DEFAULT:
            found[str(setting)] = {
                f"{prefix}{name}": _factor(base, own, error, cost)
                for prefix, error in MEASURES.items()
                for name, cost in QUANTITIES.items()
            }
            values = {axis: own[axis].iloc[0] for axis in SETTING}
            label = {"setting": setting, "part": parts.get(str(setting), "other")}
            yield about | values | label | flat_factors(found[str(setting)])
    alone = [found[name] for name, kind in parts.items() if kind == "alone" and name in found]
    if len(alone) == len(CHANGES):
        product = {name: _product([one[name] for one in alone]) for name in alone[0]}
        yield about | {"setting": "product of the single factors", "part": "product"} | flat_factors(product)
        if recommended in found:
            excess = {name: _over(found[recommended][name], one) for name, one in product.items()}
            yield about | {"setting": "all together over the product", "part": "excess"} | flat_factors(excess)


@dataclass(frozen=True)
class Factor:
    """The factor in each repeat that has one, perhaps a lower limit; a reason if it is unknown."""

    by_repeat: Mapping[Any, float]
    at_least: bool = False
    reason: str | None = None


def _factor(base: pd.DataFrame, own: pd.DataFrame, error: str, cost: str) -> Factor:
    """Compare a setting with Baler's own training in every repeat that both have."""
    kind = kind_of_energy(base)
    if cost == QUANTITIES["energy"] and (kind_of_energy(own) != kind or kind[0] is None):
        return Factor({}, reason="its energy has other evidence or components")
    names = ["repeat", "epochs", error, cost]
    base, own = (table.loc[table[error] > 0, names].dropna(subset=[error, cost]) for table in (base, own))
    defaults = {row["repeat"]: (row[error], row[cost]) for row in base.to_dict("records")}
    found, missed = dict[Any, CostAtError](), list[float]()
    for repeat, mine in own[own["repeat"].isin(list(defaults))].sort_values("epochs").groupby("repeat"):
        target, _ = defaults[repeat]
        own_cost = cost_at_error(mine[error].tolist(), mine[cost].tolist(), target)
        if math.isnan(own_cost.cost):
            missed.append(float(mine[error].min()) / target)
        else:
            found[repeat] = own_cost
    if missed:
        words = f"not reached in {len(missed)} of {len(missed) + len(found)} repeats; "
        return Factor({}, reason=f"{words}lowest error up to {max(missed):.3g} times the default's")
    if not found:
        return Factor({}, reason="no repeat in which both have an error and a cost")
    factors = {repeat: defaults[repeat][1] / one.cost for repeat, one in found.items()}
    return Factor(factors, any(one.at_most for one in found.values()))


def _product(factors: Sequence[Factor]) -> Factor:
    """Multiply factors in every repeat that has all of them."""
    if unknown := [one.reason for one in factors if one.reason]:
        return Factor({}, reason=f"{len(unknown)} of {len(factors)} factors unknown")
    repeats = set.intersection(*(set(one.by_repeat) for one in factors))
    if not repeats:
        return Factor({}, reason="no repeat has all factors")
    product = {repeat: math.prod(one.by_repeat[repeat] for one in factors) for repeat in sorted(repeats)}
    return Factor(product, any(one.at_least for one in factors))


def _over(factor: Factor, other: Factor) -> Factor:
    """Divide factors in every repeat that has both: 1 if changes multiply."""
    if unknown := factor.reason or other.reason:
        return Factor({}, reason=unknown)
    if other.at_least:
        return Factor({}, reason="the product is a lower limit")
    repeats = sorted(factor.by_repeat.keys() & other.by_repeat.keys())
    if not repeats:
        return Factor({}, reason="no repeat has both")
    return Factor({one: factor.by_repeat[one] / other.by_repeat[one] for one in repeats}, factor.at_least)


def flat_factors(factors: Mapping[str, Factor]) -> dict[str, Any]:
    """Return the columns of some factors by name; see `savings`."""
    row: dict[str, Any] = {}
    for name, one in factors.items():
        values = list(one.by_repeat.values())
        row |= paired_ratio(values, np.ones(len(values)).tolist()).columns(f"{name}_factor")
        row |= {f"{name}_n": len(values), f"{name}_at_least": one.at_least, f"{name}_reason": one.reason}
    return row
