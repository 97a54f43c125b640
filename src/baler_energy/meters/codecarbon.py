"""codecarbon's tracker: energy from a counter if it finds one, else from its model."""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.gpus import visible_indices
from baler_energy.meters.poller import Poller
from baler_energy.records import Reading
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName, Quantity

__all__ = ["METER", "CodecarbonMeter"]

#: Interval of the power series; codecarbon itself reads the load once a second.
_SLICE_S = 1.0
#: codecarbon skips a measurement within this time after the last one.
_STALE_S = 0.05
_PARTS = ("cpu", "gpu", "ram")
#: Modes in which codecarbon reads the CPU's power from a counter or sensor.
_COUNTED_MODES = ("intel_rapl", "intel_power_gadget", "windows_emi")


class _Totals:
    """codecarbon output handler that keeps the cumulative energies (J)."""

    def __init__(self) -> None:
        self.energies_j: dict[str, float] = {}

    def out(self, total: Any, delta: Any) -> None:
        """Store the results of a flush."""
        self.energies_j = {part: getattr(total, f"{part}_energy") * JOULES_PER_KWH for part in _PARTS}

    def live_out(self, total: Any, delta: Any) -> None:
        """Ignore the results of codecarbon's own schedule."""

    def task_out(self, data: Any, experiment_name: str) -> None:
        """Ignore tasks, which are not used."""

    def exit(self) -> None:
        """Do nothing; there is nothing to release."""


