"""Other kinds of machines: with dies, graphics, counters that only root can read, hot and shared GPUs."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from simulator.curves import Curve
from simulator.machine import Counter, Gpu, Machine
from simulator.nvml import compiler
from simulator.run import namespaces_work, run_on, server
from simulator.scenarios import AT_S, run_all

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler for the simulated NVML"),
]

MIRROR = Machine(
    tuple(Counter(f"intel-rapl:{die}", f"package-0-die-{die}", Curve("constant", 68.0)) for die in range(4))
)
PACKAGE, GPU = Curve("constant", 60.0), Gpu(Curve("constant", 100.0))
MACHINES = {
    "mirrored dies": MIRROR,
    "two dies": server([PACKAGE, replace(PACKAGE, low_w=40.0)], dies=2, uncore=True),
    "for administrators": server([PACKAGE], mode=0),
    "cool": server([PACKAGE], gpus=[GPU]),
    "hot": server([PACKAGE], gpus=[replace(GPU, hot_s=AT_S + 1.5)]),
    "shared": server([PACKAGE], gpus=[replace(GPU, process=os.getpid())]),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return run_all(MACHINES, tmp_path_factory.mktemp("states"), "--window-s", "3")


def test_dies_are_packages_and_graphics_is_inside_them(measured):
    found = measured["two dies"]
    energies = {part: r["value"] for (part, quantity), r in found.readings.items() if quantity == "energy"}
    assert set(energies) == {
        *(f"{kind}-0-die-{die}" for kind in ("package", "core", "uncore", "dram") for die in (0, 1)),
        "psys", "cpu", "dram",
    }  # fmt: skip
    for component in energies:
        assert found.error(component) <= 0.01, component
    assert energies["cpu"] == pytest.approx(energies["package-0-die-0"] + energies["package-0-die-1"])


def test_dies_that_mirror_one_counter_are_not_added(measured):
    found = measured["mirrored dies"]
    energies = {part: reading for (part, quantity), reading in found.readings.items() if quantity == "energy"}
    assert found.error("package-0-die-0") <= 0.01
    for component in ("package-0-die-1", "package-0-die-2", "package-0-die-3", "cpu"):
        assert energies[component]["value"] is None
        assert "they are one counter" in energies[component]["reason"]
    assert "counter_fault" not in found.flags


def test_counters_without_read_permission_are_null_with_the_reason(measured):
    found = measured["for administrators"]
    energies = [reading for (_, quantity), reading in found.readings.items() if quantity == "energy"]
    assert len(energies) >= 4
    for energy in energies:
        assert energy["value"] is None
        assert "no permission to read" in energy["reason"]
    assert found.result == "the result"
    assert "modelled_only" in found.flags


@pytest.mark.skipif(not namespaces_work(), reason="doctor looks under /sys/class, where nothing can be mounted here")
def test_doctor_reports_how_to_make_them_readable(tmp_path):
    command = [sys.executable, "-m", "baler_energy.cli", "doctor"]
    done = run_on(MACHINES["for administrators"], tmp_path, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert "no permission to read" in done.stdout
    assert "chmod a+r" in done.stdout


@pytest.mark.parametrize(("machine", "flag"), [("cool", None), ("hot", "throttled"), ("shared", "shared_gpu")])
def test_hot_and_shared_gpus_are_flagged(measured, machine, flag):
    assert set(measured[machine].flags) - {"contaminated"} == {"simulated", *([flag] if flag else [])}


@pytest.mark.parametrize(
    ("machine", "reasons", "clocks_hz"), [("cool", [0], [1.41e9]), ("hot", [0, 32], [1.2e9, 1.41e9])]
)
def test_the_series_shows_when_and_why_clocks_were_lowered(measured, machine, reasons, clocks_hz):
    def values(quantity):
        return [sample["value"] for sample in measured[machine].samples if sample["quantity"] == quantity]

    assert sorted(set(values("throttle_reasons"))) == reasons
    assert values("throttle_reasons") == sorted(values("throttle_reasons"))
    assert sorted(set(values("clock"))) == clocks_hz
    assert set(values("memory_clock")) == {1.593e9}


def test_gpus_are_described_as_the_driver_names_them(tmp_path):
    gpus = [replace(GPU, name="Simulated GPU with 16 GiB"), replace(GPU, name="Another")]
    code = "import json; from baler_energy.meters.gpus import describe_gpus; print(json.dumps(describe_gpus()))"
    done = run_on(server([PACKAGE], gpus=gpus), tmp_path, [sys.executable, "-c", code], stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    assert [gpu["name"] for gpu in found] == ["Simulated GPU with 16 GiB", "Another"]
    assert found[0]["uuid"] != found[1]["uuid"]
    assert {gpu["memory_bytes"] for gpu in found} == {2**34}
