"""Who finds the truth: our meters and other tools on a simulated machine whose energy is known.

    python benchmarks/peers.py --out build/peers --jobs 4

Each tool measures the same window (a process that sleeps) on each machine, several times, each time in a process of
its own beside our RAPL meter. The table of docs/peers.md is what it prints: by component, the median over the repeats
of the tool's energy over the truth, with the smallest and the largest.

The machine is a powercap tree in a private mount namespace, which needs root on Linux, and the powers are constant, so
that the truth is power times duration. Needs the extra `peers`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

#: Power (W) of each domain, by its path in the powercap tree.
POWERS_W = {
    "intel-rapl:0": ("package-0", 60.0),
    "intel-rapl:0/intel-rapl:0:0": ("dram", 10.0),
    "intel-rapl:1": ("package-1", 40.0),
    "intel-rapl:1/intel-rapl:1:0": ("dram", 8.0),
    "intel-rapl:2": ("psys", 150.0),
}
TRUTH_W = {"package-0": 60.0, "package-1": 40.0, "dram-0": 10.0, "dram-1": 8.0, "psys": 150.0}
RANGE_J = 262_143.0
#: Seconds from the machine's start to the wrap of every counter; None: they do not wrap. The slowest tool's window
#: begins 8 s after the start, and the shortest ends 25 s after it.
MACHINES = {"no wrap": None, "each counter wraps once": 18.0}
CLASSES = Path("/sys/class")
COUNTER = CLASSES / "powercap" / "intel-rapl:0" / "energy_uj"
TOOLS = ("ours", "codecarbon", "zeus", "pyjoules", "perun", "carbontracker")
SUMS = ("cpu", "dram", "psys", "machine")


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the records")
    parser.add_argument("--window-s", type=float, default=25.0, metavar="S")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at the same time, each its own machine")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--measure", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--machine", choices=MACHINES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.machine:
        run_machine(MACHINES[args.machine])
        return
    if args.measure:
        measure(args.measure, args.window_s, args.out)
        return
    runs = [(machine, tool, n) for n in range(args.repeats) for tool in args.tools for machine in MACHINES]
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda run: simulate(*run, args.window_s, args.out), runs))
    ratios: dict[tuple[str, str], dict[str, list[float | str]]] = defaultdict(lambda: defaultdict(list))
    for (machine, tool, _), found in zip(runs, results, strict=True):
        for component, ratio in found:
            ratios[tool, component][machine].append(ratio)
    print_table(ratios)


def simulate(machine: str, tool: str, repeat: int, window_s: float, out: Path) -> list[tuple[str, float | str]]:
    """Measure with one tool on one simulated machine; give the tool's energies over the truth."""
    out.mkdir(parents=True, exist_ok=True)
    record = out / f"{machine.replace(' ', '-')}.{tool}.{repeat}.json"
    this = [sys.executable, __file__, "--out", str(record), "--window-s", str(window_s)]
    # All in a namespace of its own: the tree over /sys/class is there for these processes alone.
    inside = 'mount -t tmpfs none /sys/class && { "$0" "$@" --machine "$MACHINE" & sleep 1; '
    inside += '"$0" "$@" --measure "$TOOL"; code=$?; kill $!; exit $code; }'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside, *this],
        env=os.environ | {"MACHINE": machine, "TOOL": tool},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{tool} on {machine}: {done.stdout}{done.stderr}")
    measured = json.loads(record.read_text())
    if measured["wrapped"] != (MACHINES[machine] is not None):
        raise SystemExit(f"{tool} on {machine}: the counters did not do so in the window; take the default --window-s")
    duration_s = measured["edges_s"][1] - measured["edges_s"][0]
    return ratios_of(measured, tool, {name: power_w * duration_s for name, power_w in TRUTH_W.items()})


