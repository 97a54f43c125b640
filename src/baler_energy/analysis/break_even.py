"""Costs and savings of a codec: training, compressing, keeping, moving and reading data, and when it pays.

All functions take numbers or arrays that broadcast, so the same formula applies to the likeliest values, to draws from
their ranges, and to the axes of figures. docs/break-even.md has the formulas and the sources of the constants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baler_energy.analysis.carbon import YEAR_S, co2e_kg
from baler_energy.vocabulary import JOULES_PER_KWH

__all__ = [
    "AS_RECORDED",
    "BREAK_EVEN_DRAWS",
    "CO2E",
    "ENERGY",
    "MONEY",
    "STEPS",
    "Band",
    "CodecCosts",
    "Quantity",
    "Ranges",
    "Scenario",
    "band",
    "constant_rows",
    "costs",
    "draw",
    "likeliest",
    "net_saving",
    "pays_from_volume_per_model_tb",
    "pays_from_years",
    "ratio_to_pay",
]

#: What is paid for, in chronological order.
STEPS = ("train", "compress", "keep", "move", "read")
BREAK_EVEN_DRAWS = 10_000
_SEED = 20_240_101
_GB_PER_TB, _B_PER_TB = 1e3, 1e12
_LOW, _HIGH = 0.05, 0.95

#: A number, or an array that broadcasts with the others.
Value = Any
#: Values of the constants, by key of the study's section ``break_even``.
Constants = Mapping[str, Value]
#: Low end, likeliest value and high end of each constant.
Ranges = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class CodecCosts:
    """What a codec needs, per volume of the data in their recorded formats.

    Parameters
    ----------
    name
        Name for readers.
    ratio
        Recorded volume over stored volume, without the model.
    compress_j_per_gb, decompress_j_per_gb
        Energy of the machine, without PUE (J per 10^9 bytes).
    train_j
        Energy of training one model (J).
    model_bytes
        Size of one model, which is kept and moved like the data (B).
    """

    name: str
    ratio: float
    compress_j_per_gb: float = 0.0
    decompress_j_per_gb: float = 0.0
    train_j: float = 0.0
    model_bytes: float = 0.0


#: No compression: the data are kept in their recorded formats.
AS_RECORDED = CodecCosts("as recorded", 1.0)


@dataclass(frozen=True)
class Scenario:
    """How much data, for how long, where.

    Parameters
    ----------
    name
        Name for readers.
    volume_tb
        Volume in the recorded formats (TB).
    years
        How long the data are kept.
    volume_per_model_tb
        Volume that one model compresses (TB); there is at least one model.
    intensity_g_per_kwh
        Carbon intensity of all electricity (g/kWh); None: unknown, and CO2e is not computed.
    """

    name: str
    volume_tb: Value
    years: Value
    volume_per_model_tb: Value
    intensity_g_per_kwh: float | None = None

    @property
    def models(self) -> Value:
        """Number of models that are trained."""
        return np.maximum(1.0, self.volume_tb / self.volume_per_model_tb)


class Quantity(NamedTuple):
    """What is counted; `unit` is None for money, whose unit is the study's currency."""

    name: str
    label: str
    unit: str | None


#: Quantities that `costs` returns.
ENERGY, CO2E, MONEY = (
    Quantity("energy_j", "energy", "J"),
    Quantity("co2e_kg", "CO2e", "kg"),
    Quantity("money", "money", None),
)


class Band(NamedTuple):
    """Median, and the range of 90 % of the draws; infinite: never."""

    median: Any
    low: Any
    high: Any


def constant_rows(ranges: Ranges, currency: str) -> list[dict[str, Any]]:
    """Return the rows of the table ``break_even``: each constant with its range."""
    return [
        {"name": name, "value": value, "low": low, "high": high, "currency": currency}
        for name, (low, value, high) in ranges.items()
    ]


