"""A peak's position and width before and after compression, against what was done to it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis import mass_peaks
from baler_energy.analysis.mass_peaks import measure_peak

POSITION, WIDTH = 91.0, 2.0


def sample(seed: int = 1, signal: int = 4000, background: int = 3000) -> np.ndarray:
    """Draw masses: a Gaussian peak on a flat background from 60 to 120."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(POSITION, WIDTH, signal), random.uniform(60, 120, background)])


def measured(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    return measure_peak(before, after, 80, 100, 1)


def test_the_peak_of_a_known_sample_is_found() -> None:
    found = measured(sample(), sample())
    assert found["peak_before"] == pytest.approx(POSITION, abs=3 * WIDTH / math.sqrt(4000))
    assert found["width_before"] == pytest.approx(WIDTH, abs=3 * WIDTH / math.sqrt(2 * 4000))
    # The background adds to what 4,000 entries of the peak alone would allow.
    assert 1 < found["peak_before_uncertainty"] / (WIDTH / math.sqrt(4000)) < 1.6
    assert 1 < found["width_before_uncertainty"] / (WIDTH / math.sqrt(8000)) < 1.9


def test_what_is_unchanged_has_no_shift_and_no_uncertainty_of_it() -> None:
    found = measured(sample(), sample())
    changes = ("peak_shift", "peak_shift_uncertainty", "width_change", "width_change_uncertainty")
    assert [found[name] for name in changes] == [0, 0, 0, 0]
    assert found["reason"] is None


@pytest.mark.parametrize("shift", [-3.0, -0.5, 0.05, 1.0])
def test_a_known_shift_is_found_much_better_than_the_position_is_known(shift: float) -> None:
    found = measured(sample(), sample() + shift)
    assert found["peak_shift"] == pytest.approx(shift, abs=max(0.03 * abs(shift), 0.01))
    assert found["peak_shift_uncertainty"] < found["peak_before_uncertainty"]
    assert found["width_change"] == pytest.approx(0, abs=max(4 * found["width_change_uncertainty"], 0.02))


@pytest.mark.parametrize("smearing", [0.5, 1.5, 3.0])
def test_a_known_smearing_widens_the_peak_in_quadrature(smearing: float) -> None:
    before = sample()
    found = measured(before, before + np.random.default_rng(5).normal(0, smearing, len(before)))
    expected = math.hypot(WIDTH, smearing) - WIDTH
    assert found["width_change"] == pytest.approx(expected, abs=3.5 * found["width_change_uncertainty"])
    assert found["peak_shift"] == pytest.approx(0, abs=3.5 * found["peak_shift_uncertainty"])


def test_the_uncertainties_are_the_spread_over_independent_samples() -> None:
    random, found = np.random.default_rng(11), []
    for seed in range(60):
        before = sample(seed, signal=1000, background=800)
        found.append(measured(before, before + random.normal(0, 1, len(before))))
    for name in ("peak_before", "peak_shift", "width_change"):
        spread = np.std([one[name] for one in found], ddof=1)
        said = np.mean([one[f"{name}_uncertainty"] for one in found])
        # The spread of 60 values is known to 9 %.
        assert said == pytest.approx(spread, rel=0.35), name


def test_a_bootstrap_of_rows_gives_the_same_as_that_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sample(signal=1500, background=1000)
    after = before + np.random.default_rng(3).normal(0, 1, len(before))
    said = measured(before, after)["peak_shift_uncertainty"]
    random, shifts = np.random.default_rng(4), []
    monkeypatch.setattr(mass_peaks, "REPLICAS", 2)
    for _ in range(100):
        drawn = random.integers(0, len(before), len(before))
        shifts.append(measured(before[drawn], after[drawn])["peak_shift"])
    assert said == pytest.approx(np.std(shifts), rel=0.3)


def test_the_same_seed_gives_the_same_numbers() -> None:
    before, after = sample(), sample() + 0.3
    assert measure_peak(before, after, 80, 100, 7) == measure_peak(before, after, 80, 100, 7)
    other = measure_peak(before, after, 80, 100, 8)
    assert other["peak_shift_uncertainty"] != measure_peak(before, after, 80, 100, 7)["peak_shift_uncertainty"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (np.random.default_rng(1).uniform(70, 110, 5000),) * 2 + ("before: no peak",),
        (sample()[:20],) * 2 + ("before: only 20 entries in the window; at least 50 are needed",),
        (sample(), np.full(7000, math.nan), "after: only 0 entries"),
        (sample(), np.random.default_rng(1).uniform(70, 110, 7000), "after: no peak"),
        (sample(background=0), np.full(4000, POSITION) + 30, "after: only 0 entries"),
        (
            np.repeat([10.0, 91.0], 2000),
            np.repeat([91.0, 10.0], 2000),
            "only 0% of the entries in the window were in it",
        ),
        (sample(), sample() + 9.3, "after: no peak inside the window"),
    ],
)
def test_without_a_peak_there_are_no_numbers_but_a_reason(before: np.ndarray, after: np.ndarray, reason: str) -> None:
    found = measured(before, after)
    assert reason in found["reason"]
    for name in ("peak_after", "peak_shift", "peak_shift_uncertainty", "width_change"):
        assert math.isnan(found[name])


@settings(max_examples=10)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_position_and_width_scale_with_the_unit(offset: float, factor: float) -> None:
    before = sample(signal=400, background=300)
    after = before + np.random.default_rng(2).normal(0.2, 0.5, len(before))
    plain = measured(before, after)
    low, high = offset + factor * 80, offset + factor * 100
    scaled = measure_peak(offset + factor * before, offset + factor * after, low, high, 1)
    # Rounding moves single rows from one bin to the next.
    assert scaled["peak_before"] == pytest.approx(offset + factor * plain["peak_before"], abs=0.02 * factor)
    assert scaled["width_change"] == pytest.approx(factor * plain["width_change"], abs=0.02 * factor)
