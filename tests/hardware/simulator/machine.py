"""What a simulated machine has, and the true energy of a window on it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from simulator.curves import Curve

__all__ = ["Counter", "Gpu", "Machine", "Truth"]

#: Intel's unit of energy on most processors: 2^-14 J.
UNIT_UJ = 1e6 / 2**14


@dataclass(frozen=True)
class Counter:
    """A RAPL counter; `fault` (stall, jump, back, garbage, vanish) comes at `fault_s` after the machine's start.

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

    From `hot_s` on its clocks are lowered for heat; `process` is the number of one that computes on it (0: none does).
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


class Truth:
    """The true energies of a machine that ran: RAPL from the writer's journal, GPUs from their curves."""

    def __init__(self, state: Path) -> None:
        self.machine = Machine.read(state)
        width = 1 + len(self.machine.counters)
        rows = np.fromfile(state / "journal.bin", dtype=np.float64)
        self.journal = rows[: len(rows) // width * width].reshape(-1, width)

    def counter_j(self, folder: str, begin_s: float, end_s: float) -> float:
        """Energy (J) that the writer journalled for a counter between two readings of `time.monotonic`."""
        column = 1 + [counter.folder for counter in self.machine.counters].index(folder)
        places = np.searchsorted(self.journal[:, 0], [begin_s, end_s], side="right") - 1
        first, last = self.journal[places, column]
        return float(last - first)

    def gpu_j(self, index: int, begin_s: float, end_s: float) -> float:
        """Energy (J) of a GPU between two readings of `time.monotonic`."""
        start_s = self.machine.start_s
        return self.machine.gpus[index].curve.energy_j(begin_s - start_s, end_s - start_s)
