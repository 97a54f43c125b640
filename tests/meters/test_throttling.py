"""NVML's reasons for low clocks in words."""

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.meters.throttling import REASONS, THROTTLED, reason_words

NAMES = {
    "GpuIdle": "idle",
    "ApplicationsClocksSetting": "set by the user",
    "UserDefinedClocks": "set by the user",
    "SwPowerCap": "power cap",
    "HwSlowdown": "hardware slowdown",
    "SyncBoost": "sync boost",
    "SwThermalSlowdown": "thermal, software",
    "HwThermalSlowdown": "thermal, hardware",
    "HwPowerBrakeSlowdown": "power brake",
    "DisplayClockSetting": "display clocks",
    "BoardLimit": "board limit",
    "Reliability": "reliability",
}


def test_every_reason_in_the_library_has_a_word():
    prefix = "nvmlClocksThrottleReason"
    bits = {name.removeprefix(prefix): getattr(pynvml, name) for name in dir(pynvml) if name.startswith(prefix)}
    assert bits.pop("None") == 0 and bits.pop("All") == sum(REASONS)
    assert {name: REASONS[bit] for name, bit in bits.items()} == NAMES


def test_throttled_only_means_heat_and_power():
    assert reason_words(THROTTLED) == (
        *("power cap", "hardware slowdown", "thermal, software", "thermal, hardware", "power brake"),
    )


@given(st.integers(0, 2**20))
def test_words_are_one_per_bit(bits):
    words = reason_words(bits)
    assert len(words) == len(set(words)) == bits.bit_count()


def test_none_unknown_and_negative():
    assert reason_words(0) == ()
    assert reason_words(0x1001) == ("idle", "bit 0x1000")
    with pytest.raises(ValueError, match="cannot be negative"):
        reason_words(-1)