class CodecarbonMeter(Meter):
    """Energy of ``cpu``, ``gpu`` and ``ram`` of the whole machine, as codecarbon reports it, each with its evidence.

    One tracker runs from `open` to `close`. It is flushed at the edges of the window and once a second. A window's
    energy is the difference of two totals. The flushes in between give the power over time, which matters most on
    machines without counters. `machine` is codecarbon's total; it is null if it would add measured and modelled parts.
    """

    name = MeterName("codecarbon")
    edge = 30
    imports = ("codecarbon",)

    def __init__(self) -> None:
        self._tracker: Any = None
        self._starting: Future[Any] | None = None
        self._totals = _Totals()
        self._parts: dict[str, Channel] = {}
        self._poller: Poller | None = None
        self._lock = threading.Lock()
        self._begin_j: dict[str, float] = {}
        self._end_j: dict[str, float] = {}
        self._powers: dict[str, float] = {}
        self._given: dict[str, float] = {}
        self._edge_s = 0.0
        self._series: list[Sample] = []

    @classmethod
    def detect(cls) -> None:
        """Let codecarbon detect the hardware; it remembers it, so that trackers of forked processes start at once."""
        meter = cls()
        try:
            with suppress(RuntimeError):  # each process reports it
                meter.open()
        finally:
            meter.close()

    def channels(self) -> Sequence[Channel]:
        """Report what codecarbon measures; its source of the CPU's power is only known after `open`."""
        if self._parts:
            return tuple(self._parts.values())
        if find_spec("codecarbon") is None:
            return (Channel("cpu", None, "the package codecarbon is not installed", "pip install codecarbon"),)
        return (
            Channel("cpu", Evidence.MODELLED, "codecarbon, not yet started"),
            Channel("ram", Evidence.MODELLED, "codecarbon's model of watts per memory module"),
        )

    def prepare(self) -> None:
        """Start the tracker in the background: it takes two seconds, during which the caller can import and load."""
        self._starting = self._starting or self._start_in_background()

    def open(self) -> None:
        """Wait until the tracker has started, and read its totals."""
        starting, self._starting = self._starting or self._start_in_background(), None
        self._tracker = starting.result()
        _choose_gpus(self._tracker, visible_indices())
        self._tracker.flush()
        # codecarbon catches and logs its own exceptions, so a failure only shows as missing totals.
        if not self._totals.energies_j:
            raise RuntimeError("codecarbon's tracker does not start; `codecarbon detect` may show why")
        self._edge_s = time.monotonic()
        self._parts = _find_parts(self._tracker)

    def _start_in_background(self) -> Future[Any]:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="codecarbon")
        starting = executor.submit(self._start)
        executor.shutdown(wait=False)
        return starting

    def _start(self) -> Any:
        from codecarbon import OfflineEmissionsTracker

        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        # Only its energies are used: emissions are computed from them, by country, when results are collected. The
        # fixed intensity prevents a network request; the country is arbitrary. Everything that a codecarbon
        # configuration file could turn on (files, servers, a PUE) is turned off here.
        tracker = OfflineEmissionsTracker(
            country_iso_code="CHE",
            force_carbon_intensity_g_co2e_kwh=1.0,
            output_methods=[],
            output_handlers=[self._totals],
            emissions_endpoint=None,
            tracking_mode="machine",
            measure_power_secs=3600,
            api_call_interval=-1,
            allow_multiple_runs=True,
            pue=1.0,
            log_level="critical",
        )
        tracker.start()
        return tracker

    def begin(self) -> None:
        """Read the totals at the start of the window."""
        # Too soon after the last window, the tracker would skip the measurement and repeat its totals.
        time.sleep(max(0.0, self._edge_s + 1.2 * _STALE_S - time.monotonic()))
        self._flush()
        self._begin_j = self._totals.energies_j
        self._given = {}
        self._series = []
        # `_poll` ignores the poller's first call, which comes immediately.
        self._poller = Poller(self._poll, _SLICE_S)
        self._poller.start()

    def energies_j(self) -> dict[str, float]:
        """Return the energy since `begin`: up to the last flush, then extrapolated with the last power."""
        with self._lock:
            # The power from before the window is only good enough for the window's first moment.
            if not self._series and time.monotonic() - self._edge_s > 2 * _STALE_S:
                self._flush()
            # Never decreases, although the next flush may show less energy than was extrapolated.
            self._given = {
                part: max(self._given.get(part, 0.0), value)
                for part, value in self._window_j(time.monotonic() - self._edge_s).items()
            }
            return dict(self._given)

    def end(self) -> None:
        """Read the totals at the end of the window."""
        error = self._stop_poller()
        since_s = time.monotonic() - self._edge_s
        # codecarbon's clock starts when a flush ends, a little later than ours; hence the factor of two.
        if since_s > 2 * _STALE_S or not self._series:
            self._flush()
            since_s = 0.0
        if error is not None:
            raise error
        self._end_j = self._window_j(since_s)

    def readings(self) -> list[Reading]:
        """Return the energies of the window."""
        energies = self._end_j
        readings = [
            Reading.of(
                self.name,
                part,
                Quantity.ENERGY,
                energies[part],
                channel.evidence or Evidence.MODELLED,
                detail=channel.detail,
            )
            for part, channel in self._parts.items()
        ]
        evidences = {reading.evidence for reading in readings}
        if len(evidences) == 1:
            total_j = sum(energies.values())
            return [*readings, Reading.of(self.name, "machine", Quantity.ENERGY, total_j, evidences.pop())]
        reason = "the total would add measured and modelled energy"
        return [*readings, Reading.of(self.name, "machine", Quantity.ENERGY, None, Evidence.MODELLED, reason)]

    def samples(self) -> list[Sample]:
        """Return the power over time."""
        return list(self._series)

    def close(self) -> None:
        """Stop the tracker."""
        self._stop_poller()
        if self._tracker is not None:
            schedules = (self._tracker._scheduler, self._tracker._scheduler_monitor_power)
            self._tracker.stop()
            self._tracker = None
            _end(schedules)

    def _stop_poller(self) -> Exception | None:
        poller, self._poller = self._poller, None
        if poller is None:
            return None
        poller.stop()
        return poller.error

    def _poll(self) -> None:
        with self._lock:
            if time.monotonic() - self._edge_s > _SLICE_S / 2:
                self._flush()

    def _flush(self) -> None:
        """Let the tracker measure up to now, and record its mean power since the last flush."""
        before_j, before_s = self._totals.energies_j, self._edge_s
        self._edge_s = time.monotonic()
        self._tracker.flush()
        if self._totals.energies_j == before_j:
            raise RuntimeError(f"codecarbon took no measurement (it skips any within {_STALE_S} s of another)")
        for part, channel in self._parts.items():
            power_w = (self._totals.energies_j[part] - before_j[part]) / (self._edge_s - before_s)
            self._powers[part] = power_w
            evidence = channel.evidence or Evidence.MODELLED
            self._series.append(Sample((self._edge_s + before_s) / 2, part, "power", power_w, evidence))

    def _window_j(self, since_s: float) -> dict[str, float]:
        """Return the energy of the window up to `since_s` after the last flush."""
        return {
            part: self._totals.energies_j[part] - self._begin_j[part] + self._powers[part] * since_s
            for part in self._parts
        }


