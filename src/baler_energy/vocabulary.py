"""The closed vocabularies of the records, with the meaning of each word, and constants that packages share."""

import re
from enum import StrEnum
from functools import cache

from baler_energy import variants

__all__ = [
    "CONTAMINATION_LIMIT",
    "JOULES_PER_KWH",
    "MACHINE_LIMIT_W",
    "NODE_METERS",
    "NOTES",
    "OPERATIONS",
    "PEERS",
    "PRIMARY_METERS",
    "STUDY_METERS",
    "Evidence",
    "Flag",
    "MeterName",
    "Operation",
    "Quantity",
    "check_component",
]

#: Default share of the machine's CPU time, used by other processes, above which a record is flagged as contaminated.
CONTAMINATION_LIMIT = 0.05
JOULES_PER_KWH = 3.6e6
#: No single machine draws more (W). The largest servers, with eight GPUs, draw up to 14.3 kW (NVIDIA, data sheet of the
#: DGX B200).
MACHINE_LIMIT_W = 20_000.0


class _Word(StrEnum):
    """A word of a vocabulary with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> "_Word":
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        return word


class Operation(_Word):
    """What was measured."""

    TRAIN = "train", "training the codec from its starting state"
    COMPRESS = "compress", "table in memory to compressed file"
    DECOMPRESS = "decompress", "compressed file to reconstructed table in memory"
    FORWARD = "forward", "table in memory through the whole network, without gradients"
    COMMAND = "command", "a command of the user's (baler-energy measure)"


#: Operations that a codec may have, in order.
OPERATIONS = (Operation.TRAIN, Operation.COMPRESS, Operation.DECOMPRESS)


class Quantity(_Word):
    """What a reading measures; `unit` is its SI unit, `least` the lowest value that it can have (None: no limit)."""

    unit: str
    least: float | None

    def __new__(cls, value: str, meaning: str = "", unit: str = "", least: float | None = 0.0) -> "Quantity":
        """Make a word from its value, meaning, unit and lowest value."""
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        word.unit = unit
        word.least = least
        return word

    ENERGY = "energy", "energy used over the window (gross)", "J"
    DYNAMIC_ENERGY = "dynamic_energy", "gross energy minus idle power times duration", "J", None
    IDLE_POWER = "idle_power", "mean power of the idle baseline", "W"
    POWER_MEAN = "power_mean", "mean power over the window", "W"
    POWER_MAX = "power_max", "largest sampled power", "W"
    DURATION = "duration", "length of the window", "s"
    CPU_TIME = "cpu_time", "user and system CPU time", "s"
    MEMORY_PEAK = "memory_peak", "largest resident memory", "B"
    GPU_MEMORY_PEAK = "gpu_memory_peak", "largest GPU memory in use", "B"
    BYTES_READ = "bytes_read", "bytes that the process read", "B"
    BYTES_WRITTEN = "bytes_written", "bytes that the process wrote", "B"
    UTILISATION_MEAN = "utilisation_mean", "mean busy fraction", "1"
    TEMPERATURE_MEAN = "temperature_mean", "mean temperature", "degC", -273.15
    TEMPERATURE_MAX = "temperature_max", "largest temperature", "degC", -273.15
    CLOCK_MEAN = "clock_mean", "mean clock frequency", "Hz"
    CO2E = "co2e", "CO2-equivalent emissions of the energy", "kg"


class MeterName(_Word):
    """The source of a reading."""

    vars().update({name.upper(): (name, kind.meaning) for name, kind in {**variants.METERS, **variants.PEERS}.items()})
    WATTMETER = "wattmeter", "the log of an external wattmeter, merged by time"
    ECO2AI = "eco2ai", "eco2AI, from its files only"
    STRUBELL = "strubell", "formula of Strubell et al. 2019"
    GREEN_ALGORITHMS = "green_algorithms", "formula of Green Algorithms (Lannelongue et al. 2021)"
    ML_CO2 = "ml_co2", "formula of the ML Emissions Calculator (Lacoste et al. 2019)"


class Evidence(_Word):
    """How an energy value was obtained."""

    MEASURED = "measured", "read from a hardware counter or sensor"
    MODELLED = "modelled", "computed from TDP, utilisation or per-GB constants"
    UNKNOWN = "unknown", "not stated by a foreign file"


class Flag(_Word):
    """What is wrong or special about a record."""

    BELOW_RESOLUTION = "below_resolution", "the window did not reach min_window_s"
    CONTAMINATED = (
        "contaminated",
        f"other processes used more of the CPU time than allowed ({100 * CONTAMINATION_LIMIT:g} % by default)",
    )
    THROTTLED = "throttled", "a device lowered its clocks for heat or power"
    MODELLED_ONLY = "modelled_only", "no energy reading comes from a hardware counter"
    COUNTER_FAULT = "counter_fault", "a counter failed in the window"
    SHARED_GPU = (
        "shared_gpu",
        "not attributable: another process used the GPU, or the run had only a part of it (MIG, vGPU)",
    )
    RESUMED = "resumed", "the run continued from a saved state"
    SIMULATED = "simulated", "its meters read a simulated machine, whose power is set by a program"
    RUNTIME_FAULT = (
        "runtime_fault",
        "what computes the network failed, or deviates from PyTorch beyond the tolerance (runtime_reason)",
    )


#: Flags that say what is special about a record without being wrong with it.
NOTES = frozenset({Flag.MODELLED_ONLY, Flag.RESUMED, Flag.SIMULATED})

#: Meters of a study, in the order of their readings; those that this machine lacks are recorded as absent.
STUDY_METERS = tuple(map(MeterName, variants.METERS))
#: Other tools, which only measure extra repeats.
PEERS = tuple(map(MeterName, variants.PEERS))

#: The meters whose readings of a kind of component enter totals; the first one that has a value is used.
PRIMARY_METERS: dict[str, tuple[MeterName, ...]] = {
    component: tuple(MeterName(name) for name, kind in variants.METERS.items() if component in kind.totals)
    for component in ("cpu", "dram", "gpu", "ram")
}
#: The same for the whole node, whose energy includes the totals; a log that the user provides comes first.
NODE_METERS = (
    MeterName.WATTMETER,
    *(MeterName(name) for name, kind in variants.METERS.items() if "node" in kind.totals),
)

_COMPONENT = re.compile(
    r"(package|core|uncore|dram)-\d+(-die-\d+)?|gpu-\d+|rail-[a-z0-9_.-]+"
    r"|cpu|dram|gpu|ram|psys|node|process|machine"
)


@cache
def check_component(name: str) -> str:
    """Return `name` if it is a component of the vocabulary, such as ``package-0`` or ``gpu``.

    Raises
    ------
    ValueError
        It is not a component.
    """
    if not _COMPONENT.fullmatch(name):
        raise ValueError(f"{name!r} is not a component (package-0, core-0, dram-0, gpu-0, cpu, gpu, ram, psys, ...)")
    return name
