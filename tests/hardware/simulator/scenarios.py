"""Machines on which the meters are tested, measured in parallel."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.curves import Curve
from simulator.machine import Counter, Edges, Gpu, Machine, Truth
from simulator.run import run_on, server

__all__ = ["AT_S", "RECOVERY", "Measured", "Recovered", "recovered", "run_all"]

#: Start (s since the curves' start) and length (s) of the window. The curves idle until just before it.
AT_S, WINDOW_S = 1.5, 5.0
CONSTANT = Curve("constant", 90.0)
STEP = Curve("step", 30.0, 90.0, AT_S + 2.5)
RAMP = Curve("ramp", 30.0, 110.0, AT_S, WINDOW_S)
SQUARE = Curve("square", 40.0, 120.0, 0.0, 0.007)
LOAD = Curve("step", 20.0, 80.0, AT_S - 1.0)
#: Range of the counters: they wrap two to three times in the window.
RANGE_UJ = 150_000_000


def _gpus(**changes: Any) -> list[Gpu]:
    twice = [Curve(c.kind, 2 * c.low_w, 2 * c.high_w, c.at_s, c.length_s) for c in (CONSTANT, RAMP, STEP, SQUARE)]
    return [Gpu(curve, **changes) for curve in twice]


RECOVERY: dict[str, Machine] = {
    "1 socket, 1 GPU": server([CONSTANT], gpus=[Gpu(LOAD, tick_s=0.02)], max_uj=RANGE_UJ),
    "2 sockets, 4 GPUs": server([STEP, RAMP], gpus=_gpus(tick_s=0.1), max_uj=RANGE_UJ),
    "2 sockets, 4 GPUs without a counter": server(
        [SQUARE, LOAD], gpus=_gpus(counter=False, averaging_s=1.0, architecture=8), max_uj=RANGE_UJ
    ),
    "1 socket, 4 old GPUs without a counter": server(
        [LOAD], gpus=_gpus(counter=False, averaging_s=0.1, architecture=4), max_uj=262_143_328_850
    ),
}


@dataclass(frozen=True)
class Measured:
    """What the meters found on a machine, and the true energies between their reads."""

    machine: Machine
    truth: Truth
    edges: Mapping[str, Sequence[Edges]]
    """By meter: for the idle baseline, if there is one, and for the window."""
    ticks: Sequence[Mapping[str, float]]
    """When each GPU's first tick after each edge was noticed, in order."""
    window_s: float
    idle_s: float | None
    result: str
    flags: tuple[str, ...]
    readings: Mapping[tuple[str, str], Mapping[str, Any]]
    """By component and quantity."""
    samples: tuple[Mapping[str, Any], ...]
    """Rows of the time series: time_s, component, quantity, value."""

    def bounds_j(self, component: str, window: int = -1) -> tuple[float, float]:
        """Return the least and largest true energy (J) of a component over the window, or the idle baseline (0)."""
        counters = {name: counter.folder for name, counter in _components(self.machine).items()}
        if component.startswith("gpu-"):
            return self.truth.gpu_bounds_j(int(component[4:]), self.edges["nvml"][window])
        if component in counters:
            return self.truth.counter_bounds_j(counters[component], self.edges["rapl"][window])
        kind = {"cpu": "package-", "dram": "dram-", "gpu": "gpu-"}[component]
        parts = [name for name in counters if name.startswith(kind)]
        parts += [f"gpu-{number}" for number in range(len(self.machine.gpus)) if kind == "gpu-"]
        bounds = [self.bounds_j(part, window) for part in parts]
        return sum(least for least, _ in bounds), sum(largest for _, largest in bounds)

    def dynamic_bounds_j(self, component: str) -> tuple[float, float]:
        """Return the least and largest true energy (J) above the baseline's power."""
        assert self.idle_s is not None
        (least, largest), (idle_least, idle_largest) = self.bounds_j(component), self.bounds_j(component, 0)
        times = self.window_s / self.idle_s
        return least - idle_largest * times, largest - idle_least * times

    def late_j(self, component: str) -> float:
        """Return the maximum error of the dynamic energy (J) from ticks noticed late; only GPUs have it."""
        assert self.idle_s is not None
        if not component.startswith("gpu-"):
            return 0.0
        edges_s = [edge_s for edges in self.edges["nvml"] for edge_s in edges[1:3]]
        late_j = [
            self.truth.late_j(int(component[4:]), edge_s, noticed.get(component))
            for edge_s, noticed in zip(edges_s, self.ticks, strict=True)
        ]
        return sum(late_j[2:]) + sum(late_j[:2]) * self.window_s / self.idle_s

    def error(self, component: str) -> float:
        """Relative error of a component's energy."""
        bounds = self.bounds_j(component)
        return distance(self.readings[component, "energy"]["value"], bounds) / bounds[0]


