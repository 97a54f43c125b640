"""A meter that fails half-way gives null with the reason, and the measured run continues."""

import pytest
from simulator.curves import Curve
from simulator.machine import Gpu
from simulator.nvml import compiler
from simulator.run import server
from simulator.scenarios import AT_S, run_all

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler for the simulated NVML"),
]

PACKAGES = [Curve("constant", 60.0), Curve("constant", 40.0)]
GPU, AFTER_S = Curve("constant", 100.0), AT_S + 1.0
MACHINES = {
    "stall": server(PACKAGES, faults=f"stall@{AFTER_S}", gpus=[Gpu(GPU, lost_s=AFTER_S), Gpu(GPU)]),
    "jump": server(PACKAGES, faults=f"jump@{AFTER_S}", gpus=[Gpu(GPU, stall_s=AFTER_S), Gpu(GPU)]),
    "back": server(PACKAGES, faults=f"back@{AFTER_S}", gpus=[Gpu(GPU, fall_s=AFTER_S), Gpu(GPU)]),
    "garbage": server(PACKAGES, faults=f"garbage@{AFTER_S}"),
    "vanish": server(PACKAGES, faults=f"vanish@{AFTER_S}", gpus=[Gpu(GPU, counter=False, lost_s=AFTER_S), Gpu(GPU)]),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return run_all(MACHINES, tmp_path_factory.mktemp("faults"), "--window-s", "3")


@pytest.mark.parametrize("fault", MACHINES)
def test_a_fault_is_null_with_its_reason_and_a_flag(measured, fault):
    found = measured[fault]
    assert found.result == "the result"
    assert "counter_fault" in found.flags
    for component in ("package-0", "cpu"):
        energy = found.readings[component, "energy"]
        assert energy["value"] is None, energy
        assert "package-0" in energy["reason"]
        assert found.readings[component, "power_mean"]["value"] is None


@pytest.mark.parametrize("fault", [name for name, machine in MACHINES.items() if machine.gpus])
def test_a_gpus_fault_only_affects_this_gpu_and_the_sum(measured, fault):
    readings = measured[fault].readings
    for component in ("gpu-0", "gpu"):
        assert readings[component, "energy"]["value"] is None
        assert "gpu-0" in readings[component, "energy"]["reason"]
    assert measured[fault].error("gpu-1") <= 0.08


@pytest.mark.parametrize("fault", MACHINES)
def test_what_did_not_fail_is_right(measured, fault):
    found = measured[fault]
    for component in ("package-1", "dram-1", "psys"):
        assert found.error(component) <= 0.01, component
    values = [r["value"] for (_, quantity), r in found.readings.items() if quantity == "energy"]
    assert all(value is None or value > 0 for value in values)


def test_the_reasons_describe_what_happened(measured):
    reasons = {name: found.readings["package-0", "energy"]["reason"] for name, found in measured.items()}
    for name, words in {
        "stall": "it stopped",
        "jump": "jumped",
        "back": "jumped",
        "garbage": "could not be read",
        "vanish": "could not be read",
    }.items():
        assert words in reasons[name], reasons[name]
    gpus = {name: measured[name].readings["gpu-0", "energy"]["reason"] for name in ("stall", "jump", "back", "vanish")}
    for name, words in {"stall": "lost", "jump": "it stopped", "back": "fell by", "vanish": "lost"}.items():
        assert words in gpus[name], gpus[name]