def likeliest(ranges: Ranges) -> Constants:
    """Return the likeliest value of each constant."""
    return {name: value for name, (_, value, _) in ranges.items()}


def draw(ranges: Ranges, draws: int = BREAK_EVEN_DRAWS, seed: int = _SEED) -> Constants:
    """Draw the constants from triangular distributions.

    Parameters
    ----------
    ranges
        Range of each constant.
    draws
        Number of draws.
    seed
        The same seed gives the same draws. The draws of a key do not depend on the other keys.

    Returns
    -------
    Mapping
        Arrays of shape (draws, 1), so that the axis of a figure can be the second dimension.
    """
    found: dict[str, Value] = {}
    for name, (low, value, high) in ranges.items():
        generator = np.random.default_rng([seed, *name.encode()])
        # NumPy rejects a triangular distribution of zero width.
        found[name] = generator.triangular(low, value, high, (draws, 1)) if low < high else np.full((draws, 1), value)
    return found


def costs(codec: CodecCosts, scenario: Scenario, constants: Constants) -> dict[Quantity, dict[str, Value]]:
    """Return what each of `STEPS` costs with a codec.

    Energies include the PUE, except for the network. Money is the price of storage and of electricity; computers and
    staff are not included.

    Returns
    -------
    dict
        Costs by quantity and step (J, kg, currency of the prices). CO2e is missing without a carbon intensity.
    """
    energy = _energy_j(codec, scenario, constants)
    price = constants["electricity_price_per_kwh"]
    money = {step: value / JOULES_PER_KWH * price for step, value in energy.items()}
    rent = _copies(constants, "price_per_tb_year")
    money["keep"] = money["keep"] + _stored_tb(codec, scenario) * rent * scenario.years
    found = {ENERGY: energy, MONEY: money}
    if scenario.intensity_g_per_kwh is not None:
        # The energies include the PUE.
        found[CO2E] = {step: co2e_kg(value, scenario.intensity_g_per_kwh, 1.0) for step, value in energy.items()}
    return found


def _energy_j(codec: CodecCosts, scenario: Scenario, constants: Constants) -> dict[str, Value]:
    volume_gb, stored_tb, pue = scenario.volume_tb * _GB_PER_TB, _stored_tb(codec, scenario), constants["pue"]
    power_w = stored_tb * _copies(constants, "power_w_per_tb")
    moved_gb = constants["transfers"] * stored_tb * _GB_PER_TB
    return {
        "train": pue * scenario.models * codec.train_j,
        "compress": pue * volume_gb * codec.compress_j_per_gb,
        "keep": pue * power_w * scenario.years * YEAR_S,
        "move": moved_gb * constants["transfer_kwh_per_gb"] * JOULES_PER_KWH,
        "read": pue * constants["reads"] * volume_gb * codec.decompress_j_per_gb,
    }


def _stored_tb(codec: CodecCosts, scenario: Scenario) -> Value:
    return scenario.volume_tb / codec.ratio + scenario.models * codec.model_bytes / _B_PER_TB


def _copies(constants: Constants, what: str) -> Value:
    """Sum a constant of disk and of tape over the copies."""
    return sum(constants[f"replicas_{kind}"] * constants[f"{kind}_{what}"] for kind in ("disk", "tape"))


def net_saving(
    quantity: Quantity, codec: CodecCosts, other: CodecCosts, scenario: Scenario, constants: Constants
) -> Value:
    """Return what a codec saves in all steps compared with another one; negative: it costs more."""
    mine, theirs = costs(codec, scenario, constants)[quantity], costs(other, scenario, constants)[quantity]
    return sum(theirs[step] - mine[step] for step in STEPS)


