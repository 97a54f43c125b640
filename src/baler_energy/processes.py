"""Work that is spread over processes, whose results come in order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from baler_energy.errors import BalerEnergyError

__all__ = ["in_order"]

T = TypeVar("T")
R = TypeVar("R")

#: Results of each process that wait to be taken.
_AHEAD = 2


def in_order(function: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    """Call a function on each item, in processes of their own where there is work for several.

    Parameters
    ----------
    function, items
        Both can be pickled, and so can the results.
    processes
        How many, at most; 1 or fewer: in this process.

    Yields
    ------
    R
        The results in the order of the items. No more than a few per process wait, so that memory is bounded.

    Raises
    ------
    BalerEnergyError
        A process was killed. What the function raises is raised here.
    """
    if min(processes, len(items)) < 2:
        yield from map(function, items)
        return
    try:
        yield from _in_pool(function, items, min(processes, len(items)))
    except BrokenProcessPool:
        raise BalerEnergyError(
            "one of the processes was killed, most likely for want of memory: use fewer (--processes), or ask for more."
        ) from None


def _in_pool(function: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    # A fork would take over the locks of this process's threads, pyarrow's among them.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
