"""A simulated machine: RAPL counters as files, and a GPU driver as a module."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
from simulator.run import namespaces_work

#: How long (s) a counter that a test advances may stay unchanged.
HANGS_S = 600.0


class Counter:
    """One simulated RAPL counter with a journal of its true energy."""

    def __init__(self, folder: Path, name: str, *, start_uj: int, max_uj: int) -> None:
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
        (folder / "max_energy_range_uj").write_text(f"{max_uj}\n")
        self.file = folder / "energy_uj"
        self.max_uj = max_uj
        self.total_uj = 0
        self._start_uj = start_uj
        self._journal: list[tuple[float, float, int]] = []
        self.advance(0)

    def advance(self, step_uj: int) -> None:
        self.total_uj += step_uj
        before_s = time.monotonic()
        # In place and with constant length: a reader of the kernel's file never sees half a number.
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT)
        os.pwrite(descriptor, b"%020d\n" % ((self._start_uj + self.total_uj) % self.max_uj), 0)
        os.close(descriptor)
        self._journal.append((before_s, time.monotonic(), self.total_uj))

    def bounds_j(self, time_s: float) -> tuple[float, float]:
        """Least and largest energy that a reader may have seen at a time."""
        low = max(total for _, done_s, total in self._journal if done_s <= time_s)
        high = max(total for begun_s, _, total in self._journal if begun_s <= time_s)
        return low * 1e-6, high * 1e-6


class SimulatedMachine:
    """A powercap tree whose counters a thread advances."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.counters: dict[str, Counter] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, folder: str, name: str, *, start_uj: int = 0, max_uj: int = 100_000_000) -> Counter:
        self.counters[folder] = Counter(self.root / folder, name, start_uj=start_uj, max_uj=max_uj)
        return self.counters[folder]

    def advance(self, steps_uj: dict[str, int]) -> None:
        for folder, step_uj in steps_uj.items():
            self.counters[folder].advance(step_uj)

    def run(self, steps_uj: dict[str, int], interval_s: float = 0.01) -> None:
        """Advance the counters repeatedly until the test is over."""

        def loop() -> None:
            while not self._stop.wait(interval_s):
                self.advance(steps_uj)

        self._thread = threading.Thread(target=loop)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how the simulated machine was measured."""
    where = "over /sys/class, for unmodified libraries" if namespaces_work() else "in another folder, for our reader"
    terminalreporter.write_line(f"Simulated RAPL counters: {where}.")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedMachine]:
    """Return a machine without counters; tests add counters, which only change when a test advances them."""
    monkeypatch.setattr("baler_energy.meters.rapl._WATCH_S", 0.01)
    monkeypatch.setattr("baler_energy.meters.rapl._LONG_WATCH_S", 0.01)
    # A thread of this process advances the counters, and a busy machine may delay it.
    monkeypatch.setattr("baler_energy.meters.counters._STILL_FLOOR_S", HANGS_S)
    simulated = SimulatedMachine(tmp_path / "powercap")
    simulated.root.mkdir()
    yield simulated
    simulated.stop()


class NVMLError(Exception):
    """Base class of the simulated driver's errors."""


class NotSupportedError(NVMLError):
    """The GPU does not support the query."""


class NoPermissionError(NVMLError):
    """The user lacks permission for the query."""


class LibraryMismatchError(Exception):
    """The driver is too old for the query."""


