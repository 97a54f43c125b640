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

#: Columns.
Block = tuple[np.ndarray, ...]
REFERENCE = "zstd-3"
PACKINGS = (
    *("zstd-1", "zstd-19", "lz4", "zlib-1", "zlib-6", "zlib-9", "lzma-0", "lzma-6"),
    *("blosc2-lz4", "blosc2-lz4-bitshuffle", "blosc2-zstd-1", "blosc2-zstd-1-bitshuffle", "blosc2", "blosc2-zstd-9"),
    *("pcodec-4", "pcodec"),
    *("parquet-zstd", "root-zstd-5", "root-zlib-1", "root-lzma-6", "root-lz4", "rntuple-zstd-5"),
)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="ROOT, Parquet, HDF5 or npz")
    parser.add_argument("--packings", nargs="+", default=PACKINGS)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    found = {file.stem: measured(file, [REFERENCE, *args.packings], args.rounds) for file in args.files}
    print("| packing | " + " | ".join(found) + " |\n|---" + "|---" * len(found) + "|")
    for packing in (REFERENCE, *args.packings):
        print(f"| `{packing}` | " + " | ".join(cells[packing] for cells in found.values()) + " |")


def blocks_of(file: Path, coder: Coder) -> list[Block]:
    """Read the columns of the blocks that a coder packs, each in its own number type."""
    with open_source(file) as source:
        codec = Identity(source.names, source.dtypes)
        return [codec.encode(block.data) for block in source.blocks(coder.block_rows or BLOCK_ROWS)]


def measured(file: Path, packings: list[str], rounds: int) -> dict[str, str]:
    """Give by packing its ratio, and its speed in packing and unpacking over that of the reference."""
    coders = {packing: coder for packing in packings if (coder := Packing.parse(packing).coder)}
    blocks = {packing: blocks_of(file, coder) for packing, coder in coders.items()}
    size_b = sum(column.nbytes for block in blocks[REFERENCE] for column in block)
    packed = {packing: [coder.encode_all(block) for block in blocks[packing]] for packing, coder in coders.items()}
    for packing, coder in coders.items():
        assert _bytes(_back(coder, packed[packing], blocks[packing])) == _bytes(blocks[packing])
    taken: dict[str, list[tuple[float, float]]] = {packing: [] for packing in coders}
    for _ in range(rounds):
        for packing, coder in coders.items():
            start_s = time.process_time()
            for block in blocks[packing]:
                coder.encode_all(block)
            packed_s = time.process_time()
            _back(coder, packed[packing], blocks[packing])
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


def _back(coder: Coder, packed: list[bytes], blocks: list[Block]) -> list[Block]:
    like = [[(column.dtype.name, column.shape) for column in block] for block in blocks]
    return [tuple(coder.decode_all(one, arrays)) for one, arrays in zip(packed, like, strict=True)]


def _bytes(blocks: list[Block]) -> list[bytes]:
    return [column.tobytes() for block in blocks for column in block]


if __name__ == "__main__":
    main()
