"""Which flags of a window exclude its run: those that concern its energy."""

import pytest

from baler_energy.analysis.totals import relevant_flags
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity

FAULT = (Flag.COUNTER_FAULT,)


def energy(meter, component, value=1.0, *, failed=False):
    reason = "it failed" if value is None else None
    return Reading.of(MeterName(meter), component, Quantity.ENERGY, value, Evidence.MEASURED, reason, failed=failed)


def lost(meter, component):
    return energy(meter, component, None, failed=True)


CPU = energy("rapl", "cpu")


@pytest.mark.parametrize(
    ("readings", "on_cpu", "on_gpu"),
    [
        ([CPU, lost("rapl", "psys")], False, False),
        ([CPU, lost("rapl", "core-0"), lost("rapl", "uncore-0")], False, False),
        ([CPU, lost("ipmi", "node")], False, False),
        ([CPU, lost("hwmon", "cpu"), lost("codecarbon", "cpu"), lost("codecarbon", "ram")], False, False),
        ([CPU, lost("nvml", "gpu-0"), lost("nvml", "gpu")], False, True),
        ([CPU, energy("nvml", "gpu"), lost("codecarbon", "gpu")], False, False),
        ([CPU, lost("rapl", "dram-0"), lost("rapl", "dram")], True, True),  # its total lacks the memory
        ([CPU, energy("rapl", "dram", None), lost("rapl", "psys")], False, False),  # dead: no run has it
        ([lost("rapl", "cpu"), energy("codecarbon", "cpu")], True, True),
        ([energy("rapl", "cpu", None), lost("codecarbon", "cpu")], True, True),
        ([lost("codecarbon", "machine")], True, True),  # it does not know what it would have read
        ([CPU], True, True),  # a record that does not state which counter failed
    ],
)
def test_a_failed_counter_matters_if_the_runs_energy_rests_on_it(readings, on_cpu, on_gpu):
    assert relevant_flags(FAULT, readings, uses_gpu=False) == ("counter_fault" if on_cpu else None, None)
    assert relevant_flags(FAULT, readings, uses_gpu=True) == ("counter_fault" if on_gpu else None, None)


def test_other_flags_do_not_depend_on_counters():
    flags = (Flag.CONTAMINATED, Flag.COUNTER_FAULT, Flag.SHARED_GPU)
    readings = [CPU, lost("rapl", "psys")]
    assert relevant_flags(flags, readings, uses_gpu=False) == ("contaminated", None)
    assert relevant_flags(flags, readings, uses_gpu=True) == ("contaminated,shared_gpu", None)


@pytest.mark.parametrize("flag", Flag)
def test_what_is_special_is_apart_from_what_is_wrong(flag):
    special = flag in (Flag.MODELLED_ONLY, Flag.RESUMED, Flag.SIMULATED)
    expected = (None, flag.value) if special else (flag.value, None)
    assert relevant_flags([flag], [lost("rapl", "cpu")], uses_gpu=True) == expected
    assert relevant_flags([], [CPU], uses_gpu=True) == (None, None), "nothing is null, not an empty text"
