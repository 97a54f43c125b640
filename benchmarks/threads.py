"""Which default of threads is fast on a quiet machine and least affected by other work: a table for docs/trust.md.

    python benchmarks/threads.py

Each engine trains in a separate process, with each number of threads and each wait policy in turn, alone and with busy
processes. A cell has thousand rows per second and, of the training process, CPU microseconds per row: threads that wait
by spinning cost CPU time without more rows. Takes some minutes; leave the machine idle meanwhile.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import torch

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.cores import physical_cores
from baler_energy.data import toy

ROWS = 30_000
#: Wait policies by name: OpenMP's variables.
POLICIES = {"default": {}, "passive": {"OMP_WAIT_POLICY": "passive"}, "1000 spins": {"GOMP_SPINCOUNT": "1000"}}
ENGINES = {"reference": training.train, "fast": fast.train}
BUSY = [sys.executable, "-c", "while True: pass"]


def main() -> None:
    """Measure all in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work-s", type=float, default=3.0, help="length of one training (default: %(default)g)")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1], help="other busy processes (default: 0 1)")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(*trained_rows(args.inside[0], int(args.inside[1]), args.work_s))
        return
    cores = physical_cores()
    ways = [(threads, policy) for threads in sorted({1, cores - 1, cores} - {0}) for policy in POLICIES]
    ways = [(threads, policy) for threads, policy in ways if threads > 1 or policy == "default"]
    found: dict[tuple[int, str, str, int], list[tuple[float, float]]] = {}
    for _ in range(args.rounds):
        for busy in args.busy:
            others = [subprocess.Popen(BUSY) for _ in range(busy)]
            for engine in ENGINES:
                for way in ways:
                    found.setdefault((*way, engine, busy), []).append(_run(engine, *way, args.work_s))
            for other in others:
                other.kill()
                other.wait()
    columns = [(engine, busy) for engine in ENGINES for busy in args.busy]
    print("| threads | wait policy |", " | ".join(f"{engine}, {busy} busy" for engine, busy in columns), "|")
    print("|---" * (2 + len(columns)) + "|")
    for way in ways:
        cells = [_cell(found[(*way, *column)]) for column in columns]
        print(f"| {way[0]} | {way[1]} |", " | ".join(cells), "|")


def _cell(runs: list[tuple[float, float]]) -> str:
    """Write the medians of rows per second and CPU seconds per row."""
    rows_per_s, cpu_per_row_s = map(statistics.median, zip(*runs, strict=True))
    return f"{rows_per_s / 1000:.0f}, {cpu_per_row_s * 1e6:.1f}"


def _run(engine: str, threads: int, policy: str, work_s: float) -> tuple[float, float]:
    command = [sys.executable, __file__, "--inside", engine, str(threads), "--work-s", str(work_s)]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    done = subprocess.run(command, env=environment | POLICIES[policy], capture_output=True, text=True, check=True)
    rows_per_s, cpu_per_row_s = map(float, done.stdout.split())
    return rows_per_s, cpu_per_row_s


def trained_rows(engine: str, threads: int, work_s: float) -> tuple[float, float]:
    """Train repeatedly for `work_s` seconds, after a warm-up; return rows per second and CPU seconds per row."""
    torch.set_num_threads(threads)
    train, table = ENGINES[engine], toy.generate(ROWS, 1)
    settings, device = TrainingSettings(epochs=1, batch_size=512, seed=1), torch.device("cpu")

    def once(rows: int) -> None:
        train(table.data[:rows], table.names, Architecture(24, 12), settings, device)

    once(2048)
    start_s, start_cpu_s, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start_s < work_s:
        once(ROWS)
        count += 1
    rows = count * ROWS
    return rows / (time.perf_counter() - start_s), (time.process_time() - start_cpu_s) / rows


if __name__ == "__main__":
    main()