def _end(schedules: Sequence[Any]) -> None:
    """Stop the timers of a stopped tracker for good.

    codecarbon repeats a call with a timer that starts the next one as it runs out. Stopped at that moment, the schedule
    starts again and would never end.
    """
    for schedule in filter(None, schedules):
        while True:
            with schedule._lock:  # a restart sets both with this lock
                stopped, timer = schedule._stopped, schedule._timer
            if timer is None or (stopped and not timer.is_alive()):  # None: it never started
                break
            schedule.stop()
            timer.join()


def _choose_gpus(tracker: Any, indices: list[int] | None) -> None:
    """Restrict codecarbon to the GPUs with these NVML indices; None: keep its own choice.

    It chooses in its constructor, before the run's GPU is known. It also fails to match a UUID (it strips the G of
    ``GPU-`` along with ``MIG-``) and would then report 0 J.
    """
    for hardware in tracker._hardware:
        if type(hardware).__name__ == "GPU" and indices is not None:
            hardware.gpu_ids, hardware._gpu_ids_resolved = indices, True


def _find_parts(tracker: Any) -> dict[str, Channel]:
    """Find the source of each part's energy from the tracker's hardware objects; its output does not report it."""
    parts: dict[str, Channel] = {}
    for hardware in tracker._hardware:
        kind = type(hardware).__name__
        if kind == "CPU":
            parts["cpu"] = _cpu_channel(hardware)
        elif kind == "GPU" and hardware.gpu_ids != []:
            parts["gpu"] = _gpu_channel(hardware)
        elif kind == "RAM":
            parts["ram"] = Channel("ram", Evidence.MODELLED, "codecarbon's model of watts per memory module")
        elif kind in ("Raspberry", "AppleSiliconChip"):
            # Apple calls its values estimates; a Raspberry Pi's power chip measures its rails.
            part = hardware.chip_part.lower()
            evidence = Evidence.MEASURED if kind == "Raspberry" else Evidence.MODELLED
            parts[part] = Channel(part, evidence, f"codecarbon, {hardware!r}")
    return {part: parts[part] for part in _PARTS if part in parts}


def _gpu_channel(hardware: Any) -> Channel:
    devices = getattr(getattr(hardware, "devices", None), "devices", ())
    nvidia = any("nvidia" in type(device).__name__.lower() for device in devices)
    source = MeterName("nvml") if nvidia else None
    return Channel("gpu", Evidence.MEASURED, "codecarbon, from the GPU's counters", source=source)


def _cpu_channel(hardware: Any) -> Channel:
    mode = hardware._mode
    if mode in _COUNTED_MODES:
        source = MeterName("rapl") if mode == "intel_rapl" else None
        return Channel("cpu", Evidence.MEASURED, f"codecarbon, from a counter ({mode})", source=source)
    if mode == "cpu_load":
        return Channel("cpu", Evidence.MODELLED, f"codecarbon's model: CPU load and a TDP of {hardware._tdp:g} W")
    return Channel(
        "cpu", Evidence.MODELLED, f"codecarbon's model: half of a TDP of {hardware._tdp:g} W, regardless of load"
    )


METER = CodecarbonMeter
