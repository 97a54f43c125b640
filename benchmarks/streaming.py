"""Time and memory of the fast engine's compress and decompress against the number of rows, for docs/engines.md.

    python benchmarks/streaming.py --rows 100000 1000000 10000000 50000000 --folder /scratch

Makes a table of toy data of each size (192 B per row), and compresses and decompresses it file to file, each in a
separate process. Prints microseconds per row, and the largest resident memory minus that after the imports. The sizes
alternate in each round. The folder needs space for twice the largest table, and the tables should fit in the system's
cache, since otherwise the disk is measured.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

OPERATIONS = ("compress", "decompress")
PIECE_ROWS = 100_000


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="for the tables; default: the system's temporary folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("float64", "float32"), default="float64")
    parser.add_argument("--one", nargs=2, metavar=("OPERATION", "ROWS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], args.folder / args.one[1], args.threads)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        for rows in args.rows:
            make(folder / str(rows), rows, args.precision)
        found: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for _ in range(args.rounds):
            for rows in args.rows:
                for operation in OPERATIONS:
                    found.setdefault((operation, rows), []).append(_measured(args, folder, operation, rows))
    print(
        f"| operation, {args.precision}, {args.threads} threads | rows | us per row | memory (MB) |\n|---|---|---|---|"
    )
    for (operation, rows), values in found.items():
        duration_s, memory_b = (median(column) for column in zip(*values, strict=True))
        print(f"| {operation} | {rows:,} | {1e6 * duration_s / rows:.2f} | {memory_b / 1e6:.0f} |")


def _measured(args: argparse.Namespace, folder: Path, operation: str, rows: int) -> tuple[float, float]:
    words = [sys.executable, __file__, "--folder", folder, "--threads", args.threads, "--one", operation, rows]
    output = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout
    duration_s, memory_b = map(float, output.split())
    return duration_s, memory_b


def make(folder: Path, rows: int, precision: str) -> None:
    """Write a table with this number of rows, and a codec for it. It is untrained, which does not affect times."""
    import torch

    from baler_energy.codecs.baler.architecture import Architecture
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.model import Autoencoder
    from baler_energy.codecs.normalisation import Normalisation
    from baler_energy.data import toy
    from baler_energy.formats import Block, open_sink

    piece = toy.generate(PIECE_ROWS, 1)
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    network = Autoencoder(Architecture(24, 12), precision)
    Checkpoint.of(network, Normalisation.of(piece.data, piece.names), piece.names, piece.dtypes).write(folder / "c.pt")
    with open_sink(folder / "table.npz", piece.names, piece.dtypes, {"format": "table"}, piece.origin) as sink:
        for start in range(0, rows, PIECE_ROWS):
            sink.write(Block(piece.data[: rows - start]))


def one(operation: str, folder: Path, threads: int) -> None:
    """Run an operation; print its duration (s) and its peak memory minus that after the imports (B)."""
    import torch

    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.streaming import streaming_codec
    from baler_energy.formats import open_source

    torch.set_num_threads(threads)
    codec = streaming_codec(Checkpoint.read(folder / "c.pt"), torch.device("cpu"))
    imported_b = _peak_b()
    start_s = time.perf_counter()
    if operation == "compress":
        with open_source(folder / "table.npz") as source:
            codec.compress(source, folder / "table.baler")
    else:
        codec.decompress(folder / "table.baler", folder / "back.npz")
    duration_s = time.perf_counter() - start_s
    (folder / "back.npz").unlink(missing_ok=True)
    print(duration_s, _peak_b() - imported_b)


def _peak_b() -> int:
    # Not from getrusage: a process inherits that peak from the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