def distance(value: float, bounds: tuple[float, float]) -> float:
    """Return how far a value is outside its bounds."""
    return max(bounds[0] - value, value - bounds[1], 0.0)


def _components(machine: Machine) -> dict[str, Counter]:
    """Return the counters by their names in the vocabulary, without those of a second control type."""
    counters = [counter for counter in machine.counters if "mmio" not in counter.folder]
    owners = {counter.folder: counter.name for counter in counters}
    return {
        counter.name + owners[counter.folder.split("/")[0]].removeprefix("package")
        if "/" in counter.folder
        else counter.name: counter
        for counter in counters
    }


def run_all(machines: Mapping[str, Machine], state: Path, *options: str) -> dict[str, Measured]:
    """Measure a window on each machine, all in parallel, each in a separate namespace."""

    def run(name: str) -> Measured:
        folder = state / name.replace(" ", "-")
        folder.mkdir()
        command = [sys.executable, "-m", "simulator.measured", str(folder), "--at-s", str(AT_S), *options]
        done = run_on(machines[name], folder, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr}")
        found = json.loads(done.stdout)
        readings = {(r["component"], r["quantity"]): r for r in found["readings"]}
        truth = Truth(folder)
        common = {name: found[name] for name in ("edges", "ticks", "window_s", "idle_s", "result")}
        flags, samples = (*found["flags"],), (*found["samples"],)
        return Measured(truth.machine, truth, **common, flags=flags, readings=readings, samples=samples)

    with ThreadPoolExecutor(len(machines)) as pool:
        return dict(zip(machines, pool.map(run, machines), strict=True))


@dataclass(frozen=True)
class Recovered:
    """A recovered energy and the true energy."""

    machine: str
    component: str
    curve: str
    how: str
    value_j: float
    bounds_j: tuple[float, float]
    """Least and largest true energy."""
    bound_j: float
    dynamic_j: float
    dynamic_bounds_j: tuple[float, float]
    late_j: float
    """Maximum error from a GPU's tick that was noticed late."""

    @property
    def true_j(self) -> float:
        """True gross energy."""
        return sum(self.bounds_j) / 2

    @property
    def true_dynamic_j(self) -> float:
        """True dynamic energy."""
        return sum(self.dynamic_bounds_j) / 2

    @property
    def off_j(self) -> float:
        """Distance of the gross energy from the range of possible true energies."""
        return distance(self.value_j, self.bounds_j)

    @property
    def dynamic_off_j(self) -> float:
        """Distance of the dynamic energy from the range of possible true energies."""
        return distance(self.dynamic_j, self.dynamic_bounds_j)

    @property
    def error(self) -> float:
        """Relative error of the gross energy."""
        return self.value_j / self.true_j - 1


def recovered(name: str, measured: Measured) -> list[Recovered]:
    """Compare every energy of a machine with the true energy."""
    curves = {name: counter.curve for name, counter in _components(measured.machine).items()}
    curves |= {f"gpu-{number}": gpu.curve for number, gpu in enumerate(measured.machine.gpus)}
    return [
        Recovered(
            machine=name,
            component=component,
            curve=curves[component].kind if component in curves else "sum",
            how=reading["detail"],
            value_j=reading["value"],
            bounds_j=measured.bounds_j(component),
            bound_j=reading["bound"],
            dynamic_j=measured.readings[component, "dynamic_energy"]["value"],
            dynamic_bounds_j=measured.dynamic_bounds_j(component),
            late_j=measured.late_j(component),
        )
        for (component, quantity), reading in measured.readings.items()
        if quantity == "energy"
    ]
