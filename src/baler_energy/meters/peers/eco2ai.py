"""eco2AI, as its documentation says: a tracker, started and stopped around the code.

Source: ``eco2ai.Tracker`` of version 0.3.12 and its README. It runs only beside older libraries than ours.
"""

import tempfile
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from baler_energy.meters.base import Channel
from baler_energy.meters.peers.base import JOULES_PER_KWH, PeerMeter, peer_reading, peer_version
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["METER", "Eco2aiMeter"]

_PERIOD_S = 1
#: Any country that eco2AI knows: with one it asks no server where this machine is. Its CO2e is not taken.
_COUNTRY = "CH"


class Eco2aiMeter(PeerMeter):
    """Energy of ``cpu`` (TDP times load), ``ram`` (W per GB) and ``gpu`` (NVML's power) from eco2AI."""

    name = MeterName("eco2ai")
    package = "eco2ai"

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._tracker: Any = None

    def channels(self) -> Sequence[Channel]:
        """Say whether eco2AI is installed, and can run beside the libraries that are."""
        if find_spec(self.package) is None or (reason := _obstacle()) is None:
            return super().channels()
        return (Channel("machine", None, f"eco2ai {peer_version(self.package)} cannot run here: {reason}"),)

    def open(self) -> None:
        """Make the tracker; its file goes to a temporary folder."""
        with warnings.catch_warnings(action="ignore"):
            from eco2ai import Tracker

            self._folder = tempfile.TemporaryDirectory(prefix="eco2ai-")
            self._tracker = Tracker(
                project_name="baler-energy",
                experiment_description="window",
                file_name=str(Path(self._folder.name) / "emission.csv"),
                measure_period=_PERIOD_S,
                alpha_2_code=_COUNTRY,
                cpu_processes="all",
                pue=1,
                ignore_warnings=True,
            )

    def begin(self) -> None:
        """Start the tracker."""
        with warnings.catch_warnings(action="ignore"):
            self._tracker.start()

    def end(self) -> None:
        """Stop the tracker."""
        with warnings.catch_warnings(action="ignore"):
            self._tracker.stop()

    def readings(self) -> list[Reading]:
        """Give the energies of eco2AI's parts."""
        cpu, gpu, ram = self._tracker._cpu, self._tracker._gpu, self._tracker._ram
        load = f"load times a TDP of {cpu.tdp()} W for {cpu.name()!r}, {cpu.cpu_num()} of it"
        parts = [
            ("cpu", cpu, Evidence.MODELLED, load),
            ("ram", ram, Evidence.MODELLED, "0.375 W/GB of this process's memory"),
        ]
        if gpu.is_gpu_available:
            parts.append(("gpu", gpu, Evidence.MEASURED, f"NVML's power, sampled every {_PERIOD_S} s"))
        # eco2AI's parts keep what they used since the start; its own total is their sum times its PUE, here 1.
        return [
            peer_reading(self.name, name, part._consumption * JOULES_PER_KWH, evidence, detail)
            for name, part, evidence, detail in parts
        ]

    def close(self) -> None:
        """Remove the tracker's file."""
        self._tracker = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _obstacle() -> str | None:
    """Say which library of this environment keeps eco2AI from running; None where none does."""
    if find_spec("pkg_resources") is None:
        return "it imports pkg_resources, which setuptools no longer has"
    if int(peer_version("pandas").split(".")[0]) >= 3:
        return "its stop() writes text into columns of numbers, which pandas 3 refuses"
    return None


METER = Eco2aiMeter
