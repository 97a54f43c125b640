"""What a simulated machine has, and the true energy of a window on it."""

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
#: File with the time at which the curves start, and how long before that it is written, so that it is read in time.
CURVES_START, _NOTICE_S = "curves-start.txt", 0.2


def start_curves(state: Path) -> float:
    """Let the curves of a machine start in a moment, which is returned (`time.monotonic`).

    Until then every power is that of its curve's start: how long a measuring process takes to get ready, and its idle
    baseline, which depend on the machine that the tests run on, come before any change.
    """
    start_s = time.monotonic() + _NOTICE_S
    new = state / f"{CURVES_START}.new"
    new.write_text(f"{start_s!r}\n")
    new.replace(state / CURVES_START)
    return start_s


def curves_start_s(state: Path) -> float:
    """Give the start of the curves; infinity while it is not known."""
    try:
        return float((state / CURVES_START).read_text())
    except FileNotFoundError:
        return math.inf


@dataclass(frozen=True)
class Counter:
    """A RAPL counter; `fault` (stall, jump, back, garbage, vanish) comes at `fault_s` after the curves' start.

    `mode` is that of its file: 0 is one that only an administrator may read, as the kernel's are by default.
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

    They count from the curves' start. From `hot_s` on its clocks are lowered for heat; `process` is the number of one
    that computes on it (0: none does).
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
        """Write it for the writer, the library and the tests."""
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
        """Read it back."""
        made = json.loads((state / "machine.json").read_text())
        counters = tuple(Counter(**entry | {"curve": Curve(**entry["curve"])}) for entry in made["counters"])
        gpus = tuple(Gpu(**entry | {"curve": Curve(**entry["curve"])}) for entry in made["gpus"])
        return cls(counters, gpus, made["start_s"])


#: When a meter began its first read and had done it, began its last one and had done it (`time.monotonic`).
Edges = tuple[float, float, float, float]


class Truth:
    """The true energies of a machine that ran: RAPL from the writer's journal, GPUs from their curves.

    A row of the journal holds when the writer began to show the counters, when it was done, and their energies.
    """

    def __init__(self, state: Path) -> None:
        self.machine = Machine.read(state)
        self._curves_start_s = curves_start_s(state)
        width = 2 + len(self.machine.counters)
        rows = np.fromfile(state / "journal.bin", dtype=np.float64)
        self.journal = rows[: len(rows) // width * width].reshape(-1, width)

    def counter_j(self, folder: str, begin_s: float, end_s: float) -> float:
        """Energy (J) that the writer journalled for a counter between two readings of `time.monotonic`."""
        return self._shown_j(folder, end_s, begun=True) - self._shown_j(folder, begin_s, begun=True)

    def counter_bounds_j(self, folder: str, edges_s: Edges) -> tuple[float, float]:
        """Least and largest energy (J) that a reader of a counter may have seen between its two reads."""
        earliest_s, begun_s, ending_s, latest_s = edges_s
        least_j = self._shown_j(folder, ending_s, begun=False) - self._shown_j(folder, begun_s, begun=True)
        return least_j, self._shown_j(folder, latest_s, begun=True) - self._shown_j(folder, earliest_s, begun=False)

    def gpu_j(self, index: int, begin_s: float, end_s: float) -> float:
        """Energy (J) of a GPU between two readings of `time.monotonic`."""
        origin_s = min(self._curves_start_s, end_s)
        return self.machine.gpus[index].curve.energy_j(begin_s - origin_s, end_s - origin_s)

    def gpu_bounds_j(self, index: int, edges_s: Edges) -> tuple[float, float]:
        """Least and largest energy (J) of a GPU between the two reads of its meter."""
        earliest_s, begun_s, ending_s, latest_s = edges_s
        return self.gpu_j(index, begun_s, ending_s), self.gpu_j(index, earliest_s, latest_s)

    def late_j(self, index: int, edge_s: float, noticed_s: float | None) -> float:
        """Most energy (J) that a GPU's meter puts wrong for noticing late the tick after an edge, or not at all."""
        gpu, start_s = self.machine.gpus[index], self.machine.start_s
        tick_s = start_s + math.ceil((edge_s - start_s) / gpu.tick_s) * gpu.tick_s
        late_s = gpu.tick_s if noticed_s is None else noticed_s - tick_s
        return gpu.curve.top_w * min(max(late_s, 0.0), gpu.tick_s)

    def _shown_j(self, folder: str, time_s: float, *, begun: bool) -> float:
        """Give the energy of the last row whose showing had begun by a time, or was done."""
        column = 2 + [counter.folder for counter in self.machine.counters].index(folder)
        return float(
            self.journal[np.searchsorted(self.journal[:, 0 if begun else 1], time_s, side="right") - 1, column]
        )
