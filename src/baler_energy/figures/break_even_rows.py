"""Break-even of a study: codecs trained in epochs, the best other codecs at the same error, and the costs of data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.break_even import (
    AS_RECORDED,
    MONEY,
    Band,
    CodecCosts,
    Ranges,
    Scenario,
    likeliest,
    net_saving,
)
from baler_energy.analysis.hardware import Cost, Mean, OtherCodec
from baler_energy.analysis.law import with_machine
from baler_energy.analysis.rate_distortion import COSTS, TRAINING, at_error, codec_name
from baler_energy.figures.base import NoData, Tables, by_dataset, require_rows
from baler_energy.figures.codec_rows import codecs_at_centre
from baler_energy.figures.selection import scaled_unit

__all__ = [
    "BreakEvenData",
    "Case",
    "amount",
    "band_text",
    "other_codec",
    "read_break_even",
    "scenarios",
    "volume_text",
    "years_text",
]

#: Data of one LHC run: 204 PB, recorded by the experiments in all of Run 2, 2015 to 2018 (CERN, How CERN IT keeps up
#: with the data deluge, 2024).
_LHC_RUN_TB = 204e3
#: A year of 1 PB per day.
_PB_A_DAY_TB = 365.25e3
#: What each model costs, and all numbers of a `CodecCosts`, in order.
_MODEL = ["train_j", "model_bytes"]
_NEEDED = ["ratio", "compress_j_per_gb", "decompress_j_per_gb", *_MODEL]
#: Energy and time of one training, and of a GB in the other operations; what else is read of the best other codec.
_COSTS = COSTS | {"train": TRAINING}
_MORE = [f"{name}{end}" for pair in _COSTS.values() for name in pair for end in ("", "_half_width")]
_KNOWN = list(dict.fromkeys([*_NEEDED, *_MORE]))
#: What is unknown of these between two points of a curve (`at_error`); null at a point.
_DEVIATIONS = [f"{name}_deviation" for pair in _COSTS.values() for name in pair]
#: Errors in which codecs are matched, on rows that a codec was not trained on: what a model is worth for more data than
#: its training rows. A codec without training has the same error on all rows of the same kind.
_ON_NEW_ROWS, _RELATIVE = "error_on_new_rows", "relative_error_on_new_rows"
#: A codec, by column.
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Case:
    """A codec that trains in epochs, and others with the largest ratio: at no larger error, and without any error.

    The others do not train in epochs: they have no transform, or one in closed form, such as PCA.

    Parameters
    ----------
    trained, best, best_relative, lossless
        The codecs, with the energy and size of their models; those but `trained` are None if the study has no such
        codec. `best_relative` is chosen at the trained codec's median relative error.
    error
        Mean RMS residual over range of the trained codec, at which `best` was chosen.
    held_out
        Whether `error` is that on held-out rows. If it is not known, it is that on the training rows.
    evidence
        Whether the energies of both are measured or modelled.
    n
        Number of runs of the trained codec.
    best_row
        Costs of `best` as in `codec_points`, with intervals.
    """

    trained: CodecCosts
    best: CodecCosts | None
    best_relative: CodecCosts | None
    lossless: CodecCosts | None
    error: float
    held_out: bool
    evidence: str
    n: int
    best_row: Row | None

    @property
    def error_rows(self) -> str:
        """The rows of `error`."""
        return "held-out" if self.held_out else "training"

    @property
    def error_words(self) -> str:
        """The error, its measure and its rows."""
        return f"RMS residual / range {100 * self.error:.3g} % on {self.error_rows} rows"

    @property
    def others(self) -> tuple[CodecCosts, ...]:
        """The codecs that the trained codec is compared with."""
        return tuple(dict.fromkeys(one for one in (AS_RECORDED, self.lossless, self.best) if one is not None))


@dataclass(frozen=True)
class BreakEvenData:
    """Input of a study's break-even.

    Parameters
    ----------
    cases
        Each codec that trains in epochs; the one that does best against other codecs comes first.
    ranges
        Ranges of the constants.
    currency
        Currency of the prices.
    volume_tb
        Volume of the study's sample (TB).
    intensity_g_per_kwh
        Carbon intensity of the study's electricity, the mean over the runs; None: unknown.
    device
        The device, such as ``CPU run``.
    """

    cases: tuple[Case, ...]
    ranges: Ranges
    currency: str
    volume_tb: float
    intensity_g_per_kwh: float | None
    device: str

    def scenario(self, name: str, volume_tb: float) -> Scenario:
        """Return the scenario of a volume, kept for the study's number of years with its carbon intensity."""
        given = likeliest(self.ranges)
        amounts = volume_tb, given["years"], given["volume_per_model_tb"]
        return Scenario(name, *amounts, self.intensity_g_per_kwh)


