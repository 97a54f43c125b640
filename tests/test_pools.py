"""Results of a pool, in order and with bounded memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from baler_energy.pools import results_in_order


def test_results_come_in_order_although_the_first_ends_last():
    last_is_done = Event()

    def work(item: int) -> int:
        if item == 0:
            last_is_done.wait(300)
        elif item == 3:
            last_is_done.set()
        return -item

    with ThreadPoolExecutor(4) as pool:
        assert list(results_in_order(pool, work, range(4), ahead=4)) == [0, -1, -2, -3]


def test_no_more_items_are_taken_than_allowed():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        for number, result in enumerate(results_in_order(pool, abs, items(), ahead=3)):
            assert result == number
            assert len(taken) == min(20, number + 4)
