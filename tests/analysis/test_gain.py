"""The rule of early stopping."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.gain import gained_too_little

GAINS = st.floats(1e-3, 0.5)


def stop(costs, losses, gain):
    """Return the first epoch at which the rule stops; None if it never does."""
    numbers = range(1, len(costs) + 1)
    return next((n for n in numbers if gained_too_little(costs[:n], losses[:n], gain)), None)


@given(st.floats(0.05, 3), st.floats(0, 10), st.floats(0.01, 100), GAINS)
def test_a_power_law_stops_where_its_formula_says(power, floor, step_j, gain):
    """Loss = floor + 1 / n^power: the fall from epoch floor(0.9 n) to epoch n is below the gain."""
    n = np.arange(1, 301)
    loss = floor + n ** -float(power)
    then = n * 9 // 10
    fall = 1 - loss[1:] / loss[then[1:] - 1]
    # Far enough from the gain that rounding decides nothing.
    if (abs(fall - gain) < 1e-9).any():
        return
    expected = np.flatnonzero(fall < gain)
    # Just below a multiple of the step, so that rounding does not put the ninth of ten steps into the last tenth.
    assert stop((n - 1e-6) * step_j, loss, gain) == (expected[0] + 2 if len(expected) else None)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=50), st.floats(0.2, 1e6), GAINS, st.data())
def test_units_and_steady_losses(steps, scale, gain, data):
    costs = np.cumsum(steps)
    losses = data.draw(st.lists(st.floats(0.1, 10), min_size=len(steps), max_size=len(steps)))
    assert not gained_too_little(costs[:1], losses[:1], gain), "nothing to compare the first epoch with"
    if costs[0] <= 0.9 * costs[-1] * (1 - 1e-9):
        assert gained_too_little(costs, [1.0] * len(costs), gain), "a constant loss stops"
    falling = (1 - gain) ** np.arange(1, len(costs) + 1) * 0.999 ** np.arange(len(costs))
    assert stop(costs, falling, gain) is None, "each epoch alone gains enough"
    assert gained_too_little(costs, losses, gain) == gained_too_little(costs, [loss * 2.0**10 for loss in losses], gain)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.1))
def test_noise_stops_nothing_that_falls_faster_than_the_gain_and_the_noise(seed, noise):
    """Losses within 1 +- noise of a curve that falls by a fraction in every tenth: too fast, and not at all."""
    random = np.random.default_rng(seed)
    n = np.arange(1, 201)
    factors = 1 + noise * random.uniform(-1, 1, len(n))
    gain = 0.01
    # From the lowest noise to the highest the curve has to fall by more than the gain, from any epoch on.
    power = np.log((1 + noise) / (1 - noise) / (1 - gain)) / -np.log(0.9) * 1.01
    assert stop(n.astype(float), factors * n**-power, gain) is None
    assert stop(n.astype(float), factors, gain) is not None
    spiky = np.where(n % 21 == 20, 50, 1) * n**-2.0
    assert stop(n.astype(float), spiky, gain) is None, "a loss that jumps up stops nothing after the first epochs"


def test_a_counter_that_has_not_moved_stops_nothing():
    assert not gained_too_little([0.0, 0.0], [1.0, 1.0], 0.1)
    assert not gained_too_little([5.0, 5.0], [1.0, 1.0], 0.1), "neither epoch ended before the last tenth"