def scenarios(study: BreakEvenData) -> tuple[Scenario, ...]:
    """Return three scenarios: the study's sample, one LHC run, and a year of 1 PB per day."""
    volumes = {
        "the study's sample": study.volume_tb,
        "one LHC run (204 PB)": _LHC_RUN_TB,
        "a year of 1 PB/day (365 PB)": _PB_A_DAY_TB,
    }
    return tuple(study.scenario(name, volume_tb) for name, volume_tb in volumes.items())


def amount(value: float, unit: str) -> str:
    """Format an amount, which can be negative: J with an SI prefix, large masses in t, large sums in millions."""
    if unit == "J":
        factor, prefixed = scaled_unit([abs(value)], unit)
        return f"{value * factor:.3g} {prefixed}"
    for limit, name in _LARGE["kg" if unit == "kg" else "money"]:
        if abs(value) >= limit:
            return f"{value / limit:,.3g} {name.format(unit=unit)}"
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"


_LARGE = {"kg": ((1e6, "kt"), (1e3, "t")), "money": ((1e9, "billion {unit}"), (1e6, "million {unit}"))}


def band_text(found: Band, unit: str, *, saved: bool = False) -> str:
    """Format a median with the range of 90 % of the draws.

    With `saved`, return a clause: ``saves 3 EUR (...)``, or ``costs 3 EUR more (...)`` if the median is negative.
    """
    costs = saved and found.median < 0
    ends = Band(-found.median, -found.high, -found.low) if costs else found
    median, low, high = (amount(float(value), unit) for value in ends)
    verb = ("costs " if costs else "saves ") if saved else ""
    return f"{verb}{median}{' more' if costs else ''} (90 %: {low} to {high})"


def years_text(years: float) -> str:
    """Format the time after which something pays; infinite: never."""
    if not np.isfinite(years):
        return "never"
    if years == 0:
        return "at once"
    return f"after {years:.2g} years" if years >= 0.1 else f"after {years * 365.25:.2g} days"


def volume_text(volume_tb: float) -> str:
    """Format the volume per model above which something pays; infinite: never."""
    if not np.isfinite(volume_tb):
        return "never"
    if volume_tb == 0:
        return "at any volume"
    factor, unit = scaled_unit([volume_tb * 1e12], "B")
    return f"from {volume_tb * 1e12 * factor:.3g} {unit} per model"


def read_break_even(tables: Tables) -> BreakEvenData:
    """Read the break-even's input from the dataset, at the study's centre.

    Raises
    ------
    NoData
        No codec that trains in epochs has an energy for each operation.
    """
    constants = tables["break_even"]
    require_rows("the dataset has no constants (break_even); collect the study again", constants)
    points, runs, device = codecs_at_centre(tables)
    on_new_rows = {_ON_NEW_ROWS: "error", _RELATIVE: "relative_error"}
    points = points.assign(**{new: points[f"held_out_{old}"].fillna(points[old]) for new, old in on_new_rows.items()})
    native = (runs["ratio_native_bytes"] * runs["compressed_bytes"]).mean()
    cases = [_case(row, points) for row in points[points["epochs"].notna()].to_dict("records")]
    intensity = runs["carbon_intensity_g_per_kwh"].dropna()
    ends = zip(*(constants[column] for column in ("low", "value", "high")), strict=True)
    study = BreakEvenData(
        tuple(case for case in cases if case is not None),
        dict(zip(constants["name"], ends, strict=True)),
        str(constants["currency"].iloc[0]),
        native / 1e12,
        float(intensity.mean()) if len(intensity) else None,
        device,
    )
    if not study.cases:
        raise NoData("no trained codec at the study's centre has an unflagged energy for each of its operations")
    return _ordered(study)