class SimulatedNvml:
    """A module with pynvml's functions; tests set the GPUs' state (``energy_j`` None: no counter)."""

    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    CLOCKS_MHZ = MappingProxyType({NVML_CLOCK_SM: 1410, NVML_CLOCK_MEM: 1593})
    NVMLError = NVMLError
    NVMLLibraryMismatchError = LibraryMismatchError
    NVMLError_NotSupported = NotSupportedError
    NVMLError_NoPermission = NVMLError_FunctionNotFound = NoPermissionError

    def __init__(self, count: int = 1) -> None:
        self.gpus = [
            SimpleNamespace(
                uuid=f"GPU-{i}",
                energy_j=100.0,
                power_w=50.0,
                throttle=0,
                pids=[],
                drawing=[],
                mps=None,
                mig=0,
                mode=0,
                compute_mode=0,
                accounting=0,
                mine=True,
                lost=False,
                state=True,
                limit_w=None,
            )
            for i in range(count)
        ]
        self.depth = 0
        self.state_reads = 0
        self.driver_error: Exception | None = None

    def nvmlInit(self) -> None:  # noqa: N802
        if self.driver_error:
            raise self.driver_error
        self.depth += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.depth -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> SimpleNamespace:  # noqa: N802
        if not self.gpus[index].mine:
            raise NoPermissionError("Insufficient Permissions")
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> SimpleNamespace:  # noqa: N802
        """Find a partition ``MIG-<n>-...`` of GPU n."""
        number = uuid.split("-")[1]
        if not uuid.startswith("MIG-") or number not in "0123456789":
            raise NVMLError("Not Found")
        return SimpleNamespace(lost=False, parent=self.gpus[int(number)])

    def __getattr__(self, function: str) -> Callable[..., object]:
        answers: dict[str, Callable[..., object]] = {
            "nvmlDeviceGetUUID": lambda gpu: gpu.uuid,
            "nvmlDeviceGetName": lambda gpu: b"Simulated GPU",
            "nvmlDeviceGetTotalEnergyConsumption": lambda gpu: self._supported(gpu.energy_j) * 1e3,
            "nvmlDeviceGetPowerUsage": lambda gpu: self._supported(gpu.power_w) * 1e3,
            "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=self._supported(gpu.state and 40)),
            "nvmlDeviceGetTemperature": lambda gpu, _: self._supported(gpu.state and 61),
            "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(used=2**30, total=2**34),
            "nvmlDeviceGetClockInfo": lambda gpu, kind: self._supported(gpu.state and self.CLOCKS_MHZ[kind]),
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda gpu: self._supported(gpu.throttle),
            "nvmlDeviceGetFieldValues": lambda gpu, _: self._supported(None),
            "nvmlDeviceGetEnforcedPowerLimit": lambda gpu: self._supported(gpu.limit_w) * 1e3,
            "nvmlDeviceGetPowerManagementLimitConstraints": lambda gpu: (0, self._supported(gpu.limit_w) * 1e3),
            "nvmlDeviceGetArchitecture": lambda gpu: 5,
            "nvmlDeviceGetComputeRunningProcesses": lambda gpu: _processes(gpu.pids),
            "nvmlDeviceGetGraphicsRunningProcesses": lambda gpu: _processes(gpu.drawing),
            "nvmlDeviceGetMPSComputeRunningProcesses": lambda gpu: _processes(gpu.mps),
            "nvmlDeviceGetVirtualizationMode": lambda gpu: gpu.mode,
            "nvmlDeviceGetComputeMode": lambda gpu: gpu.compute_mode,
            "nvmlDeviceGetAccountingMode": lambda gpu: gpu.accounting,
            "nvmlDeviceGetMigMode": lambda gpu: (self._supported(gpu.mig is not None) and gpu.mig, gpu.mig),
            "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": lambda partition: partition.parent,
        }
        if function == "nvmlSystemGetDriverVersion":
            return lambda: "999.1"
        if function not in answers:
            raise AttributeError(function)

        def call(gpu: SimpleNamespace, *more: object) -> object:
            if gpu.lost:
                raise NVMLError("GPU is lost")
            self.state_reads += function == "nvmlDeviceGetUtilizationRates"
            return answers[function](gpu, *more)

        return call

    def wait_for_samples(self, count: int = 2) -> None:
        """Wait until the meter has sampled the state of the GPUs this often: a busy machine delays its thread."""
        enough, limit_s = self.state_reads + count * len(self.gpus), time.monotonic() + HANGS_S
        while self.state_reads < enough:
            assert time.monotonic() < limit_s, "the meter takes no samples"
            time.sleep(0.001)

    @staticmethod
    def _supported(value: float | bool | None) -> float:
        if value is None or value is False:
            raise NotSupportedError("Not Supported")
        return value


def _processes(pids: list[int] | None) -> list[SimpleNamespace]:
    if pids is None:
        raise NotSupportedError("Not Supported")
    return [SimpleNamespace(pid=pid) for pid in pids]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimulatedNvml]:
    """Return the class of simulated drivers; all GPUs are visible unless a test hides some."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    # Counters only advance when a test advances them, even if the test is delayed.
    monkeypatch.setattr("baler_energy.meters.counters._STILL_FLOOR_S", HANGS_S)
    return SimulatedNvml
