"""perun, used as documented: it runs the application, here a function that lasts as long as the window.

Source: ``perun.api.decorator.perun`` of version 1.0 and https://perun.readthedocs.io.
"""

import logging
import threading
from contextlib import ExitStack
from typing import Any

from baler_energy.meters.peers.base import PeerMeter, by_component, peer_reading, with_sums
from baler_energy.records import Reading
from baler_energy.temporaries import temporary_folder
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["METER", "PerunMeter"]

#: perun itself waits up to 30 s for its process.
_START_LIMIT_S = 60.0
_END_LIMIT_S = 90.0
#: Component names for perun's device types.
_KINDS = {"cpu": "package", "ram": "dram", "gpu": "gpu"}


class PerunMeter(PeerMeter):
    """Energy of packages, DRAM and GPUs from perun, which reads them once a second in a separate process."""

    name = MeterName("perun")
    package = "perun"

    def __init__(self) -> None:
        self._folder = ExitStack()
        self._perun: Any = None
        self._thread: threading.Thread | None = None
        self._entered = threading.Event()
        self._leave = threading.Event()
        self._run: Any = None
        self._error: BaseException | None = None

    def open(self) -> None:
        """Configure perun, with a temporary folder for its files."""
        from perun.configuration import config, save_to_config
        from perun.core import Perun

        save_to_config("data_out", str(self._folder.enter_context(temporary_folder())))
        save_to_config("format", "hdf5")
        logging.getLogger("perun").setLevel(logging.CRITICAL)
        self._perun = Perun(config)
        if not any(unit in ("J", "W") for unit in _units(self._perun.l_assigned_sensors)):
            raise RuntimeError("perun finds no energy or power sensor here")

    def begin(self) -> None:
        """Let perun start its process and enter the function."""
        from perun import register_callback

        self._entered, self._leave = threading.Event(), threading.Event()
        self._run, self._error = None, None
        register_callback(self._keep)
        self._thread = threading.Thread(target=self._monitor, name="perun", daemon=True)
        self._thread.start()
        self._await(self._entered)

    def end(self) -> None:
        """Let the function return."""
        self._leave.set()

    def readings(self) -> list[Reading]:
        """Wait for perun's results; return the energies of its devices, its total and its CO2e."""
        if self._thread is not None:
            self._thread.join(_END_LIMIT_S)
        if self._error is not None:
            raise self._error
        if self._run is None:
            raise RuntimeError("perun returned no result")
        config = self._perun.config
        period = f"perun, sampled every {config.get('monitor', 'sampling_period')} s and integrated"
        values_j = _energies_j(self._run)
        readings = with_sums(self.name, values_j, Evidence.MEASURED, f"{period}; RAPL's energy, NVML's power")
        return readings + self._totals(readings)

    def close(self) -> None:
        """Let perun's thread end and remove its files."""
        self._leave.set()
        if self._thread is not None:
            self._thread.join(_END_LIMIT_S)
            self._thread = None
        self._folder.close()

    def _monitor(self) -> None:
        from perun.monitoring.application import Application

        entered, leave = self._entered, self._leave

        def window() -> None:
            entered.set()
            leave.wait()

        try:
            self._perun.monitor_application(Application(window, self._perun.config))
        except BaseException as error:  # perun may raise SystemError and SystemExit
            self._error = error if isinstance(error, Exception) else RuntimeError(f"perun exited: {error}")
        finally:
            entered.set()

    def _await(self, event: threading.Event) -> None:
        if not event.wait(_START_LIMIT_S):
            raise RuntimeError(f"perun did not start within {_START_LIMIT_S:g} s")
        if self._error is not None:
            raise self._error

    def _keep(self, multirun: Any) -> None:
        """Store the results of perun's last (and only) round."""
        self._run = list(multirun.nodes.values())[-1]

    def _totals(self, parts: list[Reading]) -> list[Reading]:
        metrics = {str(key.value): metric.value for key, metric in self._run.metrics.items()}
        config = self._perun.config
        pue = config.getfloat("post-processing", "pue")
        factor = config.getfloat("post-processing", "emissions_factor")
        scope = tuple(part.component for part in parts if part.component in ("cpu", "dram", "gpu")) or None
        detail = f"PUE {pue:g}, power overhead {config.get('post-processing', 'power_overhead')} W"
        intensity = f"{detail}; {factor:g} g/kWh"
        co2e_kg = float(metrics["co2"]) * 1e-3 if "co2" in metrics else None
        evidence = Evidence.MEASURED
        return [
            peer_reading(self.name, "machine", _number(metrics.get("energy")), evidence, detail, scope=scope),
            peer_reading(self.name, "machine", co2e_kg, evidence, intensity, quantity=Quantity.CO2E, scope=scope),
        ]


def _units(sensors: Any) -> list[str]:
    return [str(sensor[2].value) for sensor in sensors.values()]


def _energies_j(run: Any) -> dict[str, float | None]:
    """Return the energy (J) per device; RAPL's sensors are named ``cpu_0_package-0``, NVML's ``CUDA:0_POWER``."""
    values_j: list[tuple[str, float]] = []
    host = next(iter(run.nodes.values()))
    for group in host.nodes.values():
        for sensor in group.nodes.values():
            metrics = {str(key.value): metric.value for key, metric in sensor.metrics.items()}
            kind = str(sensor.deviceType.value)
            if "energy" not in metrics or kind not in _KINDS:
                continue
            index = sensor.id.split("_")[0].partition(":")[2] if kind == "gpu" else sensor.id.split("_")[1]
            values_j.append((f"{_KINDS[kind]}-{index}", float(metrics["energy"])))
    return by_component(sorted(values_j))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


METER = PerunMeter