def _case(row: Row, points: pd.DataFrame) -> Case | None:
    """Compare a trained codec with the best other ones; None if one of its energies is unknown."""
    if not np.isfinite([float(row[name]) for name in _NEEDED]).all():
        return None
    held_out, evidence = not pd.isna(row["held_out_error"]), str(row["evidence"])
    # Only codecs whose energies have the same evidence are compared.
    others = points[points["epochs"].isna() & points["evidence"].eq(evidence)]
    best, relative = (_best(row, others, measure) for measure in (_ON_NEW_ROWS, _RELATIVE))
    lossless = _largest(others[others[_ON_NEW_ROWS] == 0], others)
    own = _codec(codec_name(row), row)
    others_named = _named(best), _named(relative), _named(lossless)
    return Case(own, *others_named, row[_ON_NEW_ROWS], held_out, evidence, int(row["n"]), best)


def _codec(name: str, row: Row) -> CodecCosts:
    return CodecCosts(name, *(float(row[column]) for column in _NEEDED))


def _named(row: Row | None) -> CodecCosts | None:
    return None if row is None else _codec(str(row["family"]), row)


def _best(row: Row, others: pd.DataFrame, measure: str) -> Row | None:
    """Return the codec with the largest ratio at the error of a row or below."""
    error = row[measure]
    same = at_error(others, error, _KNOWN, measure) if error > 0 else pd.DataFrame()
    smaller = others[others[measure] <= error]
    found = [one for one in (same, smaller) if len(one)]
    return _largest(pd.concat(found, ignore_index=True), others) if found else None


def _largest(known: pd.DataFrame, others: pd.DataFrame) -> Row | None:
    """Return the codec with the largest ratio among rows of `others`, or interpolated from them."""
    known = known.reindex(columns=["family", *_KNOWN, *_DEVIATIONS]).reset_index(drop=True)
    # What is not trained has no model. `at_error` interpolates no zeros.
    untrained = known["family"].isin(others.loc[~others["trains"].astype(bool), "family"])
    known.loc[untrained, _MODEL] = 0.0
    # Keeping the data as recorded is a separate comparison.
    known = known.dropna(subset=_NEEDED)
    known = known[known["ratio"] > 1].sort_values("ratio", ascending=False, kind="stable")
    return None if known.empty else known.iloc[0].to_dict()


def _ordered(study: BreakEvenData) -> BreakEvenData:
    """Sort by the money that a codec saves against the best other one, or else against the data as recorded."""
    lhc = scenarios(study)[1]

    def saves(case: Case) -> tuple[bool, float]:
        saved = net_saving(MONEY, case.trained, case.others[-1], lhc, likeliest(study.ranges))
        return case.best is not None, float(saved)

    return replace(study, cases=tuple(sorted(study.cases, key=saves, reverse=True)))


def other_codec(tables: Tables, study: str) -> OtherCodec | None:
    """Return the best other codec of a study, at the error of the trained codec that does best against others.

    Parameters
    ----------
    tables
        The dataset; of several, the first one's codecs are compared.
    study
        Title of the study.

    Returns
    -------
    OtherCodec or None
        None: the study has none, or not all of its times and energies.
    """
    tables = next(iter(by_dataset(tables).values()))
    try:
        case = read_break_even(tables).cases[0]
    except NoData:
        return None
    row, best = case.best_row, case.best
    if row is None or best is None:
        return None
    used = {name: pair for name, pair in _COSTS.items() if name != "train" or best.train_j > 0}
    if not np.isfinite([float(row[name]) for pair in used.values() for name in pair]).all():
        return None
    about = {"name": best.name, "ratio": best.ratio, "evidence": case.evidence, "study": study}
    about |= {"at_codec": case.trained.name, "at_ratio": case.trained.ratio, "at_error": case.error_words}
    about |= {"machine": " and ".join(with_machine(tables["runs"])["machine"].unique())}
    costs = {
        name: Cost(joules=_mean(row, joules), seconds=_mean(row, seconds)) for name, (joules, seconds) in used.items()
    }
    return OtherCodec.model_validate(about | costs)


def _mean(row: Row, name: str) -> Mean:
    value, half_width, deviation = (float(row[f"{name}{end}"]) for end in ("", "_half_width", "_deviation"))
    if not np.isfinite(half_width):
        return Mean(value=value, half_width=None)
    return Mean(value=value, half_width=float(np.hypot(half_width, value * np.nan_to_num(deviation))))
