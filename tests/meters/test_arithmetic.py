"""Arithmetic of the counters: unwrapping, integration, visible devices."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.meters.counters import unwrap
from baler_energy.meters.integration import integrate
from baler_energy.meters.sharing import foreign_processes
from baler_energy.meters.visible import visible_devices


@given(st.integers(2, 10**12), st.data())
def test_unwrap_recovers_any_energy_whose_steps_are_within_the_range(max_uj, data):
    start = data.draw(st.integers(0, max_uj - 1))
    steps = data.draw(st.lists(st.integers(0, max_uj - 1), max_size=30))
    truth, counts = [0], [start]
    for step in steps:
        truth.append(truth[-1] + step)
        counts.append((start + truth[-1]) % max_uj)
    assert unwrap(counts, max_uj) == truth


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_unwrap_never_falls(counts):
    totals = unwrap(counts, 1000)
    assert len(totals) == len(counts)
    assert totals == sorted(totals)


@pytest.mark.parametrize("counts", [[-1], [5, 1001]])
def test_unwrap_refuses_counts_outside_the_range(counts):
    with pytest.raises(ValueError, match="range 0 to 1000"):
        unwrap(counts, 1000)


times = st.lists(st.floats(0, 1e4), min_size=2, max_size=30).map(sorted)


@given(times, st.floats(0, 1e3))
def test_constant_power_integrates_to_power_times_time(times_s, power_w):
    energy_j = integrate(times_s, [power_w] * len(times_s))
    assert energy_j == pytest.approx(power_w * (times_s[-1] - times_s[0]), rel=1e-9, abs=1e-6)


@given(times, st.data())
def test_integration_is_additive_and_bounded(times_s, data):
    powers_w = data.draw(st.lists(st.floats(0, 1e3), min_size=len(times_s), max_size=len(times_s)))
    whole_j = integrate(times_s, powers_w)
    duration_s = times_s[-1] - times_s[0]
    assert min(powers_w) * duration_s - 1e-6 <= whole_j <= max(powers_w) * duration_s + 1e-6
    if len(times_s) > 2:
        cut = data.draw(st.integers(1, len(times_s) - 2))
        parts_j = integrate(times_s[: cut + 1], powers_w[: cut + 1]) + integrate(times_s[cut:], powers_w[cut:])
        assert parts_j == pytest.approx(whole_j, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("times_s", "powers_w"), [([], []), ([1.0], [2.0]), ([1.0, 2.0], [3.0]), ([2.0, 1.0], [1.0, 1.0])]
)
def test_integration_refuses_an_invalid_series(times_s, powers_w):
    with pytest.raises(ValueError, match=r"samples|decrease"):
        integrate(times_s, powers_w)


UUIDS = ["GPU-aa11", "GPU-ab22", "GPU-b33"]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2,0", [2, 0]),
        ("0,7,1", [0]),
        ("GPU-b", [2]),
        ("GPU-a", []),  # two UUIDs have this prefix
        ("GPU-ab22, GPU-aa", [1, 0]),
        ("1,1", [1]),
    ],
)
def test_visible_devices(variable, expected):
    assert visible_devices(variable, UUIDS) == expected


def test_foreign_processes():
    parent, ghost = os.getppid(), 2**22 + 12345  # above the kernel's largest process id
    assert foreign_processes([]) == 0
    assert foreign_processes([os.getpid()]) == 0
    assert foreign_processes([os.getpid(), parent]) == 1
    assert foreign_processes([ghost]) == 0  # in a container this may be us
    assert foreign_processes([os.getpid(), ghost]) == 1
    assert foreign_processes([ghost, ghost + 1]) == 1
