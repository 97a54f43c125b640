"""Work that is spread over processes, with results in order."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, Protocol

from baler_energy.errors import BalerEnergyError
from baler_energy.pools import results_in_order

__all__ = ["InOrder", "mapping"]

#: Largest number of waiting results per process.
_AHEAD = 2
#: Fewer items than this are done before other processes have started, which takes a second.
_FEW = 8


class InOrder(Protocol):
    """Call a function on each item and yield the results in the order of the items, as the built-in `map` does."""

    def __call__(self, function: Any, items: Sequence[Any], /) -> Iterator[Any]:
        """Yield the results; function, items and results must be picklable."""


@contextmanager
def mapping(processes: int) -> Iterator[InOrder]:
    """Yield a `map` that works in several processes, which start when it first gets more than a few items.

    Parameters
    ----------
    processes
        Number of processes; 1 or fewer: everything runs in this process.

    Yields
    ------
    InOrder
        Only a few results per process wait, so that memory is bounded. It raises what the function raises, and
        `BalerEnergyError` if a process was killed.
    """
    if processes < 2:
        yield map
        return
    # A fork would inherit the locks of this process's threads, including pyarrow's.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        yield partial(_in_order, pool, _AHEAD * processes)


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has: if that is killed, the pool would wait for ever."""

    def end() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _in_order(pool: ProcessPoolExecutor, ahead: int, function: Any, items: Sequence[Any]) -> Iterator[Any]:
    if len(items) < _FEW:
        yield from map(function, items)
        return
    try:
        yield from results_in_order(pool, function, items, ahead=ahead)
    except BrokenProcessPool:
        raise BalerEnergyError(
            "one of the processes was killed, probably out of memory: use fewer processes (--processes), or request "
            "more memory."
        ) from None
