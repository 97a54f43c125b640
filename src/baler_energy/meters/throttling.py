"""Why a GPU's clocks are what they are: the bits of NVML in words."""

__all__ = ["REASONS", "THROTTLED", "reason_words"]

#: Bits of ``nvmlDeviceGetCurrentClocksThrottleReasons`` (NVML API reference, ``nvmlClocksThrottleReason...``, newer:
#: ``nvmlClocksEventReason...``) and what each says. Several may be set at once.
REASONS: dict[int, str] = {
    0x1: "idle",  # GpuIdle
    0x2: "set by the user",  # ApplicationsClocksSetting, newer: UserDefinedClocks
    0x4: "power cap",  # SwPowerCap
    0x8: "hardware slowdown",  # HwSlowdown: heat, brake or a fast trigger for power
    0x10: "sync boost",  # SyncBoost: held to the slowest GPU of a group
    0x20: "thermal, software",  # SwThermalSlowdown
    0x40: "thermal, hardware",  # HwThermalSlowdown
    0x80: "power brake",  # HwPowerBrakeSlowdown: the power supply asks for it
    0x100: "display clocks",  # DisplayClockSetting
    0x200: "board limit",  # BoardLimit
    0x400: "reliability",  # Reliability: the voltage's limit
}

#: Bits that flag a run as throttled: clocks lowered for heat or power, rather than for lack of work or on request.
THROTTLED = 0x4 | 0x8 | 0x20 | 0x40 | 0x80


def reason_words(bits: int) -> tuple[str, ...]:
    """Say in words which reasons a bit mask holds, lowest bit first; none where no bit is set.

    Parameters
    ----------
    bits
        The mask, not negative. A bit that NVML's reference does not name is given by its number.

    Raises
    ------
    ValueError
        The mask is negative.
    """
    if bits < 0:
        raise ValueError(f"a bit mask cannot be negative ({bits})")
    single = (1 << place for place in range(bits.bit_length()))
    return tuple(REASONS.get(bit, f"bit {bit:#x}") for bit in single if bits & bit)
