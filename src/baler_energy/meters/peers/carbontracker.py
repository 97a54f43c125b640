"""carbontracker, used as documented: one tracker, with one epoch per window.

Source: ``carbontracker.tracker.CarbonTracker`` of version 2.4.7 and its README.
"""

from typing import Any

from baler_energy.meters.peers.base import PeerMeter, peer_reading
from baler_energy.quiet import without_logs
from baler_energy.records import Reading
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName, Quantity

__all__ = ["METER", "CarbontrackerMeter"]

#: More epochs than any session has windows, because the tracker stops itself after the last epoch.
_EPOCHS = 1_000_000
_INTERVAL_S = 1


class CarbontrackerMeter(PeerMeter):
    """Energy of ``cpu`` (with DRAM, if RAPL has it) and ``gpu``, and carbontracker's total with its PUE.

    Without RAPL, carbontracker assumes half of the TDP in its table, or half of the table's mean TDP for an unknown
    CPU. Such values are modelled, which the detail states.
    """

    name = MeterName("carbontracker")
    package = "carbontracker"

    def __init__(self) -> None:
        self._tracker: Any = None

    def open(self) -> None:
        """Make the tracker."""
        from carbontracker.emissions.intensity import intensity
        from carbontracker.tracker import CarbonTracker

        # The only way to prevent network access: it asks a server for this machine's location. Without a location it
        # uses the world's mean carbon intensity.
        intensity.IntensityService._fetch_geo_location = lambda _: None
        with without_logs():  # its loggers have random names and their own handlers
            self._tracker = CarbonTracker(
                epochs=_EPOCHS,
                epochs_before_pred=0,
                update_interval=_INTERVAL_S,
                interpretable=False,
                # Otherwise an error would end this process, and the measured run with it.
                ignore_errors=True,
                verbose=0,
            )
        self._check()

    def begin(self) -> None:
        """Begin an epoch of the tracker."""
        self._check()
        self._tracker.epoch_start()

    def end(self) -> None:
        """End the epoch."""
        self._tracker.epoch_end()

    def readings(self) -> list[Reading]:
        """Return the epoch's energies as carbontracker computes them: mean of its power samples times duration."""
        self._check()
        thread = self._tracker.tracker
        readings, scope, evidences = [], [], set()
        for component in thread.components:
            parts, evidence, detail = _describe(component)
            value_j = _last(component.energy_usage(thread.epoch_times)) if _has_samples(component, thread) else None
            readings.append(peer_reading(self.name, component.name, value_j, evidence, detail, scope=tuple(parts)))
            scope += parts
            evidences.add(evidence)
        return readings + self._totals(thread, readings, scope, evidences)

    def close(self) -> None:
        """Stop the tracker's threads."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None and not tracker.deleted:
            with without_logs():
                tracker.tracker.stop()
                tracker.intensity_stopper.set()

    def _totals(self, thread: Any, parts: list[Reading], scope: list[str], evidences: set[Evidence]) -> list[Reading]:
        """Return carbontracker's total and its CO2e, both including a PUE."""
        from carbontracker import constants

        fetch = self._tracker.intensity_updater.carbon_intensity_service.default_carbon_intensity
        detail = f"PUE {constants.PUE_2023}"
        evidence = evidences.pop() if len(evidences) == 1 else Evidence.UNKNOWN
        if reason := next((part.reason for part in parts if part.value is None), None):
            return [Reading.of(self.name, "machine", Quantity.ENERGY, None, evidence, reason, detail=detail)]
        if evidence is Evidence.UNKNOWN:
            detail += "; adds measured and modelled parts"
        energy_kwh = float(thread.total_energy_per_epoch()[-1])
        co2e_kg = energy_kwh * fetch.carbon_intensity * 1e-3
        intensity = f"{detail}; {fetch.carbon_intensity:g} g/kWh (its mean of the world)"
        kinds = tuple(scope)
        return [
            peer_reading(self.name, "machine", energy_kwh * JOULES_PER_KWH, evidence, detail, scope=kinds),
            peer_reading(self.name, "machine", co2e_kg, evidence, intensity, quantity=Quantity.CO2E, scope=kinds),
        ]

    def _check(self) -> None:
        # carbontracker catches its own errors and deletes itself.
        if self._tracker.deleted:
            raise RuntimeError("carbontracker stopped after an internal error")


def _describe(component: Any) -> tuple[list[str], Evidence, str]:
    """Return the scope, evidence and detail of one of carbontracker's components."""
    kind = type(component.handler).__name__
    if component.name == "gpu":
        return ["gpu"], Evidence.MEASURED, f"NVML's power, sampled every {_INTERVAL_S} s; mean times duration"
    if kind == "GenericCPU":
        power_w, brand = component.handler.tdp, component.handler.cpu_brand
        return ["cpu"], Evidence.MODELLED, f"half of a TDP of {2 * power_w:g} W, regardless of load, for {brand!r}"
    devices = component.devices()
    scope = ["cpu", "dram"] if any(name.startswith("dram") for name in devices) else ["cpu"]
    detail = f"RAPL ({', '.join(devices)}), read over 1 s of every {1 + _INTERVAL_S} s; mean times duration"
    return scope, Evidence.MEASURED if kind == "IntelCPU" else Evidence.MODELLED, detail


def _has_samples(component: Any, thread: Any) -> bool:
    """Return whether the epoch has its own samples; without them, carbontracker uses those of another epoch."""
    return len(component.power_usages) >= thread.epoch_counter and bool(component.power_usages[-1])


def _last(energies_kwh: list[float]) -> float:
    return float(energies_kwh[-1]) * JOULES_PER_KWH


METER = CarbontrackerMeter
