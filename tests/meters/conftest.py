"""A meter that replays given readings, and settings for windows of tenths of a second."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.meters.options import meter_class
from baler_energy.meters.settings import SessionSettings
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, Flag, MeterName, Quantity


class ReplayMeter(Meter):
    """Returns the energies of a list, window by window; an exception in the list is raised."""

    def __init__(
        self,
        energies_j: Sequence[float | Exception] = (),
        *,
        name: MeterName = MeterName.RAPL,
        component: str = "cpu",
        evidence: Evidence | None = Evidence.MEASURED,
        flags: Sequence[Flag] = (),
        samples: Sequence[Sample] = (),
        broken: dict[str, Exception] | None = None,
    ) -> None:
        self.name, self.edge = name, meter_class(name).edge
        self.calls: list[str] = []
        self._left = list(energies_j)
        self._component, self._evidence = component, evidence
        self._flags, self._samples, self._broken = set(flags), list(samples), broken or {}

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if method in self._broken:
            raise self._broken[method]

    def channels(self) -> Sequence[Channel]:
        return (Channel(self._component, self._evidence, "a replayed log"),)

    def open(self) -> None:
        self._call("open")

    def begin(self) -> None:
        self._call("begin")

    def energies_j(self) -> dict[str, float]:
        self._call("energies_j")
        return {self._component: 0.5}

    def end(self) -> None:
        self._call("end")

    def readings(self) -> list[Reading]:
        self._call("readings")
        value = self._left.pop(0)
        if isinstance(value, Exception):
            raise value
        return [Reading.of(self.name, self._component, Quantity.ENERGY, value, self._evidence or Evidence.MEASURED)]

    def flags(self) -> set[Flag]:
        return self._flags

    def samples(self) -> list[Sample]:
        return self._samples

    def close(self) -> None:
        self._call("close")


@pytest.fixture
def replay() -> type[ReplayMeter]:
    """Return the class of replaying meters."""
    return ReplayMeter


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., SessionSettings]:
    """Return a maker of settings with tiny windows and a separate lock for the test."""

    def make(**changes: object) -> SessionSettings:
        values = {
            "min_window_s": 0.05,
            "idle_s": 0.0,
            "sample_interval_s": 0.02,
            "lock": tmp_path / "lock",
            **changes,
        }
        return SessionSettings(**values)

    return make
