"""Amdahl's law, its fit, speed-up and efficiency."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import curve_fit

from baler_energy.analysis.parallel import amdahl_duration_s, amdahl_speed_up, fit_amdahl, speed_up

COUNTS = st.lists(st.integers(1, 64), min_size=2, max_size=6, unique=True)
FRACTIONS = st.floats(0, 1)
DURATIONS = st.floats(1e-3, 1e4)


@given(COUNTS, FRACTIONS, DURATIONS)
def test_a_law_without_noise_is_found_exactly(threads: list[int], fraction: float, duration_s: float) -> None:
    found = fit_amdahl(threads, amdahl_duration_s(threads, duration_s, fraction))
    assert found.serial_fraction == pytest.approx(fraction, abs=1e-6)
    assert found.duration_1_s == pytest.approx(duration_s, rel=1e-6)
    assert found.verdict == "" and found.degrees_of_freedom == len(threads) - 2
    if found.degrees_of_freedom:
        assert found.serial_fraction_se == pytest.approx(0, abs=1e-6)
    else:
        assert math.isnan(found.serial_fraction_se) and math.isnan(found.serial_fraction_half_width)


@given(st.integers(1, 10_000), st.floats(1e-6, 1))
def test_no_number_of_threads_gains_more_than_the_serial_part_allows(threads: int, fraction: float) -> None:
    gain = float(amdahl_speed_up(threads, fraction))
    assert 1 - 1e-12 <= gain <= min(threads, 1 / fraction) * (1 + 1e-12)


def test_the_law_in_numbers() -> None:
    # A tenth serial: 1 / (0.1 + 0.9 / 4) = 3.0769 on four threads; relative to two, (0.1 + 0.45) / (0.1 + 0.225).
    assert float(amdahl_speed_up(4, 0.1)) == pytest.approx(3.0769, rel=1e-4)
    assert float(amdahl_speed_up(4, 0.1, smallest=2)) == pytest.approx(0.55 / 0.325)


@given(COUNTS, DURATIONS, st.lists(st.floats(0.5, 2), min_size=1, max_size=3), st.floats(1e-3, 1e3))
def test_speed_up_starts_at_1_and_does_not_depend_on_the_unit(
    threads: list[int], duration_s: float, noise: list[float], factor: float
) -> None:
    count = np.repeat(threads, len(noise))
    time_s = duration_s / np.sqrt(count) * np.tile(noise, len(threads))
    found, scaled = speed_up(count, time_s), speed_up(count, time_s * factor)
    assert list(found["threads"]) == sorted(threads) and set(found["n"]) == {len(noise)}
    assert found["speed_up"].iloc[0] == 1 == found["efficiency"].iloc[0] and math.isnan(found["half_width"].iloc[0])
    assert list(found["speed_up"]) == pytest.approx(list(np.sqrt(found["threads"] / min(threads))))
    assert list(found["efficiency"] * found["threads"]) == pytest.approx(list(found["speed_up"] * min(threads)))
    assert list(scaled["speed_up"]) == pytest.approx(list(found["speed_up"]))
    assert list(scaled["half_width"]) == pytest.approx(list(found["half_width"]), nan_ok=True, abs=1e-9)


def test_the_interval_of_a_speed_up_is_that_of_a_ratio_of_means() -> None:
    one, two = np.array([10.0, 10.2, 9.8]), np.array([5.0, 5.3, 4.9, 5.2])
    found = speed_up([1] * 3 + [2] * 4, [*one, *two]).iloc[1]
    parts = [v.var(ddof=1) / len(v) / v.mean() ** 2 for v in (one, two)]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    expected = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts)) * one.mean() / two.mean()
    assert found["half_width"] == pytest.approx(expected) and found["n"] == 4


def test_a_single_run_has_no_interval() -> None:
    assert speed_up([1, 2, 2], [2.0, 1.0, 1.1])["half_width"].isna().all()
    assert speed_up([1, 1, 2], [2.0, 2.2, 1.1])["half_width"].isna().all()
    assert speed_up([1, 1, 2, 2], [2.0, 2.0, 1.0, 1.0])["half_width"].iloc[1] == 0


def test_the_interval_of_the_serial_fraction_has_its_nominal_coverage() -> None:
    random, truth, threads = np.random.default_rng(5), 0.2, np.repeat([1, 2, 4, 8], 3)
    law, hit = amdahl_duration_s(threads, 3.0, truth), 0
    for _ in range(400):
        found = fit_amdahl(threads, law * np.exp(0.05 * random.standard_normal(len(law))))
        hit += abs(found.serial_fraction - truth) < found.serial_fraction_half_width
    assert 0.92 < hit / 400 < 0.98


def test_runs_are_weighted_by_their_mean_duration() -> None:
    threads = np.repeat([1, 4, 16], 2)
    time_s = np.array([10.0, 11.0, 4.0, 4.4, 1.9, 2.0])
    mean_s = np.repeat([10.5, 4.2, 1.95], 2)
    (duration_s, fraction), covariance = curve_fit(amdahl_duration_s, threads, time_s, p0=(10, 0.1), sigma=mean_s)
    found = fit_amdahl(threads, time_s)
    assert (found.duration_1_s, found.serial_fraction) == pytest.approx((duration_s, fraction), rel=1e-5)
    assert found.serial_fraction_se == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-4)


@given(st.floats(0.01, 0.5))
def test_a_law_that_does_not_hold_is_reported_and_not_clipped(change: float) -> None:
    slower = fit_amdahl([1, 2, 4], [1.0, 1 + change, 1 + 2 * change])
    assert slower.serial_fraction > 1 and slower.verdict == "slower with more threads"
    faster = fit_amdahl([1, 2], [1.0, 0.5 - 0.9 * change])
    assert faster.serial_fraction < 0 and faster.verdict == "faster than in proportion to the threads"


def test_durations_that_rise_too_fast_for_any_law_have_no_fraction() -> None:
    found = fit_amdahl([2, 4, 8], [1.0, 3.0, 5.0])
    assert math.isnan(found.serial_fraction) and math.isnan(found.duration_1_s)
    assert found.verdict == "slower with more threads"


@pytest.mark.parametrize(
    ("threads", "durations", "message"),
    [
        ([2, 2], [1.0, 1.0], "only one number of threads"),
        ([1, 2], [1.0, 0.0], "not positive"),
        ([1, 2], [1.0, math.nan], "not positive"),
        ([0, 2], [1.0, 1.0], "below 1"),
        ([1, 2], [1.0], "do not have one value per run"),
        ([], [], "do not have one value per run"),
    ],
)
def test_runs_that_no_law_fits_are_refused(threads: list[int], durations: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_amdahl(threads, durations)
