"""Overhead of measuring: the same work with and without meters, in turn, on a simulated machine with counters and GPUs.

    PYTHONPATH=tests/hardware python benchmarks/overhead.py

The work is a Python loop on one thread, which every other thread of the process delays: the worst case. The CPU time of
the meters' threads is measured within the same run, since the machine's own speed varies by more. All meters of a study
run at their default sampling. Needs root on Linux and a C compiler; leave the machine idle meanwhile.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulator.curves import Curve
from simulator.machine import Gpu
from simulator.run import run_on, server

from baler_energy.meters.options import make_meters
from baler_energy.meters.session import Session
from baler_energy.meters.settings import SessionSettings
from baler_energy.vocabulary import STUDY_METERS


def main() -> None:
    """Compare on a simulated machine with two sockets and four GPUs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--work-s", type=float, default=5.0, help="length of the work (default: %(default)g)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        compare(args.pairs, args.work_s)
        return
    machine = server([Curve("constant", 60.0)] * 2, gpus=[Gpu(Curve("constant", 100.0))] * 4)
    words = [sys.executable, __file__, "--inside", "--pairs", str(args.pairs), "--work-s", str(args.work_s)]
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run_on(machine, Path(folder), words, stdout=None, stderr=subprocess.DEVNULL).returncode)


def compare(pairs: int, work_s: float) -> None:
    """Work with and without meters in turn, and print the differences."""
    count = 1_000_000
    count = int(count * work_s / timed(count)[0])
    found: dict[str, list[float]] = {}
    for number in range(pairs):
        first = number % 2 == 0  # the order alternates, so that drift favours neither
        alone = timed(count) if first else None
        measured = timed_while_measured(count)
        alone = alone or timed(count)
        for name, value in {
            "CPU time of the meters' threads, over all CPU time of the window (%)": 100 * _meter_share(measured),
            "the same without meters (%)": 100 * _meter_share(alone),
            "time that the work waited, over the duration (%)": 100 * _waited(measured),
            "the same without meters (%) ": 100 * _waited(alone),
            "duration, measured over not": measured[0] / alone[0],
        }.items():
            found.setdefault(name, []).append(value)
    print(f"| {work_s:g} s of work, {pairs} pairs | median | smallest to largest |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.3f} | {min(values):.3f} to {max(values):.3f} |")


def _meter_share(times_s: tuple[float, float, float]) -> float:
    _, process_s, work_s = times_s
    return 1 - work_s / process_s


def _waited(times_s: tuple[float, float, float]) -> float:
    wall_s, _, work_s = times_s
    return 1 - work_s / wall_s


def timed(count: int) -> tuple[float, float, float]:
    """Work; return the duration, the CPU time of the process and that of this thread (s)."""
    wall_s, cpu_s, own_s, total = time.perf_counter(), time.process_time(), time.thread_time(), 0
    for number in range(count):
        total += number & 7
    return time.perf_counter() - wall_s, time.process_time() - cpu_s, time.thread_time() - own_s


def timed_while_measured(count: int) -> tuple[float, float, float]:
    """Work in a measured window; the meters are constructed and first started outside of it."""
    settings = SessionSettings(min_window_s=0.0, idle_s=0.0)
    with Session(make_meters(STUDY_METERS), settings) as session:
        return session.run(lambda: timed(count), once=True).result


if __name__ == "__main__":
    main()
