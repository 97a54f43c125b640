"""Why a GPU's clocks are low: NVML's bits in words."""

__all__ = ["REASONS", "THROTTLED", "reason_words"]

#: Bits of ``nvmlDeviceGetCurrentClocksThrottleReasons`` (NVML API reference, ``nvmlClocksThrottleReason...``, newer:
#: ``nvmlClocksEventReason...``) and their meaning. Several may be set at once.
REASONS: dict[int, str] = {
    0x1: "idle",  # GpuIdle
    0x2: "set by the user",  # ApplicationsClocksSetting, newer: UserDefinedClocks
    0x4: "power cap",  # SwPowerCap
    0x8: "hardware slowdown",  # HwSlowdown: heat, power brake or a fast trigger for power
    0x10: "sync boost",  # SyncBoost: limited to the slowest GPU of a group
    0x20: "thermal, software",  # SwThermalSlowdown
    0x40: "thermal, hardware",  # HwThermalSlowdown
    0x80: "power brake",  # HwPowerBrakeSlowdown: requested by the power supply
    0x100: "display clocks",  # DisplayClockSetting
    0x200: "board limit",  # BoardLimit
    0x400: "reliability",  # Reliability: limit of the voltage
}

#: Bits that flag a run as throttled: clocks lowered for heat or power, rather than for lack of work or on request.
THROTTLED = 0x4 | 0x8 | 0x20 | 0x40 | 0x80


def reason_words(bits: int) -> tuple[str, ...]:
    """Return the reasons in a bit mask in words, lowest bit first; () if no bit is set.

    Parameters
    ----------
    bits
        The mask, not negative. Bits that are not in NVML's reference are returned as numbers.

    Raises
    ------
    ValueError
        The mask is negative.
    """
    if bits < 0:
        raise ValueError(f"a bit mask cannot be negative ({bits})")
    single = (1 << place for place in range(bits.bit_length()))
    return tuple(REASONS.get(bit, f"bit {bit:#x}") for bit in single if bits & bit)
