"""Files that are damaged at random, the same way in every run; shared by the tests of everything that reads files."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from baler_energy.errors import BalerEnergyError

COUNT = 300
_RUNS = (b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"A")


def _flipped(content: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 4, 30))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def _overwritten(content: bytearray, rng: random.Random) -> bytes:
    start, size = rng.randrange(len(content)), rng.choice((4, 8, 64))
    run = (rng.choice(_RUNS) * size)[:size]
    content[start : start + size] = run[: len(content) - start]
    return bytes(content)


def _cut(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content[: rng.randrange(len(content))])


def _moved(content: bytearray, rng: random.Random) -> bytes:
    """Delete, repeat or insert some bytes."""
    start, size = rng.randrange(len(content)), rng.randrange(1, 200)
    piece = bytes(content[start : start + size])
    content[start : start + rng.choice((0, size))] = rng.choice((b"", piece + piece, rng.randbytes(size)))
    return bytes(content)


def mutations(content: bytes, count: int = COUNT, seed: int = 20261130) -> Iterator[bytes]:
    """Yield damaged copies of a file's bytes, half of them with single flipped bits."""
    rng = random.Random(seed)
    kinds: tuple[Callable[[bytearray, random.Random], bytes], ...] = (_flipped, _flipped, _overwritten, _cut, _moved)
    for _ in range(count):
        damaged = content
        while damaged == content:
            damaged = rng.choice(kinds)(bytearray(content), rng)
        yield damaged


def ended(door: Callable[[Path], Any], path: Path) -> Any:
    """Return what a door reads from a file; None if it refuses it, with one message that names the file."""
    try:
        return door(path)
    except BalerEnergyError as error:
        assert str(path) in str(error), error
        assert "\n" not in str(error), error
        return None


def survived(door: Callable[[Path], Any], folder: Path, files: Sequence[Path]) -> list[Any]:
    """Pass damaged copies of files to a door, 300 in all; return what it read from those that it did not refuse."""
    found = []
    for file in files:
        path = folder / f"damaged{file.suffix}"
        for content in mutations(file.read_bytes(), COUNT // len(files)):
            path.write_bytes(content)
            read = ended(door, path)
            if read is not None:
                found.append((file, read))
    return found
