"""Description of a simulated machine, and the true energy of a window on it."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from simulator.curves import Curve

__all__ = ["CURVES_START", "Counter", "Edges", "Gpu", "Machine", "Truth", "curves_start_s", "start_curves"]

#: Intel's unit of energy on most processors: 2^-14 J.
UNIT_UJ = 1e6 / 2**14
#: File with the start time of the curves, and how long (s) before that it is written, so that it is read in time.
CURVES_START, _NOTICE_S = "curves-start.txt", 0.2


def start_curves(state: Path) -> float:
    """Schedule the start of a machine's curves; return its time (`time.monotonic`).

    Until then every power is constant, at the start of its curve. So it does not matter how long a measuring process
    takes to set up and to measure its idle baseline, which depends on the machine that runs the tests.
    """
    start_s = time.monotonic() + _NOTICE_S
    new = state / f"{CURVES_START}.new"
    new.write_text(f"{start_s!r}\n")
    new.replace(state / CURVES_START)
    return start_s


def curves_start_s(state: Path) -> float:
    """Return the start of the curves; infinity if not known yet."""
    try:
        return float((state / CURVES_START).read_text())
    except FileNotFoundError:
        return math.inf


@dataclass(frozen=True)
class Counter:
    """A RAPL counter; `fault` (stall, jump, back, garbage, vanish) happens `fault_s` after the curves' start.

    `mode` is the mode of its file: 0 allows only root to read it, the kernel's default.
    """

    folder: str
    name: str
    curve: Curve
    max_uj: int = 262_143_328_850
    start_uj: int = 1_000_000_000
    fault: str | None = None
    fault_s: float = 0.0
    mode: int = 0o444


@dataclass(frozen=True)
class Gpu:
    """A GPU; `averaging_s` is the window of its power sensor, `lost_s`, `stall_s`, `fall_s` are times of faults.

    Times count from the curves' start. From `hot_s` on, its clocks are lowered for heat. `process` is the id of a
    process that computes on it (0: no process).
    """

    curve: Curve
    counter: bool = True
    tick_s: float = 0.1
    averaging_s: float = 0.0
    update_s: float = 0.02
    architecture: int = 7
    instant: bool = False
    lost_s: float = 1e9
    stall_s: float = 1e9
    fall_s: float = 1e9
    hot_s: float = 1e9
    process: int = 0
    name: str = "Simulated GPU"


@dataclass(frozen=True)
class Machine:
    """Counters and GPUs."""

    counters: tuple[Counter, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    start_s: float = 0.0
    """`time.monotonic` at its start."""
    classes: tuple[str, ...] = field(default=("intel-rapl",))

    def write(self, state: Path) -> None:
        """Save it for the writer, the library and the tests."""
        (state / "machine.json").write_text(json.dumps(asdict(self)))
        lines = [f"start {self.start_s!r}"]
        for gpu in self.gpus:
            times_s = (gpu.tick_s, gpu.averaging_s, gpu.update_s, gpu.lost_s, gpu.stall_s, gpu.fall_s, gpu.hot_s)
            numbers = (int(gpu.counter), int(gpu.instant), gpu.architecture, gpu.process)
            words = " ".join(map(repr, (*times_s, *numbers)))
            lines.append(f"gpu {gpu.curve.words()} {words} {gpu.name}")
        (state / "gpus.txt").write_text("\n".join(lines) + "\n")

    @classmethod
    def read(cls, state: Path) -> "Machine":
        """Load a saved machine."""
        made = json.loads((state / "machine.json").read_text())
        counters = tuple(Counter(**entry | {"curve": Curve(**entry["curve"])}) for entry in made["counters"])
        gpus = tuple(Gpu(**entry | {"curve": Curve(**entry["curve"])}) for entry in made["gpus"])
        return cls(counters, gpus, made["start_s"])


#: Start and end of a meter's first read, and of its last read (`time.monotonic`).
Edges = tuple[float, float, float, float]


class Truth:
    """The true energies of a machine: RAPL from the writer's journal, GPUs from their curves.

    A row of the journal contains the times at which the writer began and finished updating the counters, and their
    energies.
    """

    def __init__(self, state: Path) -> None:
        self.machine = Machine.read(state)
        self._curves_start_s = curves_start_s(state)
        width = 2 + len(self.machine.counters)
        rows = np.fromfile(state / "journal.bin", dtype=np.float64)
        self.journal = rows[: len(rows) // width * width].reshape(-1, width)

    def counter_j(self, folder: str, begin_s: float, end_s: float) -> float:
        """Journalled energy (J) of a counter between two times (`time.monotonic`)."""
        return self._shown_j(folder, end_s, begun=True) - self._shown_j(folder, begin_s, begun=True)

    def counter_bounds_j(self, folder: str, edges_s: Edges) -> tuple[float, float]:
        """Least and largest energy (J) that a reader of a counter may have seen between its two reads."""
        earliest_s, begun_s, ending_s, latest_s = edges_s
        least_j = self._shown_j(folder, ending_s, begun=False) - self._shown_j(folder, begun_s, begun=True)
        return least_j, self._shown_j(folder, latest_s, begun=True) - self._shown_j(folder, earliest_s, begun=False)

    def gpu_j(self, index: int, begin_s: float, end_s: float) -> float:
        """Energy (J) of a GPU between two times (`time.monotonic`)."""
        origin_s = min(self._curves_start_s, end_s)
        return self.machine.gpus[index].curve.energy_j(begin_s - origin_s, end_s - origin_s)

    def gpu_bounds_j(self, index: int, edges_s: Edges) -> tuple[float, float]:
        """Least and largest energy (J) of a GPU between the two reads of its meter."""
        earliest_s, begun_s, ending_s, latest_s = edges_s
        return self.gpu_j(index, begun_s, ending_s), self.gpu_j(index, earliest_s, latest_s)

    def late_j(self, index: int, edge_s: float, noticed_s: float | None) -> float:
        """Maximum error (J) of a GPU's meter from noticing the tick after an edge late, or not at all."""
        gpu, start_s = self.machine.gpus[index], self.machine.start_s
        tick_s = start_s + math.ceil((edge_s - start_s) / gpu.tick_s) * gpu.tick_s
        late_s = gpu.tick_s if noticed_s is None else noticed_s - tick_s
        return gpu.curve.top_w * min(max(late_s, 0.0), gpu.tick_s)

    def _shown_j(self, folder: str, time_s: float, *, begun: bool) -> float:
        """Return the energy in the last row whose update had begun, or was finished, by a time."""
        column = 2 + [counter.folder for counter in self.machine.counters].index(folder)
        return float(
            self.journal[np.searchsorted(self.journal[:, 0 if begun else 1], time_s, side="right") - 1, column]
        )
