"""On which GPU a run is measured (by UUID), and whether its energy belongs to the run, on a simulated driver."""

import os
from types import SimpleNamespace
from uuid import UUID

import pytest

from baler_energy.meters import visible
from baler_energy.meters.codecarbon import _choose_gpus, _find_parts
from baler_energy.meters.gpus import describe_gpus, visible_indices
from baler_energy.meters.nvml import NvmlMeter
from baler_energy.meters.sharing import Sharing
from baler_energy.meters.visible import find_visible, hold_first_gpu, number_by_bus
from baler_energy.stages.doctor import _gpu_lines
from baler_energy.vocabulary import Flag, Quantity

FIRST = UUID(int=1)


@pytest.fixture
def cuda(monkeypatch):
    """Return a function that sets the UUID of CUDA's first device; None: there is no CUDA."""

    def make(uuid):
        monkeypatch.setattr(visible, "cuda_uuid", lambda: uuid)

    return make


def measured(library, during=lambda: None):
    meter = NvmlMeter(sample_interval_s=0.005, library=library)
    meter.open()
    meter.begin()
    during()
    meter.end()
    readings = {r.component: r for r in meter.readings() if r.quantity is Quantity.ENERGY}
    flags = meter.flags()
    meter.close()
    return readings, flags


@pytest.mark.parametrize("variable", [None, "2,0", "0,1,2,3", "GPU-other"])
def test_a_run_is_measured_on_cudas_first_gpu_alone(nvml, cuda, monkeypatch, variable):
    """CUDA may number by speed and NVML by bus, but the UUID is the same."""
    library = nvml(4)
    library.gpus[2].uuid = f"GPU-{FIRST}"
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that it is restored after the test
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    cuda(FIRST)
    assert hold_first_gpu(library) == f"GPU-{FIRST}" == hold_first_gpu(library)
    readings, flags = measured(library, lambda: setattr(library.gpus[2], "energy_j", 107.0))
    assert {name: reading.value for name, reading in readings.items()} == {"gpu-2": 7.0, "gpu": 7.0}
    assert flags == set()
    assert [gpu["uuid"] for gpu in describe_gpus(library)] == [f"GPU-{FIRST}"]
    assert visible_indices(library) == [2]
    assert library.depth == 0


def test_where_cuda_or_the_gpu_is_unknown_nothing_is_chosen(nvml, cuda, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    cuda(None)
    assert hold_first_gpu(nvml(2)) is None
    cuda(FIRST)
    assert hold_first_gpu(nvml(2)) is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_job_that_may_only_query_its_own_gpus(nvml, monkeypatch):
    """A cgroup hides the others: NVML refuses their handles, and CUDA numbers the rest from 0."""
    library = nvml(4)
    for index in (0, 3):
        library.gpus[index].mine = False
    assert find_visible(library) == {1: False, 2: False}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert find_visible(library) == {2: False}


def test_slurm_jobs_number_gpus_by_the_bus(monkeypatch):
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "x")
    monkeypatch.delenv("CUDA_DEVICE_ORDER")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    number_by_bus()
    assert "CUDA_DEVICE_ORDER" not in os.environ
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    number_by_bus()
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.mark.parametrize(
    ("variable", "mig"),
    [("MIG-1-x", 0), ("MIG-GPU-1/3/0", 0), ("1", 1), ("GPU-1", 1)],
    ids=["uuid", "old", "on", "on2"],
)
def test_a_partitions_energy_is_flagged_with_the_reason(nvml, monkeypatch, variable, mig):
    library = nvml(2)
    library.gpus[1].mig = mig
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    readings, flags = measured(library, lambda: setattr(library.gpus[1], "energy_j", 103.0))
    assert flags == {Flag.SHARED_GPU}
    for component in ("gpu-1", "gpu"):
        assert f"not attributable to the run: {Sharing.MIG}" in readings[component].detail
    assert "of the whole GPU" in readings["gpu-1"].detail


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"pids": [1]}, Sharing.COMPUTE),
        ({"mps": [1]}, Sharing.COMPUTE),
        ({"drawing": [1]}, Sharing.GRAPHICS),
        ({"mode": 2}, Sharing.VGPU),
        ({"mode": 3}, Sharing.HOST),
        ({"mode": 1, "pids": [os.getpid()]}, None),  # passed through to this virtual machine alone
        ({"mig": None}, None),
    ],
)
def test_other_users_of_a_gpu_are_reported(nvml, state, reason):
    library = nvml(2)
    for name, value in state.items():
        setattr(library.gpus[1], name, value)
    readings, flags = measured(library)
    assert flags == ({Flag.SHARED_GPU} if reason else set())
    assert (reason or "NVML") in readings["gpu-1"].detail
    assert "not attributable" not in readings["gpu-0"].detail
    (line,) = [line for line in describe_gpus(library) if line["index"] == 1]
    assert line["not_attributable"] == ([reason] if reason else [])


def test_an_mps_server_hides_its_clients(nvml, monkeypatch):
    library = nvml()
    library.gpus[0].pids = [4321]
    process = SimpleNamespace(name=lambda: "nvidia-cuda-mps", children=lambda recursive: [])
    monkeypatch.setattr("baler_energy.meters.sharing.psutil.Process", lambda *pid: process)
    assert describe_gpus(library)[0]["not_attributable"] == [Sharing.MPS]
    library.gpus[0].mps = [os.getpid()]  # the driver reports the clients: they are this process
    assert describe_gpus(library)[0]["not_attributable"] == []


def test_codecarbon_adds_up_the_same_gpus():
    gpu = type("GPU", (), {"gpu_ids": None, "_gpu_ids_resolved": False})()
    tracker = SimpleNamespace(_hardware=[gpu])
    _choose_gpus(tracker, [2])
    assert gpu.gpu_ids == [2] and set(_find_parts(tracker)) == {"gpu"}
    _choose_gpus(tracker, None)
    assert gpu.gpu_ids == [2]
    _choose_gpus(tracker, [])
    assert not _find_parts(tracker), "no GPU is no 0 J"


@pytest.mark.parametrize(("device", "source"), [("NvidiaGPUDevice", "nvml"), ("AMDGPUDevice", None)])
def test_codecarbon_is_only_believed_where_the_meter_of_the_same_counters_is(device, source):
    devices = SimpleNamespace(devices=[type(device, (), {})()])
    gpu = type("GPU", (), {"gpu_ids": [0], "devices": devices})()
    cpu = type("CPU", (), {"_mode": "intel_rapl"})()
    parts = _find_parts(SimpleNamespace(_hardware=[gpu, cpu]))
    assert (parts["gpu"].source, parts["cpu"].source) == (source, "rapl")


def test_the_doctor_reports_each_reason_with_a_remedy(nvml):
    library = nvml(2)
    library.gpus[0].mig = 1
    library.gpus[1].compute_mode = 2
    lines = "\n".join(_gpu_lines(describe_gpus(library)))
    assert str(Sharing.MIG) in lines and Sharing.MIG.remedy in lines
    assert "processes cannot compute on it" in lines
    assert "CUDA's first" in lines
