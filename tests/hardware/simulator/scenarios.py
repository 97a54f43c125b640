"""Machines on which the meters are tested, and their windows run side by side."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.curves import Curve
from simulator.machine import Counter, Gpu, Machine, Truth
from simulator.run import run_on, server

__all__ = ["AT_S", "RECOVERY", "Measured", "Recovered", "recovered", "run_all"]

#: Begin of the window, since the machine's start, and its length (s). The curves idle until just before it.
AT_S, WINDOW_S = 10.0, 5.0
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
    """What the meters found on a machine, and what was true."""

    machine: Machine
    truth: Truth
    edges_s: tuple[float, float]
    result: str
    flags: tuple[str, ...]
    readings: Mapping[tuple[str, str], Mapping[str, Any]]
    """By component and quantity."""
    samples: tuple[Mapping[str, Any], ...]
    """Of the time series: time_s, component, quantity, value."""

    def true_j(self, component: str) -> float:
        """Give the true energy (J) of a component over the window, sums included."""
        if component.startswith("gpu-"):
            return self.truth.gpu_j(int(component[4:]), *self.edges_s)
        counters = {name: counter.folder for name, counter in _components(self.machine).items()}
        if component in counters:
            return self.truth.counter_j(counters[component], *self.edges_s)
        kind = {"cpu": "package-", "dram": "dram-", "gpu": "gpu-"}[component]
        parts = [name for name in counters if name.startswith(kind)]
        parts += [f"gpu-{number}" for number in range(len(self.machine.gpus)) if kind == "gpu-"]
        return sum(self.true_j(part) for part in parts)


def _components(machine: Machine) -> dict[str, Counter]:
    """Give the counters by their words in the vocabulary; what stands under a second control type is left out."""
    counters = [counter for counter in machine.counters if "mmio" not in counter.folder]
    owners = {counter.folder: counter.name for counter in counters}
    return {
        counter.name + owners[counter.folder.split("/")[0]].removeprefix("package")
        if "/" in counter.folder
        else counter.name: counter
        for counter in counters
    }


def run_all(machines: Mapping[str, Machine], state: Path, *options: str) -> dict[str, Measured]:
    """Measure a window on each machine, all at the same time, each in a namespace of its own."""

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
        edges_s, flags = (*found["edges_s"],), (*found["flags"],)
        return Measured(truth.machine, truth, edges_s, found["result"], flags, readings, (*found["samples"],))

    with ThreadPoolExecutor(len(machines)) as pool:
        return dict(zip(machines, pool.map(run, machines), strict=True))


@dataclass(frozen=True)
class Recovered:
    """A recovered energy beside the true one."""

    machine: str
    component: str
    curve: str
    how: str
    value_j: float
    true_j: float
    bound_j: float
    dynamic_j: float
    true_dynamic_j: float

    @property
    def error(self) -> float:
        """Relative error of the gross energy."""
        return self.value_j / self.true_j - 1


def recovered(name: str, measured: Measured) -> list[Recovered]:
    """Compare every energy of a machine with the truth."""
    curves = {name: counter.curve for name, counter in _components(measured.machine).items()}
    curves |= {f"gpu-{number}": gpu.curve for number, gpu in enumerate(measured.machine.gpus)}
    length_s = measured.edges_s[1] - measured.edges_s[0]
    rows = []
    for (component, quantity), reading in measured.readings.items():
        if quantity != "energy":
            continue
        curve, true_j = curves.get(component), measured.true_j(component)
        prefixes = {"cpu": "package-", "dram": "dram-", "gpu": "gpu-"}
        parts = [curve] if curve else [c for part, c in curves.items() if part.startswith(prefixes[component])]
        idle_w = sum(part.low_w if part.kind != "square" else (part.low_w + part.high_w) / 2 for part in parts)
        rows.append(
            Recovered(
                machine=name,
                component=component,
                curve=curve.kind if curve else "sum",
                how=reading["detail"],
                value_j=reading["value"],
                true_j=true_j,
                bound_j=reading["bound"],
                dynamic_j=measured.readings[component, "dynamic_energy"]["value"],
                true_dynamic_j=true_j - idle_w * length_s,
            )
        )
    return rows
