"""The GPUs of this machine, as Snakemake's planning counts them."""

import pynvml
import pytest

from baler_energy.devices import count_gpus


@pytest.mark.parametrize("name", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_fails_shows_no_gpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fails() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    assert count_gpus() == 2
    monkeypatch.setattr(pynvml, name, fails)
    assert count_gpus() == 0
