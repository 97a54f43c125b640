"""Whether compression pays: the cost of each step and the net saving, for three volumes of data."""

from typing import Any

import numpy as np
import pandas as pd

from baler_energy.analysis.break_even import (
    AS_RECORDED,
    ENERGY,
    MONEY,
    STEPS,
    Band,
    CodecCosts,
    Constants,
    Quantity,
    Scenario,
    band,
    costs,
    draw,
    likeliest,
    net_saving,
    pays_from_volume_per_model_tb,
    pays_from_years,
    ratio_to_pay,
)
from baler_energy.analysis.published import PUBLISHED
from baler_energy.config.texts import one_of
from baler_energy.figures.base import NoData, Tables, TableSpec
from baler_energy.figures.break_even_rows import (
    BreakEvenData,
    Case,
    amount,
    band_text,
    read_break_even,
    scenarios,
    volume_text,
    years_text,
)
from baler_energy.figures.readable import Row
from baler_energy.figures.trivial import trivial_words

__all__ = ["TABLE", "break_even"]

#: Comparisons of a codec, by the prefix of their columns.
_AGAINST = {
    "recorded": "against keeping as recorded",
    "lossless": "against the best lossless codec",
    "best": "against the best other codec",
    "relative": "against the best other codec relative to the value",
}
_SAVINGS = [
    f"{against}_{name}"
    for against in _AGAINST
    for name in ("saving", "saving_low", "saving_high", "pays_share", "pays_from_years", "pays_from_volume_tb")
]
_COLUMNS = [
    *("scenario", "volume_tb", "years", "at_codec", "at_error", "at_error_rows", "codec", "ratio", "quantity", "unit"),
    *STEPS,
    *_SAVINGS,
    *("relative_codec", "relative_ratio", "evidence"),
]


