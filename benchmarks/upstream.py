"""Compress and decompress of the fast engine against upstream Baler, file to file, for docs/engines.md.

    make upstream
    .venv/bin/python benchmarks/upstream.py --rows 600000

Each round runs Baler, the reference and the fast engine, in both precisions, one after the other, through the measured
stages with one thread. Prints medians over the rounds of the time per row, and of the ratio of Baler's time to each
engine's time in the same round. Leave the machine idle meanwhile.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from baler_energy.data import toy
from baler_energy.files import read_json

WHO = (("upstream", "float64"), ("reference", "float64"), ("fast", "float64"), ("fast", "float32"))
QUICK = ("--threads", "1", "--device", "cpu", "--meters", "process", "--min-window-s", "0", "--idle-s", "0")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found: dict[tuple[str, str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "table.npz"
        toy.generate(args.rows, 1).write(table)
        for precision in ("float64", "float32"):
            words = ("train", "--engine", "fast", "--epochs", "1", "--precision", precision, "--data", table)
            _run(*words, "--out", folder / precision)
        for _ in range(args.rounds):
            for engine, precision in WHO:
                for operation, duration_s in _through(folder, table, engine, precision).items():
                    found.setdefault((operation, engine, precision), []).append(duration_s)
    print("| operation | engine | precision | us per row | Baler's time over it |\n|---|---|---|---|---|")
    for (operation, engine, precision), durations_s in sorted(found.items()):
        pairs = zip(found[operation, "upstream", "float64"], durations_s, strict=True)
        ratio = median(upstream_s / duration_s for upstream_s, duration_s in pairs)
        print(f"| {operation} | {engine} | {precision} | {1e6 * median(durations_s) / args.rows:.2f} | {ratio:.1f} |")


def _through(folder: Path, table: Path, engine: str, precision: str) -> dict[str, float]:
    """Compress and decompress once; return the duration of each (s)."""
    codec = ("--checkpoint", folder / precision / "checkpoint.pt", "--engine", engine, "--precision", precision)
    _run("compress", "--data", table, "--out", folder / "c", *codec)
    _run("decompress", "--compressed", folder / "c" / "table.baler", "--out", folder / "d", *codec)
    records = {name: read_json(folder / name[0] / "measurement.json") for name in ("compress", "decompress")}
    return {name: record["window"]["duration_s"] / record["iterations"] for name, record in records.items()}


def _run(*words: object) -> None:
    command: Sequence[str] = ["baler-energy", str(words[0]), *QUICK, *map(str, words[1:])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
