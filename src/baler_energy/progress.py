"""Progress of long tasks: a bar on a terminal, an occasional line in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

__all__ = ["LOG_INTERVAL_S", "announce", "progress"]

T = TypeVar("T")

LOG_INTERVAL_S = 20.0


def announce(message: str) -> None:
    """Print a line for the user to standard error, where logs and terminals expect it."""
    print(message, file=sys.stderr, flush=True)


def progress(items: Iterable[T], *, total: int | None, label: str, unit: str = "it") -> Iterator[T]:
    """Yield `items` and show the progress.

    Parameters
    ----------
    items
        The items.
    total
        Number of items; None if unknown.
    label, unit
        Words of the bar or line.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, unit=unit, leave=False)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_INTERVAL_S:
            last = now
            if total is None:
                announce(f"{label}: {done} {unit}")
                continue
            left_s = (now - start) / done * (total - done)
            announce(f"{label}: {done}/{total} {unit}, about {left_s:.0f} s left")
