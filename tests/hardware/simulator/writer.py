"""Makes a powercap tree like the kernel's, and advances its counters every millisecond, with a journal.

python -m simulator.writer STATE ROOT
"""

import contextlib
import math
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from simulator.machine import UNIT_UJ, Counter, Machine, curves_start_s

TICK_S = 0.001
#: How often (s) the load is determined.
LOOK_S = 0.02
#: A file next to the counters by which our meters recognise a simulated machine: `baler_energy.provenance.SIMULATED`.
MARK = "simulated"


class Load:
    """Share of the CPUs that the processes on the machine use: all in this mount namespace, except this one."""

    def __init__(self) -> None:
        self.share = 0.0
        self._namespace = namespace_of(os.getpid())
        self._known: dict[int, bool] = {os.getpid(): False}
        self._used_s: dict[int, float] = {}
        self._looked_s = -math.inf

    def update(self, now_s: float) -> None:
        """Determine the share since the last look, if that is long enough ago."""
        past_s = now_s - self._looked_s
        if past_s < LOOK_S:
            return
        used_s = {}
        for pid in psutil.pids():
            if pid not in self._known:
                self._known[pid] = namespace_of(pid) == self._namespace
            if self._known[pid]:
                with contextlib.suppress(OSError):  # it has ended
                    used_s[pid] = time.clock_gettime(~pid << 3 | 2)  # see clock_getcpuclockid(3)
        spent_s = sum(value_s - self._used_s.get(pid, 0.0) for pid, value_s in used_s.items())
        self.share = min(1.0, spent_s / past_s / (os.cpu_count() or 1))
        self._used_s, self._looked_s = used_s, now_s


def namespace_of(pid: int) -> str | None:
    """Mount namespace of a process; None if it has ended or is another user's."""
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return None


def lay_out(machine: Machine, root: Path) -> dict[str, int]:
    """Make the folders, with links next to them as in the kernel's tree; return the open counters by folder."""
    devices = root.parent / f"{root.name}-devices"
    root.mkdir()
    (root / MARK).touch()
    for control in dict.fromkeys(counter.folder.split(":")[0] for counter in machine.counters):
        (devices / control).mkdir(parents=True)
        (devices / control / "subsystem").symlink_to(root)
        (devices / control / "enabled").write_text("1\n")
        (root / control).symlink_to(devices / control)
    files = {}
    for counter in machine.counters:
        folder = devices / counter.folder.split(":")[0] / counter.folder
        folder.mkdir()
        (folder / "name").write_text(counter.name + "\n")
        (folder / "enabled").write_text("1\n")
        (folder / "max_energy_range_uj").write_text(f"{counter.max_uj}\n")
        (root / folder.name).symlink_to(folder)
        files[counter.folder] = os.open(folder / "energy_uj", os.O_WRONLY | os.O_CREAT, counter.mode)
    return files


def count_uj(counter: Counter, start_s: float, curves_s: float, now_s: float) -> tuple[float, int]:
    """Return the true energy (J) since the machine's start, and the counter's value."""
    origin_s = min(curves_s, now_s)
    true_j = shown_j = counter.curve.energy_j(start_s - origin_s, now_s - origin_s)
    if now_s - curves_s >= counter.fault_s:
        if counter.fault == "stall":
            shown_j = counter.curve.energy_j(start_s - origin_s, counter.fault_s)
        elif counter.fault == "jump":
            shown_j += 50_000
        elif counter.fault == "back":
            shown_j -= 0.4 * counter.max_uj * 1e-6
    return true_j, shown_uj(counter, shown_j)


def shown_uj(counter: Counter, energy_j: float) -> int:
    """Return a counter's value, in its units, after an energy since the machine's start."""
    units = int((counter.start_uj + energy_j * 1e6) / UNIT_UJ)
    return int(units * UNIT_UJ) % counter.max_uj


def main(state: Path, root: Path) -> None:
    """Advance the counters until killed."""
    # Counters of a real machine never wait for a process. Only root may set the priority.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    machine = Machine.read(state)
    files = lay_out(machine, root)
    curves_s, load = math.inf, Load()
    follows = any(counter.curve.kind == "load" for counter in machine.counters)
    with (state / "journal.bin").open("wb", buffering=0) as journal:
        row = np.zeros(2 + len(machine.counters))
        due_s, ready = time.monotonic(), False
        row[0] = due_s
        while True:
            if math.isinf(curves_s):
                curves_s = curves_start_s(state)
            before_s, row[0] = row[0], time.monotonic()
            now_s = float(row[0])
            if follows:
                load.update(now_s)
            for place, counter in enumerate(machine.counters, start=2):
                if counter.curve.kind == "load":
                    row[place] += counter.curve.load_w(load.share) * (now_s - before_s)
                    count = shown_uj(counter, row[place])
                else:
                    row[place], count = count_uj(counter, machine.start_s, curves_s, now_s)
                show(counter, files[counter.folder], count, now_s - curves_s, root)
            row[1] = time.monotonic()
            journal.write(row.tobytes())
            if not ready:
                (state / "ready").touch()
                ready = True
            due_s = max(due_s + TICK_S, now_s)
            time.sleep(max(0.0, due_s - time.monotonic()))


def show(counter: Counter, file: int, count: int, curves_for_s: float, root: Path) -> None:
    """Write a counter in place with constant length, so that a reader never sees half a number."""
    text = b"%020d\n" % count
    if curves_for_s >= counter.fault_s and counter.fault == "garbage":
        text = b"no counter, no number\n"
    if curves_for_s >= counter.fault_s and counter.fault == "vanish":
        with contextlib.suppress(OSError):
            shutil.rmtree((root / counter.folder.rsplit("/", 1)[-1]).resolve())
        return
    os.pwrite(file, text, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
