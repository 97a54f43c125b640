"""Which default of threads is fast on a quiet machine and least affected by other work: a table for docs/trust.md.

    python benchmarks/threads.py

Each engine trains in a separate process, with each number of threads and each wait policy in turn, alone and with busy
processes. Takes some minutes; leave the machine idle meanwhile.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.cores import physical_cores
from baler_energy.data import toy
from baler_energy.stages.train import trainer

ROWS = 30_000
#: Wait policies by name: OpenMP's variables.
POLICIES = {"default": {}, "passive": {"OMP_WAIT_POLICY": "passive"}, "1000 spins": {"GOMP_SPINCOUNT": "1000"}}
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
        print(rows_per_s(args.inside[0], int(args.inside[1]), args.work_s))
        return
    cores = physical_cores()
    ways = [(threads, policy) for threads in sorted({1, cores - 1, cores} - {0}) for policy in POLICIES]
    ways = [(threads, policy) for threads, policy in ways if threads > 1 or policy == "default"]
    found: dict[tuple[int, str, str, int], list[float]] = {}
    for _ in range(args.rounds):
        for busy in args.busy:
            others = [subprocess.Popen(BUSY) for _ in range(busy)]
            for engine in ("reference", "fast"):
                for way in ways:
                    found.setdefault((*way, engine, busy), []).append(_run(engine, *way, args.work_s))
            for other in others:
                other.kill()
                other.wait()
    columns = [(engine, busy) for engine in ("reference", "fast") for busy in args.busy]
    print("| threads | wait policy |", " | ".join(f"{engine}, {busy} busy" for engine, busy in columns), "|")
    print("|---" * (2 + len(columns)) + "|")
    for way in ways:
        cells = [f"{statistics.median(found[(*way, *column)]) / 1000:.0f}" for column in columns]
        print(f"| {way[0]} | {way[1]} |", " | ".join(cells), "|")


def _run(engine: str, threads: int, policy: str, work_s: float) -> float:
    command = [sys.executable, __file__, "--inside", engine, str(threads), "--work-s", str(work_s)]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    done = subprocess.run(command, env=environment | POLICIES[policy], capture_output=True, text=True, check=True)
    return float(done.stdout)


def rows_per_s(engine: str, threads: int, work_s: float) -> float:
    """Train repeatedly for `work_s` seconds, after a warm-up; return rows per second."""
    torch.set_num_threads(threads)
    train, table = trainer(engine), toy.generate(ROWS, 1)
    settings, device = TrainingSettings(epochs=1, batch_size=512, seed=1), torch.device("cpu")

    def once(rows: int) -> None:
        train(table.data[:rows], table.names, Architecture(24, 12), settings, device)

    once(2048)
    start_s, count = time.perf_counter(), 0
    while time.perf_counter() - start_s < work_s:
        once(ROWS)
        count += 1
    return count * ROWS / (time.perf_counter() - start_s)


if __name__ == "__main__":
    main()
