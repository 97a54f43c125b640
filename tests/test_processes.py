"""Work that is spread over processes: in order, bounded, and with the errors of the work itself."""

import operator
import os
import signal

import pytest

from baler_energy.errors import BalerEnergyError
from baler_energy.processes import in_order

OWN_ID = "__import__('os').getpid()"


def test_results_come_in_the_order_of_the_items():
    assert list(in_order(operator.neg, range(50), 2)) == [-item for item in range(50)]


def test_the_work_is_done_in_other_processes():
    assert os.getpid() not in set(in_order(eval, [OWN_ID] * 4, 2))


@pytest.mark.parametrize(("items", "processes"), [(3, 1), (1, 4), (0, 4), (2, 0)])
def test_work_for_one_is_done_in_this_process(items, processes):
    assert list(in_order(eval, [OWN_ID] * items, processes)) == [os.getpid()] * items


def test_an_error_is_that_of_the_work():
    with pytest.raises(ValueError, match="'x'"):
        list(in_order(int, ["1", "2", "x", "4"], 2))


def test_a_killed_process_is_told():
    with pytest.raises(BalerEnergyError, match="want of memory"):
        list(in_order(signal.raise_signal, [signal.SIGKILL] * 3, 2))
