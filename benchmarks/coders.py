"""What lossless packings gain and cost on a file, relative to zstd-3, for docs/engines.md.

    python benchmarks/coders.py dimuons.parquet muons.root
    python benchmarks/coders.py table.npz --packings zlib-1 pcodec --rounds 9

Packs and unpacks the columns of each file in their own number types, in the blocks of a compressed file, as
`baler-energy compress --transform identity` does, without reading and writing. Each packing takes its turn in each
round; times are of the CPU, since other processes hardly change them, and medians over the rounds. MB are of the
columns as they are in memory. Every value that comes back is compared with the original, bit by bit. A cell of the
table is the ratio, then the speed of packing / of unpacking over zstd-3's.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np

from baler_energy.codecs.coders.base import Coder
from baler_energy.codecs.identity import Identity
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.streaming import BLOCK_ROWS
from baler_energy.formats import open_source

REFERENCE = "zstd-3"
PACKINGS = (
    *("zstd-1", "zstd-19", "lz4", "zlib-1", "zlib-6", "zlib-9", "lzma-0", "lzma-6"),
    *("blosc2-lz4", "blosc2-lz4-bitshuffle", "blosc2-zstd-1", "blosc2-zstd-1-bitshuffle", "blosc2", "blosc2-zstd-9"),
    *("pcodec-4", "pcodec"),
)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="ROOT, Parquet, HDF5 or npz")
    parser.add_argument("--packings", nargs="+", default=PACKINGS)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found = {file.stem: measured(columns_of(file), [REFERENCE, *args.packings], args.rounds) for file in args.files}
    print("| packing | " + " | ".join(found) + " |\n|---" + "|---" * len(found) + "|")
    for packing in (REFERENCE, *args.packings):
        print(f"| `{packing}` | " + " | ".join(cells[packing] for cells in found.values()) + " |")


def columns_of(file: Path) -> list[np.ndarray]:
    """Read the columns of all blocks, each in its own number type."""
    with open_source(file) as source:
        codec = Identity(source.names, source.dtypes)
        return [column for block in source.blocks(BLOCK_ROWS) for column in codec.encode(block.data)]


def measured(columns: list[np.ndarray], packings: list[str], rounds: int) -> dict[str, str]:
    """Give by packing its ratio, and its speed in packing and unpacking over that of the reference."""
    size_b = sum(column.nbytes for column in columns)
    coders = {packing: coder for packing in packings if (coder := Packing.parse(packing).coder)}
    packed = {packing: [coder.encode(column) for column in columns] for packing, coder in coders.items()}
    for packing, coder in coders.items():
        assert [one.tobytes() for one in _back(coder, packed[packing], columns)] == [one.tobytes() for one in columns]
    taken: dict[str, list[tuple[float, float]]] = {packing: [] for packing in coders}
    for _ in range(rounds):
        for packing, coder in coders.items():
            start_s = time.process_time()
            for column in columns:
                coder.encode(column)
            packed_s = time.process_time()
            _back(coder, packed[packing], columns)
            taken[packing].append((packed_s - start_s, time.process_time() - packed_s))
    rates = {name: [size_b / 1e6 / median(one) for one in zip(*times, strict=True)] for name, times in taken.items()}
    ratios = {name: size_b / sum(map(len, parts)) for name, parts in packed.items()}
    pack, unpack = rates[REFERENCE]
    return {
        REFERENCE: f"{ratios[REFERENCE]:.2f}; {pack:.0f} / {unpack:.0f} MB/s",
        **{
            name: f"{ratios[name]:.2f}; {rates[name][0] / pack:.2f} / {rates[name][1] / unpack:.2f}"
            for name in packings
            if name != REFERENCE
        },
    }


def _back(coder: Coder, packed: list[bytes], columns: list[np.ndarray]) -> list[np.ndarray]:
    return [coder.decode(one, like.dtype.name, like.shape) for one, like in zip(packed, columns, strict=True)]


if __name__ == "__main__":
    main()
