"""Which tools are right: our meters and other tools on a simulated machine with known energy.

    PYTHONPATH=tests/hardware python benchmarks/peers.py --out build/peers --jobs 4

Each tool measures the same window (a process that sleeps) on each machine, several times, each time in a separate
process together with our RAPL meter. Prints the table of docs/peers.md: for each component, the median over the repeats
of the tool's energy divided by the true energy, with the smallest and the largest.

The machine is that of the tests (tests/hardware/simulator), in a private mount namespace, which needs root on Linux.
Needs the extra `peers` and a C compiler.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from simulator.curves import Curve
from simulator.machine import Gpu, Truth
from simulator.run import run_on, server

COUNTER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")

#: Power (W) of the packages (their DRAM takes a fifth more) and of the GPUs.
PACKAGES_W, GPUS_W = (60.0, 40.0), (120.0, 80.0)
#: Counters wrap after 20 s: the slowest tool's window begins 10 s after the machine's start, and all last 25 s.
MACHINES = {
    "plain": server(
        [Curve("constant", w) for w in PACKAGES_W], gpus=[Gpu(Curve("constant", w)) for w in GPUS_W], mmio=False
    ),
    "counters wrap": server([Curve("constant", w) for w in PACKAGES_W], wrap_s=20.0, mmio=False),
    "intel-rapl-mmio": server([Curve("constant", w) for w in PACKAGES_W]),
}
TOOLS = ("ours", "codecarbon", "zeus", "pyjoules", "perun", "carbontracker")
SUMS = ("cpu", "dram", "gpu", "psys", "machine")


def main() -> None:
    """Run the requested tools and machines, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the records")
    parser.add_argument("--window-s", type=float, default=25.0, metavar="S")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at the same time, each its own machine")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--measure", choices=TOOLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
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
    """Measure with one tool on one simulated machine; return the tool's energies divided by the truth."""
    state = out / f"{machine.replace(' ', '-')}.{tool}.{repeat}"
    state.mkdir(parents=True)
    words = ["--out", str(state / "record.json"), "--window-s", str(window_s), "--measure", tool]
    done = run_on(MACHINES[machine], state, [sys.executable, __file__, *words], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{tool} on {machine}: {done.stdout}{done.stderr}")
    measured, truth = json.loads((state / "record.json").read_text()), Truth(state)
    if measured["wrapped"] != (machine == "counters wrap"):
        raise SystemExit(f"{tool} on {machine}: wraps of counters are not as expected; use the default --window-s")
    begin_s, end_s = measured["edges_s"]
    true_j = {f"gpu-{n}": truth.gpu_j(n, begin_s, end_s) for n in range(len(truth.machine.gpus))}
    for counter in truth.machine.counters:
        socket = counter.folder.split(":")[1].split("/")[0]
        name = counter.name if counter.name.startswith(("package", "psys")) else f"{counter.name}-{socket}"
        true_j[name] = truth.counter_j(counter.folder, begin_s, end_s)
    return ratios_of(measured, tool, true_j)


def measure(tool: str, window_s: float, out: Path) -> None:
    """Measure a window in this process, on the machine that it sees, and write start, end and readings to `out`."""
    from baler_energy.meters.nvml import NvmlMeter
    from baler_energy.meters.options import make_meters
    from baler_energy.meters.rapl import RaplMeter
    from baler_energy.meters.session import Session
    from baler_energy.meters.settings import SessionSettings
    from baler_energy.vocabulary import MeterName

    meters = [RaplMeter(), NvmlMeter(), *make_meters([MeterName(tool)] if tool != "ours" else [])]
    # A separate lock: simulated machines do not disturb each other.
    settings = SessionSettings(min_window_s=0.0, idle_s=0.0, lock=out.with_suffix(".lock"))
    with Session(meters, settings) as session:
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
    """Return the tool's energies divided by the truth, by component, or the reason why there is none.

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
        for total, kind in (("cpu", "package-"), ("dram", "dram-"), ("gpu", "gpu-"))
    }
    found: list[tuple[str, float | str]] = []
    for reading in record["readings"]:
        ours = reading["meter"] in ("rapl", "nvml")
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