def run_machine(wrap_s: float | None) -> None:
    """Lay out the powercap tree as the kernel does, and advance its counters until killed."""
    control, devices = CLASSES / "powercap" / "intel-rapl", CLASSES / "powercap-devices" / "intel-rapl"
    devices.mkdir(parents=True)
    control.parent.mkdir()
    control.symlink_to(devices)
    (devices / "subsystem").symlink_to(control.parent)
    begin_s = time.monotonic()
    counters = []
    for path, (name, power_w) in POWERS_W.items():
        folder = devices / path
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{int(RANGE_J * 1e6)}\n")
        (control.parent / folder.name).symlink_to(folder)
        start_j = 1000.0 if wrap_s is None else RANGE_J - power_w * wrap_s
        counters.append((os.open(folder / "energy_uj", os.O_WRONLY | os.O_CREAT), power_w, start_j))
    while True:
        elapsed_s = time.monotonic() - begin_s
        for file, power_w, start_j in counters:
            os.pwrite(file, b"%020d\n" % int((start_j + power_w * elapsed_s) % RANGE_J * 1e6), 0)
        time.sleep(0.001)


def measure(tool: str, window_s: float, out: Path) -> None:
    """Measure a window in this process, on whatever machine it sees, and write start, end and readings to `out`."""
    from baler_energy.meters.options import make_meters
    from baler_energy.meters.session import Session
    from baler_energy.meters.settings import SessionSettings
    from baler_energy.vocabulary import MeterName

    names = [MeterName.RAPL, *([] if tool == "ours" else [MeterName(tool)])]
    # A lock of its own: simulated machines do not disturb each other.
    settings = SessionSettings(min_window_s=0.0, idle_s=0.0, lock=out.with_suffix(".lock"))
    with Session(make_meters(names), settings) as session:
        edges: list[float] = []
        counts: list[int] = []

        def operation() -> None:
            counts.append(int(COUNTER.read_text()))
            edges.append(time.monotonic())
            time.sleep(window_s)
            edges.append(time.monotonic())
            counts.append(int(COUNTER.read_text()))

        outcome = session.run(operation, once=True)
    readings = [reading.model_dump(mode="json") for reading in outcome.readings]
    out.write_text(json.dumps({"edges_s": edges, "wrapped": counts[1] < counts[0], "readings": readings}))


def ratios_of(record: dict[str, Any], tool: str, truth_j: dict[str, float]) -> list[tuple[str, float | str]]:
    """Give the tool's energies over the truth, by component; the reason where it gave none.

    Parameters
    ----------
    record
        What `measure` wrote.
    tool
        The tool; ``ours`` are those of our RAPL meter.
    truth_j
        Energy (J) of every device over the window.
    """
    from baler_energy.meters.peers.base import scope_of

    truth_j = truth_j | {
        total: sum(value for name, value in truth_j.items() if name.startswith(kind))
        for total, kind in (("cpu", "package-"), ("dram", "dram-"))
    }
    found: list[tuple[str, float | str]] = []
    for reading in record["readings"]:
        ours = reading["meter"] == "rapl"
        if reading["quantity"] != "energy" or ours != (tool == "ours"):
            continue
        scope = scope_of(reading["detail"]) or (reading["component"],)
        name = reading["component"] if len(scope) == 1 else f"{reading['component']} ({' + '.join(scope)})"
        if reading["component"] not in SUMS:
            continue
        true_j = sum(truth_j.get(part, 0.0) for part in scope)
        if reading["value"] is None:
            found.append((name, f"none: {reading['reason']}"))
        elif true_j > 0:
            found.append((name, reading["value"] / true_j))
    return found


def print_table(ratios: dict[tuple[str, str], dict[str, list[float | str]]]) -> None:
    """Print the table in Markdown: a row per tool and component, a column per machine."""
    print("| tool | component | " + " | ".join(MACHINES) + " |")
    print("|---|---|" + "---|" * len(MACHINES))
    for (tool, component), by_machine in ratios.items():
        cells = [_cell(by_machine.get(machine, [])) for machine in MACHINES]
        print(f"| {tool} | {component} | " + " | ".join(cells) + " |")


def _cell(values: list[float | str]) -> str:
    numbers = [value for value in values if isinstance(value, float)]
    reasons = sorted({value for value in values if isinstance(value, str)})
    text = ""
    if numbers:
        text = f"{statistics.median(numbers):.4f} ({min(numbers):.4f} to {max(numbers):.4f})"
    return "; ".join(filter(None, [text, *(f"{reason} ({values.count(reason)}x)" for reason in reasons)])) or "-"


if __name__ == "__main__":
    main()
