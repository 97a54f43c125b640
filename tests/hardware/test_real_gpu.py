"""A real GPU: NVML's energy against nvidia-smi's and against power times time, on the GPU that torch computes on."""

import os
import shutil
import subprocess
import threading
import time

import pytest
import torch

from baler_energy.meters.gpus import describe_gpus
from baler_energy.meters.nvml import NvmlMeter
from baler_energy.meters.visible import hold_first_gpu
from baler_energy.stages.options import actual_device
from baler_energy.vocabulary import Quantity

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here")
WINDOW_S = 20.0


@pytest.fixture(scope="module")
def gpu():
    """Hold the GPU that a run would take, as a stage does."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    assert actual_device("cuda") == "cuda"
    yield describe_gpus()
    if before is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = before


@pytest.fixture(scope="module")
def window(gpu):
    """Measure matrix products for a while, with nvidia-smi sampling the power at the same time."""
    factor = torch.randn(4096, 4096, device="cuda:0")
    meter = NvmlMeter(sample_interval_s=0.1)
    meter.open()
    powers_w, over = [], threading.Event()

    def sample():
        query = ["nvidia-smi", f"--id={gpu[0]['uuid']}", "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
        while shutil.which("nvidia-smi") and not over.wait(0.2):
            powers_w.append(float(subprocess.run(query, check=True, capture_output=True, text=True).stdout))

    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        factor @ factor
        torch.cuda.synchronize()
    thread = threading.Thread(target=sample)
    thread.start()
    meter.begin()
    start_s = time.monotonic()
    while time.monotonic() - start_s < WINDOW_S:
        factor @ factor
        torch.cuda.synchronize()
    duration_s = time.monotonic() - start_s
    meter.end()
    over.set()
    thread.join()
    readings = {r.component: r for r in meter.readings() if r.quantity is Quantity.ENERGY}
    samples_w = [
        s.value for s in meter.samples() if s.quantity == "power" and start_s < s.time_s < start_s + duration_s
    ]
    meter.close()
    return readings, duration_s, powers_w, samples_w


def test_the_measured_gpu_is_torchs(gpu):
    (only,) = gpu
    assert only["uuid"] == f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    assert hold_first_gpu() == only["uuid"]


def test_energy_is_power_times_time(window):
    readings, duration_s, _, samples_w = window
    assert readings["gpu"].value == pytest.approx(duration_s * sum(samples_w) / len(samples_w), rel=0.05)


def test_energy_is_nvidia_smis(window):
    readings, duration_s, powers_w, _ = window
    if not powers_w:
        pytest.skip("nvidia-smi is not installed")
    assert readings["gpu"].value == pytest.approx(duration_s * sum(powers_w) / len(powers_w), rel=0.05)
