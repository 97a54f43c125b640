"""Results of a pool of threads or processes, in order and with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

__all__ = ["results_in_order"]

T = TypeVar("T")
R = TypeVar("R")


def results_in_order(pool: Executor, function: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Call a function on each item in a pool and yield the results in the order of the items.

    `Executor.map` with a ``buffersize`` does the same from Python 3.14; without one it takes all items at once.

    Parameters
    ----------
    pool, function, items
        The pool, the function to call in it, and its arguments, which are taken one by one.
    ahead
        Largest number of calls that are running or whose results are waiting; bounds the memory.
    """
    pending: deque[Future[R]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
