"""A year at a site: sums of loads, what nodes use while they work and while they are idle, and another codec."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_law import known_codec, known_runs, point

from baler_energy.analysis.carbon import YEAR_S
from baler_energy.analysis.hardware import Cost, Mean
from baler_energy.analysis.law import FORECAST_DRAWS, drawn, interval, laws
from baler_energy.analysis.site import Load, load_of_other, quotient, summed, use
from baler_energy.analysis.work import work

amounts = st.floats(1e-3, 1e12)


def sure(seconds: float, joules: float | None = None) -> Load:
    """Return a load that is known exactly."""
    return Load(np.full(4, seconds), None if joules is None else np.full(4, joules))


def test_a_quarter_of_the_year_is_three_quarters_idle() -> None:
    # Two nodes work for half a node-year at 100 W, and use 40 W otherwise.
    found = use(sure(YEAR_S / 2, 100 * YEAR_S / 2), 2, 40.0)
    assert found.busy_share == pytest.approx(0.25)
    assert found.idle_j == pytest.approx(1.5 * YEAR_S * 40)
    assert found.power_w == pytest.approx(0.5 * 100 + 1.5 * 40)
    assert found.nodes_needed == (1, 1, 1)


def test_too_few_nodes_work_all_year_and_more_are_needed() -> None:
    load = Load(YEAR_S * np.array([2.5, 2.1, 3.4]), np.array([1.0, 2.0, 3.0]) * YEAR_S)
    found = use(load, 2, 40.0)
    assert (found.busy_share == 1).all() and (found.idle_j == 0).all()
    assert found.power_w == pytest.approx(2 * np.array([1 / 2.5, 2 / 2.1, 3 / 3.4]))
    assert (found.nodes_needed.value, found.nodes_needed.low, found.nodes_needed.high) == (3, 3, 4)


def test_an_idle_power_that_was_not_measured_is_not_zero() -> None:
    found = use(sure(YEAR_S, 1.0), 2, None)
    assert found.idle_j is None and found.power_w is None
    assert use(sure(YEAR_S), 2, 40.0).power_w is None, "and neither is an energy that is unknown"


@given(amounts, amounts, st.integers(1, 1000), st.floats(0, 1e4))
def test_the_nodes_use_what_they_use_busy_and_idle(seconds: float, joules: float, nodes: int, idle_w: float) -> None:
    found = use(sure(seconds, joules), nodes, idle_w)
    assert ((found.busy_share >= 0) & (found.busy_share <= 1)).all()
    done = min(1.0, nodes * YEAR_S / seconds)
    assert found.power_w is not None and found.idle_j is not None
    assert found.power_w * YEAR_S == pytest.approx(done * joules + found.idle_j, rel=1e-6)
    assert found.nodes_needed.value * YEAR_S >= seconds * (1 - 1e-12)
    assert (found.nodes_needed.value - 1) * YEAR_S <= seconds


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=4), st.floats(0, 1e6))
def test_sums_and_multiples_commute(parts: list[tuple[float, float]], count: float) -> None:
    loads = [sure(*one) for one in parts]
    one, other = summed(loads).times(count), summed([load.times(count) for load in loads])
    assert one.seconds == pytest.approx(other.seconds) and one.joules == pytest.approx(other.joules)
    assert summed([*loads, sure(1.0)]).joules is None, "the energy of one part is unknown"


def test_a_quotient_by_nothing_is_no_number() -> None:
    assert quotient(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == pytest.approx([np.nan, 0.5], nan_ok=True)


def test_time_and_energy_are_drawn_from_the_same_runs() -> None:
    # All noise is in the time, so that the power of a run varies far less than both.
    runs = known_runs(operations=["train"], noise=0.0)
    factor = np.exp(0.2 * np.random.default_rng(1).standard_normal(len(runs)))
    runs["duration_median_s"] *= factor
    runs["duration_s"] *= factor
    runs["energy_j"] *= factor
    (law,) = laws(runs.assign(idle_power_w=np.nan))
    seconds, joules = drawn(law, work(point(), "train"))
    assert joules is not None and len(seconds) == len(joules) == 1 + FORECAST_DRAWS
    found = [interval(values) for values in (seconds, joules)]
    power = interval(joules / seconds)
    assert min((one.high - one.low) / one.value for one in found) > 0.4 and (power.high - power.low) / power.value < 0.1
    again, _ = drawn(law, work(point(), "train"))
    assert (again == seconds).all(), "the draws are seeded"


def test_another_codec_costs_its_means_times_the_volume() -> None:
    found = load_of_other(known_codec(), {"train": 5.0, "compress": 100.0, "decompress": 1000.0})
    assert found.seconds == pytest.approx(np.full(1 + FORECAST_DRAWS, 100 * 3 + 1000 * 1))
    assert found.joules == pytest.approx(10 * found.seconds)
    trained = known_codec(train=Cost(seconds=Mean(value=7.0, half_width=None), joules=Mean(value=8.0, half_width=None)))
    more = load_of_other(trained, {"train": 5.0, "compress": 100.0, "decompress": 1000.0})
    assert more.seconds[0] == 1300 + 35 and more.joules is not None and more.joules[0] == 13_000 + 40


def test_the_interval_of_another_codec_is_that_of_its_mean() -> None:
    cost = Cost(seconds=Mean(value=10.0, half_width=1.96), joules=Mean(value=1.0, half_width=50.0))
    found = load_of_other(known_codec(compress=cost), {"train": 0.0, "compress": 1.0, "decompress": 0.0})
    low, high = interval(found.seconds)[1:]
    assert (low, high) == pytest.approx((10 - 1.645, 10 + 1.645), abs=0.05)
    assert found.joules is not None and (found.joules >= 0).all(), "energies are not negative"