def break_even(tables: Tables) -> pd.DataFrame:
    """Return the costs of data as recorded, with each codec trained in epochs, and with the best other codecs.

    Returns
    -------
    pandas.DataFrame
        For each trained codec (``at_codec``; ``at_error`` on ``at_error_rows``: held-out or training), scenario and
        ``codec``, a row per ``quantity`` (energy_j, co2e_kg, money) in ``unit``: the cost of each step at the likeliest
        constants, and the net savings against keeping as recorded (``recorded_``) and, for the trained codec, against
        the best lossless codec (``lossless_``) and the best ones at its error (``best_``) and at its median relative
        error (``relative_``; ``relative_codec``, ``relative_ratio``): median and 90 % of the draws, share of draws in
        which it pays, and medians of the years and of the volume per model (TB) above which it pays (null: never).
        ``evidence`` is that of train, compress and read; keep, move and prices are modelled. Empty if
        there is nothing to compare.
    """
    try:
        study = read_break_even(tables)
    except NoData:
        return pd.DataFrame(columns=_COLUMNS)
    draws = draw(study.ranges)
    rows = [
        row
        for case in study.cases
        for scenario in scenarios(study)
        for codec in (case.trained, *case.others)
        for row in _rows(study, case, scenario, codec, draws)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _rows(study: BreakEvenData, case: Case, scenario: Scenario, codec: CodecCosts, draws: Constants) -> list[Row]:
    found = []
    for quantity, by_step in costs(codec, scenario, likeliest(study.ranges)).items():
        row: Row = {"scenario": scenario.name, "volume_tb": scenario.volume_tb, "years": scenario.years}
        row |= {"at_codec": case.trained.name, "at_error": case.error}
        row |= {"at_error_rows": case.error_rows, "codec": codec.name, "ratio": codec.ratio}
        row |= {"quantity": quantity.name, "unit": quantity.unit or study.currency, "evidence": case.evidence}
        row |= {step: float(value) for step, value in by_step.items()}
        if codec is not AS_RECORDED:
            row |= _savings("recorded", quantity, codec, AS_RECORDED, scenario, draws)
        compared = {"lossless": case.lossless, "best": case.best, "relative": case.best_relative}
        for against, other in compared.items() if codec is case.trained else ():
            if other is not None:
                row |= _savings(against, quantity, codec, other, scenario, draws)
        if codec is case.trained and case.best_relative is not None:
            row |= {"relative_codec": case.best_relative.name, "relative_ratio": case.best_relative.ratio}
        found.append(row)
    return found


def _savings(
    against: str, quantity: Quantity, codec: CodecCosts, other: CodecCosts, scenario: Scenario, draws: Constants
) -> Row:
    compared = (quantity, codec, other, scenario, draws)
    saved = net_saving(*compared)[:, 0]
    values = dict(zip(("saving", "saving_low", "saving_high"), band(saved), strict=True))
    values["pays_share"] = float(np.mean(saved > 0))
    values["pays_from_years"] = band(pays_from_years(*compared)[:, 0]).median
    values["pays_from_volume_tb"] = band(pays_from_volume_per_model_tb(*compared)[:, 0]).median
    return {f"{against}_{name}": value if np.isfinite(value) else None for name, value in values.items()}


def _readable(frame: pd.DataFrame, most: int) -> list[dict[str, str]]:
    """Return a row for each codec of each scenario, with all quantities in each cell."""
    parts = [part.to_dict("records") for _, part in frame.groupby(_KEY, sort=False)]
    return [_row(part) for part in parts[:most]]


_KEY = ["at_codec", "scenario", "codec"]


def _row(part: list[Row]) -> dict[str, str]:
    first = part[0]
    own = first["codec"] == first["at_codec"]
    kind = "" if own else " (at its error or less)"
    row = {"data": first["scenario"], "trained codec": first["at_codec"], "kept": f"{first['codec']}{kind}"}
    if first["codec"] == AS_RECORDED.name:
        row["kept"] = first["codec"]
    row["ratio"] = f"{first['ratio']:.3g}"
    row |= {step: ", ".join(amount(one[step], one["unit"]) for one in part) for step in STEPS}
    for against, words in _AGAINST.items():
        row[f"saved {words}"] = "; ".join(_saved(one, against) for one in part) if _known(first, against) else "-"
    row["that codec relative to the value"] = (
        f"{first['relative_codec']} (ratio {first['relative_ratio']:.3g})" if _known(first, "relative") else "-"
    )
    return row


def _known(row: Row, against: str) -> bool:
    return not pd.isna(row[f"{against}_saving"])


def _saved(row: Any, against: str, *, saved: bool = False) -> str:
    ends = Band(*(row[f"{against}_{name}"] for name in ("saving", "saving_low", "saving_high")))
    return band_text(ends, row["unit"], saved=saved)


def _notes(frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Explain whether the best trained codec pays, and under which conditions."""
    if frame.empty:
        return []
    study = read_break_even(tables)
    case, scenario = study.cases[0], scenarios(study)[1]
    of_money = frame[(frame["quantity"] == MONEY.name) & (frame["codec"] == frame["at_codec"])]
    own = of_money[(of_money["at_codec"] == case.trained.name) & (of_money["scenario"] == scenario.name)].iloc[0]
    said = [_against_best(own, study, case, scenario) if case.best else _NO_OTHER, _against_recorded(own)]
    if case.best_relative:
        said.append(
            f"At the same median relative error the best other codec is {own['relative_codec']} (ratio "
            f"{own['relative_ratio']:.3g}); compared with it, {case.trained.name} "
            f"{_saved(own, 'relative', saved=True)}."
        )
    if len(study.cases) > 1 and case.best:
        shares = of_money[of_money["scenario"] == scenario.name]["best_pays_share"]
        paying = int((shares > 0.5).sum()) or "none"
        said.append(f"Cheaper than the best other codec at its error in most draws: {paying} of {len(shares)} codecs.")
    said.append(
        f"Energy to train, compress and read is {case.evidence}; energy to keep and move, and all prices, are modelled."
    )
    if study.intensity_g_per_kwh is None:
        said.append("No CO2e: the study sets no carbon intensity.")
    return said + trivial_words(tables["runs"])


_NO_OTHER = "At or below the error of a codec trained in epochs, the study has no other codec to compare with."


def _against_best(own: Any, study: BreakEvenData, case: Case, scenario: Scenario) -> str:
    best = case.best
    assert best is not None
    compared = (case.trained, best, scenario, likeliest(study.ranges))
    pays = "pays" if own["best_saving"] > 0 else "does not pay"
    said = f"{case.trained.name} ({case.error_words}) {pays} compared with {best.name}, "
    said += f"{_training(case.trained, best)}: for {scenario.name}, kept for {scenario.years:g} years, it "
    said += f"{_saved(own, 'best', saved=True)}."
    said += f" Its ratio is {case.trained.ratio:.3g}, that of {best.name} {best.ratio:.3g}; at this error it would save"
    return f"{said} money with {_ratio_needed(MONEY, compared)}, and energy with {_ratio_needed(ENERGY, compared)}."


def _training(trained: CodecCosts, best: CodecCosts) -> str:
    if best.train_j == 0:
        return "which needs no training and has no larger error"
    mine, theirs = (amount(one.train_j, "J") for one in (trained, best))
    return f"whose training takes {theirs} instead of {mine} and whose error is no larger"


def _ratio_needed(quantity: Quantity, compared: tuple[CodecCosts, CodecCosts, Scenario, Constants]) -> str:
    needed = float(ratio_to_pay(quantity, *compared))
    # A ratio of 0 is enough to cost no more; that saves nothing where the other steps are free, too.
    if needed == 0 and net_saving(quantity, *compared) > 0:
        return "any ratio"
    return f"a ratio above {needed:.3g}" if 0 < needed < np.inf else "no ratio, however large"


def _against_recorded(own: Any) -> str:
    saved = _saved(own, "recorded", saved=True)
    years, volume = (np.inf if pd.isna(own[name]) else own[name] for name in _FROM)
    said = f"Against keeping the data as recorded it {saved} for {own['scenario']}"
    if np.isfinite([years, volume]).all():
        return f"{said}; it pays {years_text(years)}, and {volume_text(volume)}."
    if np.isfinite(years):
        return f"{said}; it pays {years_text(years)}, but not within {own['years']:g} years at any volume per model."
    if np.isfinite(volume):
        return f"{said}; it pays {volume_text(volume)}, but never at the study's volume per model."
    return f"{said}; it never pays."


_FROM = ("recorded_pays_from_years", "recorded_pays_from_volume_tb")
#: Published energies (kJ/GB) of the compressors that packings use, the last one from another source.
*_ON_NODE, _ON_PROCESSOR = (
    f"{one.compressor} {one.compress_j_per_gb / 1000:#.2g}" for one in PUBLISHED if one.word is not None
)


TABLE = TableSpec(
    "break_even",
    "Does it pay?",
    "Energy, CO2e and money to train, compress, keep, move and read data, at the likeliest constants of the section "
    "break_even (sources and ranges: docs/break-even.md). Each codec trained in epochs is compared with the data as "
    "recorded, with the lossless codec that has the largest ratio, and with the codec that has the largest ratio at "
    "the same error or less, among those that are not trained in epochs: without a transform, or with one in closed "
    "form, such as PCA, whose model is counted, too. The same error is the same RMS residual over range and, as the "
    "ranking differs, the same median relative error. Net savings are medians and 90 % of 10,000 seeded draws from the "
    "ranges; they do not include the spread of the measurements. Years and volume per model have no range, since they "
    "are the axes of two figures; nor has the study's carbon intensity. One model is trained for each volume per "
    "model, at the cost of a training on the study's sample. Most of that volume is not in the training rows, so "
    "codecs are compared at the trained codec's error on held-out rows (also for the sample) or, if none were held "
    "out, at its error on "
    "the training rows; the notes say which. Money is the price of storage and electricity, without computers and "
    "staff. The volume of an LHC run is that of Run 2 (CERN, 2024). Published energies to compress, for comparison: "
    f"{one_of(_ON_NODE, 'and')} kJ/GB (a field of NYX on one core of a two-socket Intel node, energy of the whole "
    f"node: data of the authors of arXiv 2410.23497); {_ON_PROCESSOR} kJ/GB (a CSV file, RAPL, processor not named: "
    "Green Coding).",
    make=break_even,
    rows=_readable,
    count=lambda frame: len(frame[_KEY].drop_duplicates()),
    notes=_notes,
    without_rows="The study's centre has no codec trained in epochs with all energies, or no other codec.",
    averaged=True,
    by_dataset=True,
    main=("data", "kept", "ratio", f"saved {_AGAINST['recorded']}", f"saved {_AGAINST['best']}"),
)
