"""What a codec costs and saves: cases computed by hand, and properties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baler_energy.analysis.break_even import (
    AS_RECORDED,
    CO2E,
    ENERGY,
    MONEY,
    STEPS,
    CodecCosts,
    Scenario,
    band,
    constant_rows,
    costs,
    draw,
    likeliest,
    net_saving,
    pays_from_volume_per_model_tb,
    pays_from_years,
    ratio_to_pay,
)
from baler_energy.config.sections import BreakEven

RANGES = BreakEven().ranges
#: Round numbers: a TB needs 1 W and 20 EUR a year, is moved once at 1 Wh/GB and read twice, at 0.5 EUR/kWh.
ROUND = {
    "replicas_disk": 1.0,
    "replicas_tape": 2.0,
    "disk_power_w_per_tb": 0.8,
    "tape_power_w_per_tb": 0.1,
    "disk_price_per_tb_year": 10.0,
    "tape_price_per_tb_year": 5.0,
    "transfers": 1.0,
    "transfer_kwh_per_gb": 0.001,
    "reads": 2.0,
    "electricity_price_per_kwh": 0.5,
    "pue": 1.5,
}
#: The same without electricity for storage, and without PUE.
FREE = ROUND | {"disk_power_w_per_tb": 0.0, "tape_power_w_per_tb": 0.0, "transfers": 0.0, "pue": 1.0}
HALF = CodecCosts("half", 2.0, compress_j_per_gb=36.0, decompress_j_per_gb=18.0, train_j=3.6e6, model_bytes=0.0)
TEN_TB = Scenario("ten TB", 10.0, 4.0, 5.0, intensity_g_per_kwh=100.0)

positive = st.floats(0.01, 100)
ratios = st.floats(1.0, 50.0)


def codec(ratio, energy, train=0.0, model=0.0):
    return CodecCosts("x", ratio, energy, energy / 3, train, model)


def test_costs_by_hand():
    found = costs(HALF, TEN_TB, ROUND)
    kwh = {step: value / 3.6e6 for step, value in found[ENERGY].items()}
    # Two models of 1 kWh; 10 TB at 0.01 kWh/TB; 5 TB x 1 W x 4 years of 8,766 h; 5 TB once; 10 TB twice.
    expected = {"train": 3.0, "compress": 0.15, "keep": 5 * 1e-3 * 4 * 8766 * 1.5, "move": 5.0, "read": 0.15}
    assert kwh == pytest.approx(expected) and tuple(kwh) == STEPS
    assert found[CO2E] == pytest.approx({step: 0.1 * value for step, value in expected.items()})
    money = {step: 0.5 * value for step, value in expected.items()}
    assert found[MONEY] == pytest.approx(money | {"keep": money["keep"] + 5 * 20 * 4})


def test_the_network_has_no_pue_and_without_intensity_there_is_no_co2e():
    here = costs(HALF, replace(TEN_TB, intensity_g_per_kwh=None), ROUND | {"pue": 1.0})
    assert CO2E not in here
    assert here[ENERGY]["move"] == costs(HALF, TEN_TB, ROUND)[ENERGY]["move"]
    assert costs(HALF, TEN_TB, ROUND)[ENERGY]["keep"] == pytest.approx(1.5 * here[ENERGY]["keep"])


def test_there_is_at_least_one_model_and_it_is_kept():
    little = replace(TEN_TB, volume_tb=1e-6)
    assert little.models == 1 and TEN_TB.models == 2
    big = replace(HALF, model_bytes=1e12)
    extra = [costs(big, s, ROUND)[ENERGY]["move"] - costs(HALF, s, ROUND)[ENERGY]["move"] for s in (little, TEN_TB)]
    assert extra == pytest.approx([3.6e6, 7.2e6])  # 1 TB at 1 Wh/GB is 1 kWh.


def test_break_even_years_by_hand():
    # Without PUE and electricity for storage: 5 TB less a year save 100 EUR; 2 kWh of training and so on cost 1.1 EUR.
    years = pays_from_years(MONEY, HALF, AS_RECORDED, TEN_TB, FREE)
    assert years == pytest.approx((1.0 + 0.05 + 0.05) / 100)
    # A year of 5 W is 43.83 kWh; 2.2 kWh are spent.
    energy = pays_from_years(ENERGY, HALF, AS_RECORDED, TEN_TB, ROUND | {"transfers": 0.0, "pue": 1.0})
    assert energy == pytest.approx(2.2 / (5e-3 * 8766))


def test_break_even_volume_by_hand():
    # A model costs 0.5 EUR; 1 TB without models saves 4 years x 10 EUR - 0.01 EUR.
    volume = pays_from_volume_per_model_tb(MONEY, HALF, AS_RECORDED, TEN_TB, FREE)
    assert volume == pytest.approx(0.5 / (40 - 0.01))
    little = replace(TEN_TB, volume_tb=0.01)
    assert pays_from_volume_per_model_tb(MONEY, HALF, AS_RECORDED, little, FREE) == np.inf


def test_the_other_codec_trains_as_many_models():
    # Ratio 2 against 1.25 saves 0.3 TB x 4 years x 20 EUR per TB, in which both compress and read alike.
    other = replace(HALF, ratio=1.25, train_j=0.9e6)
    volume = pays_from_volume_per_model_tb(MONEY, HALF, other, TEN_TB, FREE)
    assert volume == pytest.approx(0.75 * 0.5 / 24), "one model costs 1 kWh, the other's 0.25 kWh"
    exact = replace(TEN_TB, volume_per_model_tb=float(volume))
    assert net_saving(MONEY, HALF, other, exact, FREE) == pytest.approx(0, abs=1e-9)
    dear = replace(other, train_j=1e9)
    assert pays_from_volume_per_model_tb(MONEY, HALF, dear, TEN_TB, FREE) == 0, "at any volume"


def test_never_is_infinite_and_at_once_is_0():
    better = CodecCosts("better", 4.0)
    assert pays_from_years(MONEY, HALF, better, TEN_TB, ROUND) == np.inf
    assert pays_from_volume_per_model_tb(MONEY, HALF, better, TEN_TB, ROUND) == np.inf
    assert pays_from_years(MONEY, better, AS_RECORDED, TEN_TB, ROUND) == 0
    assert pays_from_years(MONEY, AS_RECORDED, AS_RECORDED, TEN_TB, ROUND) == 0
    # Saves at first, as nothing is read twice, and loses with time: it does not pay for good.
    slow = replace(better, decompress_j_per_gb=1e9)
    assert net_saving(ENERGY, HALF, slow, replace(TEN_TB, years=0.0), ROUND) > 0
    assert pays_from_years(ENERGY, HALF, slow, TEN_TB, ROUND) == np.inf
    assert np.isinf(band(np.array([0.5, np.inf, np.inf])).median)


def test_the_ratio_to_pay_by_hand():
    # A TB costs 80 EUR in 4 years. Training two models, compressing and reading cost 1.1 EUR; the models need 1 TB.
    heavy = replace(HALF, model_bytes=0.5e12)
    needed = ratio_to_pay(MONEY, heavy, AS_RECORDED, TEN_TB, FREE)
    assert needed == pytest.approx(10 / ((800 - 1.1) / 80 - 1))


@given(ratios, positive, positive, positive)
def test_the_ratio_to_pay_makes_both_cost_the_same(ratio, energy, other_ratio, years):
    scenario = replace(TEN_TB, years=years)
    mine, other = codec(ratio, energy, train=1e5, model=1e6), codec(max(other_ratio, 1.0), energy / 2)
    needed = float(ratio_to_pay(MONEY, mine, other, scenario, ROUND))
    assume(np.isfinite(needed))
    saved = net_saving(MONEY, replace(mine, ratio=needed), other, scenario, ROUND)
    assert saved == pytest.approx(0, abs=1e-9 * sum(costs(other, scenario, ROUND)[MONEY].values()))


def test_no_ratio_is_enough_where_the_codec_costs_more_than_all_of_the_other():
    assert ratio_to_pay(ENERGY, replace(HALF, compress_j_per_gb=1e9), AS_RECORDED, TEN_TB, ROUND) == np.inf


def test_the_ratio_does_not_matter_where_keeping_and_moving_cost_nothing():
    free = ROUND | {"replicas_disk": 0.0, "replicas_tape": 0.0, "transfers": 0.0}
    dear = replace(HALF, compress_j_per_gb=1e9)
    for quantity in (ENERGY, CO2E, MONEY):
        assert ratio_to_pay(quantity, HALF, dear, TEN_TB, free) == 0
        assert ratio_to_pay(quantity, HALF, HALF, TEN_TB, free) == 0, "as much with every ratio"
        assert ratio_to_pay(quantity, dear, HALF, TEN_TB, free) == np.inf
        assert ratio_to_pay(quantity, replace(HALF, model_bytes=1e12), dear, TEN_TB, free) == 0
    some = free | {"transfers": np.array([[0.0], [1.0]])}
    first, second = ratio_to_pay(ENERGY, HALF, dear, TEN_TB, some)
    assert first == 0 and second == ratio_to_pay(ENERGY, HALF, dear, TEN_TB, free | {"transfers": 1.0}) > 0


@given(ratios, positive, st.floats(1, 1000))
def test_costs_are_linear_in_the_volume(ratio, energy, factor):
    mine = codec(ratio, energy, train=1e6, model=1e6)
    more = replace(TEN_TB, volume_tb=TEN_TB.volume_tb * factor)
    for quantity, by_step in costs(mine, TEN_TB, ROUND).items():
        assert costs(mine, more, ROUND)[quantity] == pytest.approx(
            {step: factor * value for step, value in by_step.items()}
        )


@given(positive, positive)
def test_ratio_1_saves_nothing_on_storage(energy, years):
    scenario = replace(TEN_TB, years=years)
    mine, recorded = costs(codec(1.0, energy), scenario, ROUND), costs(AS_RECORDED, scenario, ROUND)
    for quantity in (ENERGY, CO2E, MONEY):
        assert mine[quantity]["keep"] == recorded[quantity]["keep"]
        assert net_saving(quantity, codec(1.0, energy), AS_RECORDED, scenario, ROUND) < 0


@given(ratios, ratios, positive, st.lists(st.floats(0, 100), min_size=2, max_size=9, unique=True))
def test_the_saving_is_monotonic_in_the_years_and_changes_sign_where_it_pays(ratio, other, energy, years):
    mine, theirs = codec(ratio, energy, train=1e6), codec(other, energy / 2)
    axis = np.sort(years)
    saved = net_saving(ENERGY, mine, theirs, replace(TEN_TB, years=axis), ROUND)
    steps = np.diff(saved)
    slack = 1e-9 * np.abs(saved).max()
    assert (steps >= -slack).all() if ratio >= other else (steps <= slack).all()
    pays = float(pays_from_years(ENERGY, mine, theirs, TEN_TB, ROUND))
    assert (saved[axis > 1.001 * pays] >= -slack).all()
    if ratio > other:
        assert (saved[axis < 0.999 * pays] <= slack).all()


@given(ratios, positive, st.floats(1e3, 1e9))
def test_the_saving_changes_sign_at_the_volume_where_it_pays(ratio, energy, train):
    assume(ratio > 1.01)
    mine, scenario = codec(ratio, energy, train, model=1e6), replace(TEN_TB, volume_tb=1e6)
    pays = float(pays_from_volume_per_model_tb(ENERGY, mine, AS_RECORDED, scenario, ROUND))
    assume(np.isfinite(pays))
    for volume, sign in ((1.01 * pays, 1), (0.99 * pays, -1)):
        assert sign * net_saving(ENERGY, mine, AS_RECORDED, replace(scenario, volume_per_model_tb=volume), ROUND) > 0


def test_draws_are_seeded_within_their_ranges_and_each_constant_has_its_own():
    first = draw(RANGES, 500)
    assert all(np.array_equal(values, draw(RANGES, 500)[name]) for name, values in first.items())
    for name, (low, value, high) in RANGES.items():
        assert first[name].shape == (500, 1) and (low <= first[name]).all() and (first[name] <= high).all()
        assert (first[name] == value).all() if low == high else first[name].std() > 0
    assert not np.array_equal(first["reads"], draw(RANGES, 500, seed=2)["reads"])
    # One constant more or less changes no other.
    fewer = {name: given for name, given in RANGES.items() if name != "transfers"}
    assert all(np.array_equal(values, first[name]) for name, values in draw(fewer, 500).items())


def test_the_draws_have_the_mean_of_their_triangle():
    found = draw({"x": (0.0, 2.0, 10.0)}, 200_000)["x"]
    assert found.mean() == pytest.approx(4.0, rel=0.01)


def test_the_range_of_the_pue_is_in_the_band():
    ranges = {name: (value, value, value) for name, value in likeliest(RANGES).items()} | {"pue": RANGES["pue"]}
    compared = (ENERGY, HALF, AS_RECORDED, TEN_TB)
    least = net_saving(*compared, likeliest(RANGES) | {"pue": 1.0, "transfers": 0.0})
    found = band(net_saving(*compared, draw(ranges) | {"transfers": 0.0})[:, 0] / least)
    assert RANGES["pue"][0] < found.low < found.median < found.high < RANGES["pue"][2]


def test_the_band_holds_90_percent_of_the_draws():
    found = band(np.arange(1.0, 101.0))
    assert found == (50, 5, 95)


def test_rows_have_every_constant():
    rows = constant_rows(RANGES, "CHF")
    assert {row["name"] for row in rows} == set(BreakEven.model_fields) - {"currency"}
    assert all(row["low"] <= row["value"] <= row["high"] and row["currency"] == "CHF" for row in rows)
    years = next(row for row in rows if row["name"] == "years")
    assert years["low"] == years["high"] == 10
    assert likeliest(RANGES)["transfer_kwh_per_gb"] == 0.002
