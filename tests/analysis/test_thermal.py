"""The rise of a temperature: what the fit recovers from rounded readings, and when it returns a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis.thermal import Curve, rise


def readings(tau_s, window_s, *, start=40.3, risen=20.0, interval_s=0.2, noise=0.0, seed=0, step=1.0):
    """Return samples from 1 s before the window to its end: noise is added, then the sensor rounds."""
    times = np.arange(-1.0, window_s + 1e-9, interval_s)
    true = start + risen * (1 - np.exp(-np.maximum(times, 0) / tau_s))
    return times, step * np.round((true + noise * np.random.default_rng(seed).standard_normal(len(times))) / step)


@settings(max_examples=150)
@given(
    tau_s=st.floats(1.5, 20),
    windows=st.floats(2, 10),
    start=st.floats(25, 60),
    risen=st.floats(10, 40),
    noise=st.floats(0, 1),
    seed=st.integers(0, 10_000),
)
def test_tau_is_recovered_within_its_stated_error(tau_s, windows, start, risen, noise, seed):
    window_s = windows * tau_s
    shape = {"start": start, "risen": risen, "noise": noise, "seed": seed, "interval_s": window_s / 120}
    found = rise(*readings(tau_s, window_s, **shape), window_s)
    assert found.n in (120, 121)
    if found.curve is None:
        assert found.reason is not None and "time constant" in found.reason
        return
    assert abs(found.curve.tau_s - tau_s) < 4.5 * found.curve.tau_error_s
    assert found.curve.tau_error_s < tau_s


def test_the_stated_error_is_that_of_many_trials():
    trials = [rise(*readings(5.0, 20.0, start=40 + seed / 37, noise=0.5, seed=seed), 20.0).curve for seed in range(60)]
    pulls = np.array([(curve.tau_s - 5.0) / curve.tau_error_s for curve in trials])
    assert 0.3 < np.sqrt(np.mean(pulls**2)) < 1.5
    assert np.mean(np.abs(pulls) < 2) >= 0.9
    assert np.mean([curve.tau_error_s for curve in trials]) < 1.0


def test_the_error_of_a_reading_is_at_least_that_of_rounding():
    times, exact = readings(5.0, 20.0, step=1e-6)
    coarse, fine = (rise(times, exact, 20.0, step_degc=step).curve for step in (1.0, 0.1))
    assert coarse.tau_error_s == pytest.approx(10 * fine.tau_error_s, rel=1e-6)


def test_reading_a_sensor_more_often_than_it_changes_adds_no_information():
    seldom, often = (rise(*readings(5.0, 20.0, interval_s=s), 20.0).curve for s in (0.2, 0.02))
    assert often.tau_error_s == pytest.approx(seldom.tau_error_s, rel=0.1)


def test_start_maximum_and_steady_state():
    times, values = readings(4.0, 30.0, start=40.0, risen=20.0)
    found = rise(times, values, 30.0)
    assert (found.start_degc, found.maximum_degc, found.reason) == (40.0, 60.0, None)
    assert found.curve.steady_degc == pytest.approx(60.0, abs=0.3)
    assert found.curve.start_degc == pytest.approx(40.0, abs=0.5)
    assert found.curve.at([0.0, 4.0]) == pytest.approx([40.0, 60 - 20 / np.e], abs=0.5)


def test_the_start_is_the_last_reading_before_the_window_and_the_maximum_is_inside():
    times = [-0.5, -0.1, *np.arange(0.1, 2, 0.1), 2.5]
    found = rise(times, [39.0, 41.0, *[45.0] * 19, 90.0], 2.0)
    assert (found.n, found.start_degc, found.maximum_degc) == (19, 41.0, 45.0)
    assert rise(times[2:], [43.0, *[45.0] * 19], 2.0).start_degc == 43.0


@pytest.mark.parametrize(
    ("tau_s", "window_s", "options", "words"),
    [
        (2.0, 1.0, {"interval_s": 0.2}, "5 samples are too few"),
        (2.0, 10.0, {"risen": 1.0}, "rose by 1 °C, and the sensor's step is 1 °C"),
        (2.0, 10.0, {"risen": -9.0}, "rose by 0 °C"),
        (60.0, 10.0, {"risen": 60.0}, "window of 10 s is shorter than its time constant"),
        (0.02, 10.0, {"risen": 9.0}, "time constant is below the 0.2 s between samples"),
        (1.0, 20.0, {"risen": 5.0, "noise": 3.0}, "time constant is undetermined: "),
    ],
)
def test_a_missing_fit_has_a_reason(tau_s, window_s, options, words):
    found = rise(*readings(tau_s, window_s, **options), window_s)
    assert found.curve is None and words in found.reason


def test_a_straight_rise_has_no_steady_state():
    times = np.arange(0, 20, 0.2)
    found = rise(times, np.round(40 + times), 20.0)
    assert found.curve is None and "shorter than its time constant" in found.reason


def test_a_temperature_that_falls_again_has_no_steady_state_above():
    times, values = readings(3.0, 20.0, start=60.0, risen=-15.0)
    found = rise(times, np.where(times < 0.1, 40.0, values), 20.0)
    assert (found.start_degc, found.maximum_degc) == (40.0, 59.0)
    assert found.curve is None and found.reason == "it did not rise towards a steady state"


def test_a_finer_sensor_resolves_a_smaller_rise():
    times, values = readings(3.0, 20.0, risen=1.5, step=0.125)
    assert rise(times, values, 20.0).curve is None
    assert rise(times, values, 20.0, step_degc=0.125).curve.tau_s == pytest.approx(3.0, rel=0.2)


def test_no_samples_is_a_reason_and_different_lengths_are_an_error():
    empty = rise([-2.0, -1.0], [40.0, 41.0], 5.0)
    assert (empty.n, empty.start_degc, empty.maximum_degc) == (0, None, None) and "no sample" in empty.reason
    with pytest.raises(ValueError, match="2 times and 1 temperatures"):
        rise([0.0, 1.0], [40.0], 5.0)


def test_the_curve_is_newtons_law():
    curve = Curve(30.0, 80.0, 7.0, 0.1)
    times, step = np.linspace(0, 30, 7), 1e-5
    slope = (curve.at(times + step) - curve.at(times - step)) / (2 * step)
    assert slope == pytest.approx((80.0 - curve.at(times)) / 7.0, rel=1e-5)