def pays_from_years(
    quantity: Quantity, codec: CodecCosts, other: CodecCosts, scenario: Scenario, constants: Constants
) -> NDArray[np.float64]:
    """Return the number of years after which a codec saves compared with another one, and continues to save.

    The net saving is linear in the years: ``s0 + s1 years``. The result is ``-s0 / s1``, or 0 if the codec saves at
    once, or infinite if its saving does not grow with time (unless ``s1 = 0`` and ``s0 >= 0``).
    """
    at_once, after_one = (
        net_saving(quantity, codec, other, replace(scenario, years=years), constants) for years in (0.0, 1.0)
    )
    return _crossing(at_once, after_one - at_once)


def pays_from_volume_per_model_tb(
    quantity: Quantity, codec: CodecCosts, other: CodecCosts, scenario: Scenario, constants: Constants
) -> NDArray[np.float64]:
    """Return the volume per model (TB) above which a codec saves compared with another one; infinite: never.

    With v TB per model and V TB in total, the net saving is ``s V - c V / v``: the saving without models minus what
    V / v models cost more than those of the other codec, which trains as many, if it trains. So the volume is
    ``c / s``. A volume above V cannot be reached and counts as infinite.
    """
    mine, theirs = (replace(one, train_j=0.0, model_bytes=0.0) for one in (codec, other))
    free = net_saving(quantity, mine, theirs, scenario, constants)
    of_a_model = (free - net_saving(quantity, codec, other, scenario, constants)) / scenario.models
    least = _crossing(-of_a_model, free / scenario.volume_tb)
    return np.where(least <= scenario.volume_tb, least, np.inf)


def ratio_to_pay(
    quantity: Quantity, codec: CodecCosts, other: CodecCosts, scenario: Scenario, constants: Constants
) -> NDArray[np.float64]:
    """Return the ratio at which a codec would cost as much as another one; infinite: no ratio is enough.

    Keeping and moving may cost as much as the other codec's total minus the codec's other steps. Their cost is
    proportional to the stored volume; the price per volume follows from the data as recorded. If they cost nothing, the
    ratio does not matter: it is 0 (any ratio is enough) if the codec costs no more than the other one, else infinite.
    """
    mine, theirs = costs(codec, scenario, constants)[quantity], costs(other, scenario, constants)[quantity]
    recorded = costs(AS_RECORDED, scenario, constants)[quantity]
    per_tb = (recorded["keep"] + recorded["move"]) / scenario.volume_tb
    left = sum(theirs[step] for step in STEPS) - (mine["train"] + mine["compress"] + mine["read"])
    left, per_tb = np.broadcast_arrays(np.asarray(left, "float64"), np.asarray(per_tb, "float64"))
    # Where a TB is free, any volume may be stored, or none.
    kept_tb = np.divide(left, per_tb, out=np.where(left >= 0, np.inf, -np.inf), where=per_tb != 0)
    stored_tb = np.asarray(kept_tb - scenario.models * codec.model_bytes / _B_PER_TB)
    ratio: NDArray[np.float64] = np.full(stored_tb.shape, np.inf)
    np.divide(scenario.volume_tb, stored_tb, out=ratio, where=stored_tb > 0)
    return ratio


def _crossing(at_zero: Value, slope: Value) -> NDArray[np.float64]:
    """Return the least x >= 0 above which ``at_zero + slope x`` stays at 0 or more; infinite if there is none."""
    at_zero, slope = np.broadcast_arrays(np.asarray(at_zero, "float64"), np.asarray(slope, "float64"))
    rises = slope > 0
    crossing = np.divide(-at_zero, slope, out=np.full(slope.shape, np.inf), where=rises)
    stays = (slope == 0) & (at_zero >= 0)
    return np.where(rises, np.maximum(crossing, 0.0), np.where(stays, 0.0, np.inf))


def band(samples: NDArray[np.float64]) -> Band:
    """Summarise draws along the first dimension by their median and the range of 90 % of them.

    Quantiles are drawn values, since nothing can be interpolated between a number and infinity (never).
    """
    low, median, high = np.quantile(samples, (_LOW, 0.5, _HIGH), axis=0, method="inverted_cdf")
    return Band(median, low, high)
