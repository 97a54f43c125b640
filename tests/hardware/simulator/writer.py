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

from simulator.machine import UNIT_UJ, Counter, Machine, curves_start_s

TICK_S = 0.001


def lay_out(machine: Machine, root: Path) -> dict[str, int]:
    """Make the folders, with links next to them as in the kernel's tree; return the open counters by folder."""
    devices = root.parent / f"{root.name}-devices"
    root.mkdir()
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
    units = int((counter.start_uj + shown_j * 1e6) / UNIT_UJ)
    return true_j, int(units * UNIT_UJ) % counter.max_uj


def main(state: Path, root: Path) -> None:
    """Advance the counters until killed."""
    # Counters of a real machine never wait for a process. Only root may set the priority.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    machine = Machine.read(state)
    files = lay_out(machine, root)
    curves_s = math.inf
    with (state / "journal.bin").open("wb", buffering=0) as journal:
        row = np.zeros(2 + len(machine.counters))
        due_s, ready = time.monotonic(), False
        while True:
            if math.isinf(curves_s):
                curves_s = curves_start_s(state)
            row[0] = now_s = time.monotonic()
            for place, counter in enumerate(machine.counters, start=2):
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
