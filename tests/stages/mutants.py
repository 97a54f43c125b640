"""Files that are damaged at random, the same way in every run."""

import random
import re
from collections.abc import Callable, Iterator

COUNT = 300
#: Numbers and quoted texts of JSON and YAML, and what damage or a careless edit may put in their place.
_VALUE = re.compile(rb'-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|"[^"\n]*"|\btrue\b|\bfalse\b|\bnull\b')
_NASTY = (
    *b"-1 0 -0.0 1e999 -1e300 1e-320 NaN Infinity 2026-13-45 9223372036854775808 null true [] {} [[]] - * &a".split(),
    *(b'""', b'"x"', b'"\\ud800"', b'"\\u0000"', b'"a\\nb"', b'"-m"', b'{"a": [1]}', b"[1, 2]", b"\xff", b"1" * 5000),
)
_Change = Callable[[bytearray, random.Random], None]


def mutants(content: bytes, count: int = COUNT, seed: int = 20261201) -> Iterator[bytes]:
    """Yield damaged copies of a file's bytes."""
    rng = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 3))):
            rng.choice(_CHANGES)(damaged, rng)
        yield bytes(damaged)


def _flip(content: bytearray, rng: random.Random) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _overwrite(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content) + 1)
    content[start : start + 8] = rng.choice((b"\0" * 8, b"\xff" * 8, rng.randbytes(8)))


def _move(content: bytearray, rng: random.Random) -> None:
    """Repeat a piece elsewhere, or remove it."""
    start, other = rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)
    piece = content[start : start + rng.randrange(1, 100)]
    content[other : other + rng.choice((0, len(piece)))] = rng.choice((b"", piece))


def _replace(content: bytearray, rng: random.Random) -> None:
    """Replace a value, if there is one."""
    places = [found.span() for found in _VALUE.finditer(content)]
    if places:
        start, stop = rng.choice(places)
        content[start:stop] = rng.choice(_NASTY)


_CHANGES: tuple[_Change, ...] = (_flip, _cut, _overwrite, _move, _replace, _replace, _replace)
